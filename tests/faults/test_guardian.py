"""The guardian of an appliance that really runs: programs killed, hung and stopped, and itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from appliance import courses
from appliance.courses import Book, Course, Phase
from appliance.ops.supervisor import SILENT_SECONDS
from appliance.runtime import records
from appliance.runtime.guardian import probes, supervision
from appliance.runtime.guardian.guard import ALARM_SECONDS
from appliance.runtime.guardian.health import EVERY, FAILURES, TIMEOUT
from appliance.runtime.guardian.policy import ATTEMPTS, Seen
from tests.faults.steering import api_names, is_alive, supervisorctl, until_whole
from tests.ops.command import appliance_command
from tests.running import Running
from tests.runtime.servers import until

PROGRAMS = ["mongo", "redis", "worker-high", "worker-default", "scheduler", "api-1", "nginx"]
HUNG_SECONDS = (FAILURES + 1) * EVERY + TIMEOUT + 15
"""The probe before it hung, those that it fails, and a busy machine."""


@pytest.fixture(autouse=True)
def patient(appliance: Running) -> Iterator[None]:
    """Nobody helps the guardian."""
    appliance.is_patient = True
    yield
    appliance.is_patient = False


def course(appliance: Running, name: str) -> Course:
    return courses.read(appliance.paths).course(name)


def is_new(appliance: Running, name: str, before: int) -> bool:
    program = appliance.program(name)
    return program.is_running and program.pid != before


@contextmanager
def rewritten(appliance: Running) -> Iterator[Book]:
    """What the guardian keeps, as if that had been: it does not run meanwhile."""
    assert supervisorctl(appliance, "stop", "guardian").returncode == 0
    kept = courses.read(appliance.paths)
    yield kept
    courses.write(appliance.paths, courses.encode(kept))
    assert supervisorctl(appliance, "start", "guardian").returncode == 0


def afresh(appliance: Running) -> None:
    with rewritten(appliance) as kept:
        kept.courses = {}


def test_each_program_that_is_killed_is_started_again(appliance: Running) -> None:
    afresh(appliance)
    before = {name: appliance.program(name) for name in [*PROGRAMS, "guardian"]}
    for name in PROGRAMS:
        appliance.signal(name)
    for name in PROGRAMS:
        until(lambda name=name: is_new(appliance, name, before[name].pid or 0), 30, f"{name} is back")  # type: ignore[misc]
    os.kill(appliance.pid("guardian"), signal.SIGKILL)
    until(lambda: is_new(appliance, "guardian", before["guardian"].pid or 0), 30, "the guardian is back")
    until_whole(appliance)
    until(
        lambda: appliance.program("guardian").restarts == before["guardian"].restarts + 1, 10, "it is counted"
    )
    for name in PROGRAMS:
        assert appliance.program(name).restarts == 1, name


def test_each_program_that_hangs_is_started_again(appliance: Running) -> None:
    """All at once, so that a slow probe would keep others from being asked."""
    afresh(appliance)
    until(lambda: all(course(appliance, name).answers for name in PROGRAMS), 60, "all answer")
    before = {name: appliance.pid(name) for name in PROGRAMS}
    alone = {"api-1", "scheduler", "worker-high"}  # the rest with all children
    start = time.monotonic()
    for name, pid in before.items():
        (os.kill if name in alone else os.killpg)(pid, signal.SIGSTOP)
    for name in PROGRAMS:
        until(lambda name=name: is_new(appliance, name, before[name]), HUNG_SECONDS, f"{name} is back")  # type: ignore[misc]
        print(f"{name} was back after {time.monotonic() - start:.0f} s")
    until_whole(appliance)
    assert {course(appliance, name).why for name in PROGRAMS} == {"did not answer"}
    record = {each.program: each for each in records.read_all(appliance.paths)}
    for name, pid in before.items():
        assert record[name].pid != pid
    for name in api_names(appliance):
        if name != "api-1":
            assert appliance.program(name).restarts == 0, "it was well"


def test_what_an_operator_stopped_stays_down_whatever_becomes_of_the_guardian(appliance: Running) -> None:
    assert supervisorctl(appliance, "stop", "scheduler").returncode == 0
    assert supervisorctl(appliance, "restart", "guardian").returncode == 0
    before = appliance.pid("guardian")
    os.kill(before, signal.SIGKILL)
    until(lambda: is_new(appliance, "guardian", before), 30, "the guardian is back")
    api = appliance.pid("api-1")
    os.kill(api, signal.SIGKILL)
    until(lambda: is_new(appliance, "api-1", api), 30, "it works")
    assert appliance.program("scheduler").state == "STOPPED"
    assert supervisorctl(appliance, "start", "scheduler").returncode == 0
    assert supervisorctl(appliance, "restart", "api:*").returncode == 0
    until(lambda: is_alive(appliance, "api-1"), 30)


def test_one_that_waits_can_be_stopped_and_is_then_left(appliance: Running) -> None:
    with rewritten(appliance) as kept:
        kept.course("worker-high").attempts = 5
    appliance.signal("worker-high")
    until(lambda: course(appliance, "worker-high").phase == Phase.WAITING, 10, "it waits")
    assert "killed by a signal; attempt 6 of 10 in 1" in appliance.program("worker-high").detail
    told = supervisorctl(appliance, "stop", "worker-high")
    assert "worker-high is not started again until ./scripts/supervisorctl start worker-high" in told.stdout
    until(lambda: course(appliance, "worker-high").phase == Phase.LEFT, 10, "it is left")
    assert supervisorctl(appliance, "start", "worker-high").returncode == 0
    until(lambda: course(appliance, "worker-high").phase == Phase.UP, 10)
    assert course(appliance, "worker-high").attempts == 0


def test_what_is_given_up_is_told_even_if_it_is_the_database(appliance: Running) -> None:
    """And those who wait for it meanwhile have failed at nothing."""
    with rewritten(appliance) as kept:
        for name in ("mongo", "worker-high"):
            kept.course(name).attempts = ATTEMPTS
    for name in ("worker-high", "mongo"):
        appliance.signal(name)
    until(lambda: all(course(appliance, name).told for name in ("mongo", "worker-high")), 20, "given up")
    detail = (
        f"gave up after {ATTEMPTS} attempts: killed by a signal; next: ./scripts/supervisorctl start mongo"
    )
    assert appliance.program("mongo").detail == detail
    assert f"mongo is down (exited: {detail})" in _doctor(appliance)
    assert len(list(appliance.paths.alerts.iterdir())) == 2
    supervisorctl(appliance, "restart", "worker-default")
    waiting = appliance.pid("worker-default")
    os.kill(appliance.pid("guardian"), signal.SIGKILL)
    until(lambda: probes.is_launching(waiting), 10, "it waits for the database")
    until(lambda: appliance.program("guardian").is_running, 20)
    for name in ("mongo", "worker-high"):
        assert supervisorctl(appliance, "start", name).returncode == 0
    until(lambda: not list(appliance.paths.alerts.iterdir()), 90, "told")
    with appliance.database() as client:
        rows = list(client.get_default_database("appliance").outbox.find({"data.alert": "program_down"}))
    assert {row["data"]["program"] for row in rows} == {"mongo", "worker-high"}
    assert {(row["type"], row["state"], row["data"]["attempts"]) for row in rows} == {
        ("alert.fired", "waiting", ATTEMPTS)
    }
    until_whole(appliance)
    assert appliance.pid("worker-default") == waiting
    assert course(appliance, "worker-default").attempts == 0


def _doctor(appliance: Running) -> str:
    rows = msgspec.json.decode(appliance_command("doctor", "--json", data=appliance.paths.data).stdout)
    return "\n".join(row["meaning"] for row in rows)


def test_a_flood_of_events_loses_no_restart(appliance: Running) -> None:
    asked, before = supervision.Supervision(appliance.paths), appliance.pid("worker-high")
    afresh(appliance)
    guardian = appliance.pid("guardian")
    os.kill(guardian, signal.SIGSTOP)
    os.kill(before, signal.SIGKILL)
    for number in range(1200):
        asked.leave(f"nobody-{number}", Seen("EXITED", 0, number))
    assert "buffer overflowed" in (appliance.paths.logs / "supervisord.log").read_text()
    os.kill(guardian, signal.SIGCONT)
    until(lambda: is_new(appliance, "worker-high", before), 30, "worker-high is back")


def test_one_that_is_stopped_is_told_and_then_replaced(appliance: Running) -> None:
    """The parent does that: its own alarm does not fire."""
    looks = 2 * EVERY + 2  # else the parent has not seen it look yet, and gives it ten minutes to begin
    until(lambda: (appliance.program("guardian").uptime or 0) > looks, looks + 10, "the parent saw it look")
    before = appliance.pid("guardian")
    os.kill(before, signal.SIGSTOP)
    until(lambda: appliance.program("guardian").silent, SILENT_SECONDS + 10, "it is silent")
    ended = [appliance_command(*words, data=appliance.paths.data) for words in (["status"], ["healthcheck"])]
    assert [each.returncode for each in ended] == [1, 1]
    for each in ended:
        assert "has not looked for" in each.stdout
        assert "next: ./scripts/supervisorctl restart guardian" in each.stdout
    assert "guardian has not looked for" in _doctor(appliance)
    until(lambda: is_new(appliance, "guardian", before), ALARM_SECONDS + 60, "another one looks")
    assert "the guardian showed no life for 60 s and was ended" in appliance.log.read_text()
    until_whole(appliance)
