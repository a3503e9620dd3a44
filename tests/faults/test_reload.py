"""Reloads under load: no request fails, what was changed holds, what cannot be used changes nothing."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

from appliance import clock, processes, settings
from appliance.runtime import certificate, programs, records, reload, supervisor_socket
from appliance.runtime.control import Control, Failed, Program
from appliance.tls import sources
from tests import people
from tests.api.forms import FEEDBACK, publish
from tests.faults.steering import stored
from tests.ops.command import appliance_command
from tests.people import People
from tests.running import Running, running
from tests.runtime.servers import temporary_data, until

SUBMIT = {"data": {"name": "Ada", "words": "often"}}


@pytest.fixture(scope="module")
def files() -> Iterator[Path]:
    """A folder with a file for each setting that these tests change."""
    with temporary_data() as folder:
        folder.mkdir(parents=True)
        (folder / "requests").write_text("100000")
        (folder / "level").write_text("info")
        (folder / "mongo").write_text("secantusdb")
        (folder / "dotenv").write_text("")
        yield folder


@pytest.fixture(scope="module")
def appliance(files: Path) -> Iterator[Running]:
    with running(
        RATE_LIMIT="on",
        APPLIANCE_LIMIT_REQUESTS_FILE=str(files / "requests"),
        APPLIANCE_LOG_LEVEL_FILE=str(files / "level"),
        APPLIANCE_MONGO_FILE=str(files / "mongo"),
        APPLIANCE_DOTENV=str(files / "dotenv"),
        APPLIANCE_LIMIT_WRITES="1000000",
        APPLIANCE_LIMIT_SUBMITS="1000000",
        APPLIANCE_LIMIT_LOGINS="1000",
    ) as started:
        yield started


@pytest.fixture(scope="module")
def cast(appliance: Running) -> Iterator[People]:
    with people.gather(appliance) as gathered:
        yield gathered


@dataclass(slots=True)
class Load:
    """What the clients were told."""

    appliance: Running
    form_id: str
    acknowledged: list[str] = field(default_factory=list)
    reads: int = 0
    hammered: int = 0
    failures: list[str] = field(default_factory=list)
    slow: int = 0
    """Answers that the database did not answer in time: a busy disk's doing, as long as they are few."""
    over: threading.Event = field(default_factory=threading.Event)

    def client(self, *, tls: bool) -> httpx.Client:
        port = self.appliance.settings.https_port if tls else self.appliance.settings.http_port
        base = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        return httpx.Client(base_url=base, verify=False, trust_env=False, timeout=30)  # noqa: S501

    def run(self, *, keep: bool, tls: bool) -> None:
        """Submits and reads in turn, on one connection or each on its own."""
        client = self.client(tls=tls)
        for turn in itertools.count():
            if self.over.wait(0.01):
                break
            if not keep:
                client.close()
                client = self.client(tls=tls)
            try:
                self._submit(client) if turn % 2 else self._read(client)
            except httpx.HTTPError as fault:
                self.failures.append(f"turn {turn}, keep {keep}, TLS {tls}: {fault!r}")
        client.close()

    def _submit(self, client: httpx.Client) -> None:
        answer = client.post(f"/api/v1/forms/{self.form_id}/responses", json=SUBMIT)
        if answer.status_code == 201:
            self.acknowledged.append(answer.json()["response_id"])
        else:
            self._note(answer)

    def _note(self, answer: httpx.Response) -> None:
        if answer.status_code == 503 and "The database does not answer" in answer.text:
            self.slow += 1
        else:
            self.failures.append(f"{answer.request.method}: {answer.status_code} {answer.text[:200]}")

    def _read(self, client: httpx.Client) -> None:
        answer = client.get(f"/api/v1/forms/{self.form_id}", headers={"x-form-pin": "none"})
        self.reads += 1
        if answer.status_code != 200 or answer.json()["definition"] != FEEDBACK:
            self._note(answer)

    def hammer(self) -> None:
        """The next request on the same connection as soon as the answer is there, as a proxy does."""
        door: socket.socket | None = None
        while not self.over.wait(0.001):
            if door is None:
                door = socket.create_connection(("127.0.0.1", self.appliance.settings.http_port), timeout=30)
            try:
                door.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answer = door.recv(65536)
            except OSError as fault:
                answer = repr(fault).encode()
            if not answer.startswith(b"HTTP/1.1 200"):
                self.failures.append(f"hammer: {answer[:80]!r}")
            if b"Connection: keep-alive" not in answer:
                door.close()
                door = None
            else:
                self.hammered += 1
        if door:
            door.close()


@contextmanager
def load(appliance: Running, form_id: str) -> Iterator[Load]:
    made = Load(appliance, form_id)
    kinds = [(True, False), (True, False), (True, True), (False, False), (False, True)]
    with ThreadPoolExecutor(len(kinds) + 4) as pool:
        clients = [pool.submit(made.run, keep=keep, tls=tls) for keep, tls in kinds]
        clients += [pool.submit(made.hammer) for _ in range(4)]
        try:
            yield made
        finally:
            made.over.set()
        for client in clients:
            client.result()


def reload_it(appliance: Running) -> str:
    told = appliance_command("reload", data=appliance.paths.data)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


def pids(appliance: Running) -> dict[str, int]:
    return {record.program: record.pid for record in records.read_all(appliance.paths)}


def served_certificate(appliance: Running) -> str:
    return ssl.get_server_certificate(("127.0.0.1", appliance.settings.https_port))


def test_no_request_fails_and_every_answer_was_true(appliance: Running, cast: People, files: Path) -> None:
    form_id = publish(cast.alice, public=True)
    before, certificate_before = pids(appliance), served_certificate(appliance)
    with load(appliance, form_id) as clients:
        until(lambda: len(clients.acknowledged) > 20, 30, "the clients are at work")
        unchanged = reload_it(appliance)
        (files / "requests").write_text("90000")
        changed = reload_it(appliance)
        appliance.paths.certificate.unlink()
        certificate.ensure(appliance.paths)
        renewed = reload_it(appliance)
        count = len(clients.acknowledged)
        until(lambda: len(clients.acknowledged) > count + 20, 30, "the clients are still at work")
    assert clients.failures == []
    asked = clients.reads + len(clients.acknowledged)
    assert clients.slow <= asked / 100, f"{clients.slow} beside {asked} had no answer"
    kept = {row["_id"] for row in stored(appliance, form_id)}
    assert set(clients.acknowledged) <= kept, "one was lost"
    assert len(kept) - len(clients.acknowledged) <= clients.slow, "one was written twice"
    assert clients.reads > 100 and clients.hammered > 1000
    assert "nginx stays" in unchanged
    assert "nginx has its new settings" in changed
    assert "nginx has its new settings" in renewed
    assert served_certificate(appliance) != certificate_before
    after = pids(appliance)
    alone = {name for name in before if before[name] == after[name]}
    assert alone == {"supervisord", "redis", "mongo", "nginx"}


def test_an_open_connection_is_waited_for(appliance: Running) -> None:
    """The trap: what is sent over a connection that the API closes just then, nginx may not send again."""
    sockets = [appliance.paths.api_socket(n) for n in range(1, programs.api_count(appliance.settings) + 1)]
    idle = [
        httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://api") for path in sockets
    ]
    for client in idle:
        assert client.get("/healthz").headers.get("connection") != "close"
    assert all(reload.connections(path) for path in sockets)
    parent = int(appliance.paths.lock.read_text())
    os.kill(parent, signal.SIGHUP)
    for number, (client, path) in enumerate(zip(idle, sockets, strict=True), start=1):
        before = pids(appliance)[path.stem]
        while (answer := client.get("/healthz")).headers.get("connection") != "close":
            for other in idle[number:]:  # kept open by being used
                assert other.get("/healthz").status_code == 200
            time.sleep(0.05)
        assert answer.status_code == 200
        assert not path.exists()
        assert pids(appliance)[path.stem] == before, "stopped while a connection was open"
        client.close()
    until(lambda: '"state": "done"' in appliance.paths.reload_outcome.read_text(), 60, "done")


def test_what_was_changed_holds(appliance: Running, files: Path) -> None:
    refuse(appliance, "before-the-reload")
    until(lambda: is_logged(appliance, "before-the-reload"), 15, "worth a line at info")
    (files / "requests").write_text("2")
    (files / "level").write_text("warning")
    (files / "mongo").write_text("auto")
    told = reload_it(appliance)
    assert "APPLIANCE_MONGO was changed, but only a restart takes it" in told
    refuse(appliance, "after-the-reload")
    with appliance.client() as client:
        statuses = [client.get("/api/v1/forms").status_code for _ in range(12)]
    assert statuses.count(429) >= 2
    environ = Path(f"/proc/{pids(appliance)['api-1']}/environ").read_bytes().split(b"\0")
    assert b"APPLIANCE_MONGO=secantusdb" in environ
    assert not is_logged(appliance, "after-the-reload")


def refuse(appliance: Running, name: str) -> None:
    with appliance.client() as client:
        refused = client.post("/auth/login", json={"username": name, "password": "wrong password"})
    assert refused.status_code == 401


def is_logged(appliance: Running, name: str) -> bool:
    return any(name in log.read_text() for log in appliance.paths.logs.glob("api-*.log"))


@pytest.mark.parametrize(
    "name, value, fault",
    [
        ("requests", "many", "APPLIANCE_LIMIT_REQUESTS='many'"),
        ("certificate", "no certificate", "holds no certificate in PEM form"),
        ("dotenv", "ALERT_SLACK_URL=https://h/%zz\n", "ALERT_SLACK_URL=(secret)"),
        ("dotenv", "APPLIANCE_TLS_CERTIFICATE=~nobody-here/a.pem\n", "there is no such user"),
    ],
)
def test_what_cannot_be_used_changes_nothing(
    appliance: Running, files: Path, name: str, value: str, fault: str
) -> None:
    path = appliance.paths.certificate if name == "certificate" else files / name
    held, before, config = path.read_text(), pids(appliance), (appliance.paths.run / "nginx.conf").read_text()
    path.write_text(value)
    told = appliance_command("reload", data=appliance.paths.data)
    path.write_text(held)
    assert told.returncode == 2, told.stdout + told.stderr
    (line,) = told.stdout.splitlines()
    assert line.startswith("not reloaded, everything runs on as before: ")
    assert fault in line and "; next: " in line
    assert pids(appliance) == before
    assert (appliance.paths.run / "nginx.conf").read_text() == config
    assert appliance.is_ready()


def test_a_program_that_was_stopped_stays_so(appliance: Running) -> None:
    appliance_command("supervisorctl", "stop", "worker-high", data=appliance.paths.data)
    told = reload_it(appliance)
    assert "worker-high does not run and is left so" in told
    assert appliance.program("worker-high").state == "STOPPED"
    appliance_command("supervisorctl", "start", "worker-high", data=appliance.paths.data)


def test_what_cannot_be_written_down_is_refused_and_ends_nothing(appliance: Running) -> None:
    """As on a full disk: neither how it goes nor that it goes can be written."""
    before = pids(appliance)
    appliance.paths.reload_outcome.unlink(missing_ok=True)
    appliance.paths.reload_outcome.mkdir()
    try:
        told = appliance_command("reload", data=appliance.paths.data)
    finally:
        appliance.paths.reload_outcome.rmdir()
    assert told.returncode == 1, told.stdout + told.stderr
    assert "nothing is heard of the reload" in told.stdout
    assert "not reloaded, everything runs on as before" in appliance.log.read_text()
    assert appliance.is_ready()
    assert pids(appliance) == before


def test_without_its_mark_it_fails_and_says_so(appliance: Running) -> None:
    before = pids(appliance)
    appliance.paths.reloading.symlink_to("/nonexistent/folder/mark")
    told = appliance_command("reload", data=appliance.paths.data)
    assert told.returncode == 1, told.stdout + told.stderr
    assert "not reloaded, no program was touched: [Errno 2]" in told.stdout
    assert told.stdout.rstrip().endswith("; next: ./scripts/appliance status; mend that, then reload again")
    assert pids(appliance) == before


def supervisorctl(appliance: Running, *words: str) -> None:
    told = appliance_command("supervisorctl", *words, data=appliance.paths.data)
    assert told.returncode == 0, told.stdout + told.stderr


def reload_here(appliance: Running, say: Callable[[str], None]) -> str | None:
    """The same in a thread of this process, watched at each step; its fault."""
    text = (appliance.paths.run / "nginx.conf").read_text()
    offered = offer(appliance)
    served = reload.fingerprint(text, offered.text)
    made = reload.Reload(
        appliance.paths, reload.Wanted(appliance.settings, appliance.settings, text, offered, ()), served, say
    )
    made.run()
    return made.fault


def offer(appliance: Running) -> sources.Served:
    return sources.offer(appliance.settings, clock.utc_now())


def started_at(pid: int) -> float:
    """Seconds since 1970, to some hundredths."""
    ticks = processes.start_time(pid)
    assert ticks is not None
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


def test_runs_anew_is_said_of_what_works_and_the_operator_may_stop_meanwhile(appliance: Running) -> None:
    said, late = [], []

    def say(text: str) -> None:
        said.append(text)
        name, _, rest = text.partition(" ")
        beats = name in reload.BEATING and name != "worker-ai"  # that one may wait for its models
        if rest == "runs anew" and beats:
            touched = appliance.paths.beat(name).stat().st_mtime
            if touched < started_at(appliance.pid(name)):
                late.append(name)
        if text == "api-1 runs anew":
            supervisorctl(appliance, "stop", "worker-default")

    try:
        assert reload_here(appliance, say) is None
        assert appliance.program("worker-default").state == "STOPPED"
    finally:
        supervisorctl(appliance, "start", "worker-default")
    assert late == []
    assert "worker-default does not run and is left so" in said
    assert {"worker-high runs anew", "scheduler runs anew"} <= set(said)


def test_what_shows_no_life_fails_and_its_log_is_named(
    appliance: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = appliance.paths.beat("scheduler")
    wanted = reload.Wanted(appliance.settings, appliance.settings, "", offer(appliance), ())
    control = reload.Reload(appliance.paths, wanted, "", lambda text: None)
    monkeypatch.setattr(reload, "READY_SECONDS", 2.0)
    until(beat.exists, 30, "its first beat")
    beat.unlink()
    beat.symlink_to("/nonexistent/folder/beat")
    try:
        with pytest.raises(Failed, match=r"next: \./scripts/appliance logs scheduler"):
            control._restart(appliance_program(appliance, "scheduler"))
    finally:
        beat.unlink()


def appliance_program(appliance: Running, name: str) -> Program:
    found = Control(appliance.paths, threading.Event()).programs()
    return next(each for each in found if each.name == name)


def test_an_edit_holds_for_nobody_until_the_reload(appliance: Running, files: Path) -> None:
    """Else a slip in .env would keep down whatever ends meanwhile."""
    dotenv = files / "dotenv"
    command = partial(appliance_command, data=appliance.paths.data, **{settings.HELD: str(dotenv)})
    dotenv.write_text("APPLIANCE_CORS_ORIGINS=https://forms.example.org\nAPPLIANCE_LIMIT_PARTIALS=many\n")
    try:
        before = appliance.pid("worker-high")
        appliance.signal("worker-high")
        until(lambda: appliance.pid("worker-high") != before, 30, "another one")
        until(lambda: appliance.program("worker-high").is_running, 30, "it runs")
        status = command("status")
        assert f"{dotenv}:2: " in status.stderr and "worker-high" in status.stdout
        refused = command("reload")
        assert refused.returncode == 2 and f"{dotenv}:2: " in refused.stdout + refused.stderr
        dotenv.write_text("APPLIANCE_CORS_ORIGINS=https://forms.example.org\n")
        assert "APPLIANCE_CORS_ORIGINS" in command("status").stdout
        reload_it(appliance)
        assert "APPLIANCE_CORS_ORIGINS" not in command("status").stdout
    finally:
        dotenv.write_text("")
    reload_it(appliance)


def test_what_died_is_started_again(appliance: Running) -> None:
    """Without the guardian, who would do it himself."""
    supervisorctl(appliance, "stop", "guardian")
    try:
        os.kill(appliance.pid("worker-high"), signal.SIGKILL)
        until(lambda: appliance.program("worker-high").state == "EXITED", 15, "dead")
        assert "worker-high runs anew" in reload_it(appliance)
    finally:
        supervisorctl(appliance, "start", "guardian")
    assert appliance.program("worker-high").state == "RUNNING"


def test_a_late_answer_of_supervisord_leaves_nothing_stopped(appliance: Running) -> None:
    """Silent for longer than an answer is waited for: as an API is stopped, and as it is started again."""
    supervisor, control = pids(appliance)["supervisord"], Control(appliance.paths, threading.Event())
    api = appliance_program(appliance, "api-2")

    def fall_silent() -> threading.Timer:
        os.kill(supervisor, signal.SIGSTOP)
        timer = threading.Timer(supervisor_socket.ANSWER_SECONDS + 1, os.kill, (supervisor, signal.SIGCONT))
        timer.start()
        return timer

    for step in (control.stop, control.start):
        timer = fall_silent()
        step(api)
        timer.join()
    assert control.find(api.address).state == "RUNNING"
    until(lambda: reload.is_ready(appliance.paths.api_socket(2)), 60, "ready")


def test_an_api_that_is_alone_is_not_touched(appliance: Running) -> None:
    others = [f"api:{name}" for name in pids(appliance) if name.startswith("api-") and name != "api-1"]
    supervisorctl(appliance, "stop", *others)
    before = pids(appliance)
    try:
        told = appliance_command("reload", data=appliance.paths.data)
    finally:
        supervisorctl(appliance, "start", *others)
    assert told.returncode == 1, told.stdout + told.stderr
    assert "./scripts/supervisorctl start 'api:*'" in told.stdout
    after = pids(appliance)
    assert {name for name in before if before[name] != after[name]} == {each[4:] for each in others}


def test_without_redis_nothing_is_touched(appliance: Running) -> None:
    """Whatever is started anew would wait for it."""
    supervisorctl(appliance, "stop", "redis")
    try:
        before = pids(appliance)
        ended = appliance_command("reload", data=appliance.paths.data)
        assert ended.returncode == 1, ended.stdout + ended.stderr
        assert "not reloaded, no program was touched: redis does not run" in ended.stderr + ended.stdout
        assert "next: ./scripts/supervisorctl start redis" in ended.stderr + ended.stdout
        assert pids(appliance) == before
    finally:
        supervisorctl(appliance, "start", "redis")


def test_without_an_appliance_the_command_says_so(tmp_path: Path) -> None:
    told = appliance_command("reload", data=tmp_path / "nothing")
    assert told.returncode == 2
    assert "is not running" in told.stderr
