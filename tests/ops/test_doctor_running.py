"""Faults planted into an appliance that runs, taken away again, and what doctor makes of them meanwhile."""

from __future__ import annotations

import datetime as dt
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from appliance import addresses, alertmanager, courses, settings
from appliance.backups import book
from appliance.clock import new_id, rfc3339, utc_now
from appliance.ops import doctor, supervisor
from appliance.ops.checks import CHECKS, programs
from appliance.ops.findings import Finding, Situation
from appliance.settings import HOME
from appliance.stores import webhooks
from appliance.tls import record
from tests.ops import test_doctor_stopped
from tests.ops.fingerprints import fingerprint
from tests.ops.planting import Row, bad, judge, nothing, planting
from tests.running import Running, running, unique
from tests.runtime.servers import free_ports, until

OF_OTHERS = {"logs", "run", "mongo", "redis", "prometheus", "clock.json"}
"""What the programs themselves write all the time."""
COLLECTIONS = ("users", "forms", "responses", "audit", "webhooks", "dead_letters")
Planting = Callable[["Place"], Iterator[None]]


class Place:
    """The appliance, and the terminal that doctor is called in."""

    def __init__(self, appliance: Running) -> None:
        self.appliance = appliance
        self.environ = dict(appliance.environ)

    @property
    def paths(self) -> addresses.Paths:
        return self.appliance.paths

    def command(self, *words: str) -> None:
        command = [sys.executable, "-P", "-m", "appliance", *words]
        environ = {**self.environ, "PYTHONPATH": str(HOME)}
        subprocess.run(command, env=environ, check=True, capture_output=True, timeout=60)

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(addresses.redis_url(self.appliance.settings))


@pytest.fixture(scope="module")
def appliance() -> Iterator[Running]:
    """One of its own: what others do meanwhile would be found too."""
    base = str(free_ports(len(addresses.INNER_PORTS)))
    with running(APPLIANCE_MONITORING="on", APPLIANCE_PORT_BASE=base) as started:
        _await_stillness(started)
        yield started


def _await_stillness(started: Running) -> None:
    """What the scheduler writes as it begins is there: its first look at backups comes after all else."""
    until((started.paths.backups / book.FILE).exists, 60, "the scheduler has looked at backups")
    until(started.paths.seen.exists, 60, "the scheduler has looked at secrets")
    marks: list[object] = []

    def is_still() -> bool:
        """For five seconds: a chore of the scheduler comes back by then."""
        marks.append(mark(Place(started)))
        if marks[-1] != marks[0]:
            marks.clear()
        time.sleep(0.5)
        return len(marks) > 10

    until(is_still, 60, "nothing is written any more")


@pytest.fixture
def place(appliance: Running) -> Place:
    def is_well() -> bool:
        return all(each.is_running for each in supervisor.ask(appliance.paths))

    until(is_well, 30, "every program runs")
    return Place(appliance)


def examine(place: Place) -> list[Finding]:
    here = settings.load(place.environ, dotenv=Path("/nonexistent"))
    held = place.appliance.settings
    return doctor.examine(Situation(held, here, place.environ, Path("/nonexistent")))


def mark(place: Place) -> object:
    with place.appliance.database() as client:
        db = client.get_default_database()
        counts = {name: db[name].count_documents({}) for name in COLLECTIONS}
    return counts, fingerprint(place.paths.data, without=OF_OTHERS)


def a_missing_index(place: Place) -> Iterator[None]:
    with place.appliance.database() as client:
        webhooks = client.get_default_database().webhooks
        webhooks.drop_index("form_id_1")
        yield
        webhooks.create_index("form_id")


def another_index(place: Place) -> Iterator[None]:
    """Not unique, as it must be."""
    with place.appliance.database() as client:
        links = client.get_default_database().links
        links.drop_index("token_hash_1")
        links.create_index("token_hash")
        yield
        links.drop_index("token_hash_1")
        links.create_index("token_hash", unique=True)


def sessions_that_never_go(place: Place) -> Iterator[None]:
    """An index of the same name and keys, after which nothing is removed."""
    with place.appliance.database() as client:
        sessions = client.get_default_database().ended_sessions
        sessions.drop_index("expires_at_1")
        sessions.create_index("expires_at")
        yield
        sessions.drop_index("expires_at_1")
        sessions.create_index("expires_at", expireAfterSeconds=0)


def configured(name: str, value: str, before: str) -> Planting:
    def plant(place: Place) -> Iterator[None]:
        with place.redis() as client:
            client.config_set(name, value)
            yield
            client.config_set(name, before)

    return plant


def a_stopped(program: str) -> Planting:
    def plant(place: Place) -> Iterator[None]:
        place.command("supervisorctl", "stop", program)
        yield
        place.command("supervisorctl", "start", program)
        until(lambda: place.appliance.program(program).is_running)

    return plant


def a_frozen(program: str) -> Planting:
    """It is there and does nothing: as with a disk that does not answer."""

    def plant(place: Place) -> Iterator[None]:
        pid = place.appliance.pid(program)
        os.kill(pid, signal.SIGSTOP)
        yield
        os.kill(pid, signal.SIGCONT)

    return plant


def a_paused_queue(place: Place) -> Iterator[None]:
    place.command("queue", "pause", "batched")
    yield
    place.command("queue", "resume", "batched")


def a_dead_letter(place: Place) -> Iterator[None]:
    with place.appliance.database() as client:
        letters = client.get_default_database().dead_letters
        row = {"_id": new_id(), "number": 10**9, "state": "dead", "task": "notify_watchers"}
        letters.insert_one(row)
        yield
        letters.delete_one({"_id": row["_id"]})


def an_unwanted_webhook(place: Place) -> Iterator[None]:
    with place.appliance.database() as client:
        rows = client.get_default_database().webhooks
        row = {
            "_id": new_id(),
            "owner": "nobody",
            "number": 10**9,
            "status": "disabled",
            "disabled_reason": f"{webhooks.GONE} at the last delivery",
        }
        rows.insert_one(row)
        yield
        rows.delete_one({"_id": row["_id"]})


def forgotten_maintenance(place: Place) -> Iterator[None]:
    place.paths.maintenance.touch()
    yield
    place.paths.maintenance.unlink()


def other_settings_here(place: Place) -> Iterator[None]:
    before = place.environ
    place.environ = {**before, "APPLIANCE_TOKEN_HOURS": "7"}
    yield
    place.environ = before


def a_damaged_book(place: Place) -> Iterator[None]:
    path = courses.files(place.paths)[0]
    before = path.read_bytes()
    path.write_bytes(before[:-5])
    yield
    path.write_bytes(before)


def a_certificate_not_taken_up(place: Place) -> Iterator[None]:
    record.keep(place.paths, "/etc/own.pem expired on 2026-01-01; next: renew it")
    yield
    record.keep(place.paths, None)


def few_files(place: Place) -> Iterator[None]:
    """That its leader may open: just as many as it has."""
    pid = place.appliance.pid("scheduler")
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    count = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (count + 2, hard))
    yield
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def an_open_secret(place: Place) -> Iterator[None]:
    place.paths.webhook_key.chmod(0o640)
    yield
    place.paths.webhook_key.chmod(0o600)


def a_backup_that_failed(place: Place) -> Iterator[None]:
    path = place.paths.backups / book.FILE
    before = path.read_bytes()
    with book.changing(place.paths.backups) as noted:
        noted.backup.fail(utc_now(), "no room on the disk")
    yield
    path.write_bytes(before)


def a_core_of_others(place: Place) -> Iterator[None]:
    """Somebody has moved it to another core than the budget has for it."""
    pid = place.appliance.pid("worker-high")
    before = os.sched_getaffinity(pid)
    every = os.sched_getaffinity(0)
    if len(every) == 1:
        pytest.skip("there is no other core")
    other = {max(every)} if before != {max(every)} else {min(every)}
    os.sched_setaffinity(pid, other)
    yield
    os.sched_setaffinity(pid, before)


def row(
    plant: Planting, check: str, severity: str, *words: str, also: str = "", name: str = ""
) -> Row[Place]:
    return Row(
        name or plant.__name__,
        planting(plant),
        check,
        severity,  # type: ignore[arg-type] # one of the three
        words,
        frozenset(also.split()),
    )


ROWS = [
    row(a_missing_index, "indexes", "error", "webhooks.form_id_1 is missing", "reload"),
    row(another_index, "indexes", "error", "links.token_hash_1 is another (unique)", "dropIndex", "reload"),
    row(
        sessions_that_never_go, "indexes", "error", "ended_sessions.expires_at_1 is another",
        "(expireAfterSeconds)", "dropIndex",
    ),
    row(
        configured("appendonly", "no", "yes"), "redis", "warning", "appendonly no", "restart redis",
        name="redis keeps nothing",
    ),
    row(
        configured("maxmemory-policy", "allkeys-lru", "volatile-ttl"), "redis", "error", "allkeys-lru",
        "restart redis", name="redis throws away",
    ),
    row(
        a_stopped("redis-exporter"), "programs", "warning", "redis-exporter was stopped by hand",
        "supervisorctl start redis-exporter", name="a stopped exporter",
    ),
    row(
        a_stopped("worker-high"), "programs", "warning", "worker-high was stopped by hand",
        "supervisorctl start worker-high", name="a stopped worker",
    ),
    *(
        row(
            a_frozen(name), "answers", "error", f"{name} (process", "does nothing",
            f"supervisorctl restart {name}", name=f"{name} is frozen",
        )
        for name in ("prometheus", "alertmanager", "node-exporter")
    ),
    row(
        a_frozen("redis"), "answers", "error", "redis (process", "supervisorctl restart redis",
        also="readiness", name="redis is frozen",
    ),
    row(a_paused_queue, "tasks", "warning", "the queue batched is paused", "queue resume batched"),
    row(a_dead_letter, "tasks", "warning", "tasks have failed for good: 1", "queue retry"),
    row(an_unwanted_webhook, "tasks", "warning", "answered 410 are disabled: 1", "docs/webhooks.md"),
    row(forgotten_maintenance, "maintenance", "warning", "maintenance is on", "maintenance off"),
    row(
        other_settings_here, "running-settings", "warning", "APPLIANCE_TOKEN_HOURS 24, and 7 holds here",
        "reload",
    ),
    row(a_damaged_book, "guardian", "warning", "guardian.json in {place.paths.run}", "restart guardian"),
    row(a_certificate_not_taken_up, "certificate", "error", "/etc/own.pem expired", "renew it"),
    row(few_files, "descriptors", "warning", "scheduler (process", "files open", "restart scheduler"),
    row(an_open_secret, "secrets", "error", "{place.paths.webhook_key} has mode 0640", "chmod 600"),
    row(a_backup_that_failed, "backups", "error", "the last backup failed", "backup create"),
    row(a_core_of_others, "budget", "warning", "worker-high was to run on cores", "logs worker-high"),
    row(  # the last: the guardian may still speak of it in what comes after
        a_frozen("scheduler"), "answers", "error", "scheduler (process", "does nothing",
        "supervisorctl restart scheduler", name="scheduler is frozen",
    ),
]  # fmt: skip


@pytest.mark.parametrize("planted", ROWS, ids=lambda row: row.name)
def test_a_planted_fault_is_named_and_nothing_is_touched(place: Place, planted: Row[Place]) -> None:
    judge(planted, place, examine, mark)


def test_a_fault_that_is_not_there_is_not_found(place: Place) -> None:
    healthy = examine(place)
    for planted in ROWS:
        with pytest.raises(AssertionError, match="one finding of"):
            judge(replace(planted, plant=nothing), place, lambda _: healthy, lambda _: None)


def test_what_the_kernel_does_not_enforce_is_one_line(place: Place) -> None:
    """One cause is one warning, however many controls it takes away."""
    told = [each for each in examine(place) if each.check == "budget" and "nothing is held" in each.meaning]
    plan = json.loads(place.paths.plan.read_text())
    assert len(told) == bool(plan["degraded"])
    assert all(name in each.meaning for each in told for name in plan["degraded"])
    assert all((each.severity, "systemd-run" in each.next) == ("ok", True) for each in told)


def test_what_was_chosen_is_no_warning(place: Place) -> None:
    """A healthy first machine: the trial database, by root, perhaps without cgroups. Tests have no limits."""
    found = examine(place)
    assert {each.check for each in bad(found)} <= {"rate-limit"}
    told = {each.check: each.meaning for each in found}
    assert ("runs as root" in told["user"]) == (os.geteuid() == 0)


def judged(place: Place, name: str, program: supervisor.Program) -> list[Finding]:
    """What a check says of one that stands for all programs."""
    here = settings.load(place.environ, dotenv=Path("/nonexistent"))
    situation = Situation(here, here, place.environ, Path("/nonexistent"))
    situation.__dict__["programs"] = [program]
    (check,) = [each for each in CHECKS if each.name == name]
    return check.run(situation)


def test_a_program_that_keeps_ending_is_told(place: Place) -> None:
    """As it would be after some minutes: from the second time on the guardian waits before it starts one."""
    program = place.appliance.program("scheduler")
    often = replace(program, restarts=programs.MANY_RESTARTS)
    assert [each.severity for each in judged(place, "restarts", often)] == ["ok"]
    (told,) = judged(place, "restarts", replace(often, restarts=often.restarts + 1))
    assert told.severity == "warning"
    assert "scheduler ended by itself and was started again 4 times" in told.meaning
    assert "logs scheduler" in told.next


def test_a_door_that_others_reach_is_told(place: Place) -> None:
    """A real socket, of this process in a program's stead: none of ours opens one."""
    program = replace(place.appliance.program("redis"), pid=os.getpid())
    assert [each.severity for each in judged(place, "listeners", program)] == ["ok"]
    with socket.create_server(("0.0.0.0", 0)) as door:
        port = door.getsockname()[1]
        (told,) = judged(place, "listeners", program)
    assert told.severity == "error"
    assert f"redis (process {os.getpid()}) listens on 0.0.0.0 port {port}" in told.meaning


def test_an_alert_that_nobody_knows_of_is_told(place: Place) -> None:
    held, name = place.appliance.settings, unique("Planted")
    now = utc_now()
    alert = {
        "labels": {"alertname": name, "severity": "warning"},
        "annotations": {"summary": "it is", "next": "nothing"},
        "startsAt": rfc3339(now),
    }

    def told() -> str:
        return " ".join(each.meaning for each in examine(place) if each.check == "firing")

    alertmanager.post(held, [alert])
    until(lambda: name in told(), 20, "doctor tells it")
    until_known = now + dt.timedelta(minutes=10)
    silence = alertmanager.silence(held, alert["labels"], until_known, "somebody knows")  # type: ignore[arg-type]
    until(lambda: name not in told(), 20, "somebody knows of it")
    alertmanager.end_silence(held, silence)
    alertmanager.post(held, [{**alert, "endsAt": rfc3339(utc_now())}])


def test_every_check_has_a_fault_that_it_finds() -> None:
    planted = {row.check for row in ROWS} | {row.check for row in test_doctor_stopped.ROWS}
    elsewhere = {
        "supervisor": "of each that is stopped",
        "firing": "above",
        "upgrade": "tests/upgrade/test_doctor.py",
        "user": "of all that root starts, as most tests do; tests/runtime/test_ownership.py",
        "readiness": "follows from a Redis that is frozen",
        "restarts": "above",
        "listeners": "above",
        "open-files": "test_doctor_stopped.py, of a process of its own",
    }
    assert planted | elsewhere.keys() == {check.name for check in CHECKS} | {doctor.UNREADABLE}
    assert len(ROWS) + len(test_doctor_stopped.ROWS) >= 80
