"""What is told of a program, and what supervisord answers while it stops."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import UnixStreamServer
from typing import Any
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler

import pytest

from appliance.addresses import GUARDIAN, Paths
from appliance.courses import Book, Course
from appliance.ops import supervisor
from appliance.ops.supervisor import NotRunning
from appliance.runtime.guardian.health import GRACE
from tests.runtime.servers import temporary_data


class _Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ()
    disable_nagle_algorithm = False  # an option of TCP

    def address_string(self) -> str:
        return "unix"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class _Stopping(UnixStreamServer, SimpleXMLRPCDispatcher):
    """Speaks as supervisord does between the wish to stop and its end, which is too short to hit for sure."""

    _send_traceback_header = False

    def __init__(self, path: Path) -> None:
        SimpleXMLRPCDispatcher.__init__(self, allow_none=False, encoding="utf-8")
        UnixStreamServer.__init__(self, str(path), _Handler)
        self.register_function(self._refuse, "supervisor.getAllProcessInfo")

    def _refuse(self) -> None:
        raise Fault(6, "SHUTDOWN_STATE")


@contextmanager
def stopping(path: Path) -> Iterator[None]:
    with _Stopping(path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_a_supervisor_that_stops_is_told_in_words() -> None:
    with temporary_data() as data:
        paths = Paths(data)
        paths.run.mkdir(parents=True)
        with stopping(paths.supervisor_socket), pytest.raises(NotRunning) as caught:
            supervisor.ask(paths)
    assert str(caught.value) == f"the appliance on {data} is stopping or restarting"


def test_the_fault_has_the_number_that_supervisor_gives_it() -> None:
    from supervisor.xmlrpc import Faults

    assert Faults.SHUTDOWN_STATE == supervisor.SHUTTING_DOWN


def row(name: str, *, state: str = "RUNNING", age: int = 3600) -> dict[str, Any]:
    """As supervisord tells it."""
    now = int(time.time())
    return {
        "name": name, "statename": state, "pid": 4242, "now": now, "start": now - age,
        "spawnerr": "", "description": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    "beat,age,silent",
    [(1, 3600, False), (20, 3600, False), (40, 3600, True), (3700, 3600, True), (90, 60, False)],
    ids=["looks", "is busy", "is stopped", "never looked", "has just begun"],
)
def test_a_guardian_that_does_not_look_does_not_run(
    tmp_path: Path, beat: int, age: int, silent: bool
) -> None:
    paths = Paths(tmp_path)
    (paths.run / "beats").mkdir(parents=True)
    paths.beat(GUARDIAN).touch()
    os.utime(paths.beat(GUARDIAN), (time.time() - beat, time.time() - beat))
    told = supervisor.describe(paths, row(GUARDIAN, age=age), Book())
    assert told.is_running is not silent
    seconds = min(beat, age)
    next_ = "next: ./scripts/supervisorctl restart guardian"
    wanted = {
        f"has not looked for {seconds + late} s, so nothing is started again; {next_}" for late in (0, 1)
    }
    assert told.detail in (wanted if silent else {""})


@pytest.mark.parametrize(
    "name,state,course,detail",
    [
        ("api-1", "RUNNING", Course(answers=True, has_answered=True), ""),
        ("api-1", "RUNNING", Course(answers=False, has_answered=True), "does not answer"),
        ("api-1", "RUNNING", Course(answers=False), "has not answered yet"),
        ("api-2", "STOPPED", Course(), "stopped by hand; next: ./scripts/supervisorctl start api-2"),
        ("mongo", "STOPPED", Course(), "stopped by hand; next: ./scripts/supervisorctl start mongo"),
    ],
)
def test_what_is_told_of_a_program(
    tmp_path: Path, name: str, state: str, course: Course, detail: str
) -> None:
    told = supervisor.describe(Paths(tmp_path), row(name, state=state), Book(courses={name: course}))
    assert told.detail == detail


def test_one_that_was_never_started_was_not_stopped(tmp_path: Path) -> None:
    """The embedded server whose place another one takes."""
    told = {**row("mongo", state="STOPPED"), "start": 0, "description": "Not started"}
    assert supervisor.describe(Paths(tmp_path), told, Book()).detail == "Not started"


def test_a_guardian_that_has_never_looked_is_given_time(tmp_path: Path) -> None:
    for age, runs in ((GRACE - 20, True), (GRACE + 20, False)):
        assert supervisor.describe(Paths(tmp_path), row(GUARDIAN, age=round(age)), Book()).is_running is runs
    assert supervisor.describe(Paths(tmp_path), row("api-1"), Book()).is_running
