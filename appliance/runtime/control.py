"""Stopping, starting and signalling programs through supervisord, each step waited for."""

from __future__ import annotations

import threading
import time
import xmlrpc.client
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, NamedTuple, cast

from appliance.addresses import Paths
from appliance.runtime import supervisor_socket

FAULTS = (OSError, HTTPException, xmlrpc.client.Error)
"""What supervisord, or its absence, may answer with."""
STOP_SECONDS = 60.0
"""Longer than any `stopwaitsecs`: supervisord has killed it by then."""
START_SECONDS = 60.0
PATIENCE = 120.0
"""Seconds that one question is asked again when supervisord does not answer: a program that we have stopped
would be taken for one that the operator stopped, and nobody else starts it."""
_LOOK = 0.05
_NOT_RUNNING, _ALREADY_STARTED = 70, 60  # supervisor.xmlrpc.Faults
_RUNS = ("STARTING", "RUNNING", "BACKOFF")
_DIED = ("EXITED", "FATAL")
_STANDS = ("STOPPED", "EXITED", "FATAL", "UNKNOWN")


class Cancelled(Exception):
    """Asked to end meanwhile."""


class Failed(Exception):
    """A step did not come to its end; the text says which and what to do next."""


class Program(NamedTuple):
    name: str
    address: str
    """Supervisor's own: `api:api-1`."""
    state: str
    pid: int

    @property
    def runs(self) -> bool:
        return self.state in _RUNS

    @property
    def died(self) -> bool:
        """By itself: one that somebody stopped is STOPPED."""
        return self.state in _DIED


class Control:
    """Each call connects anew. Raises Failed and Cancelled, and xmlrpc.client.Error for a refusal."""

    def __init__(self, paths: Paths, cancelled: threading.Event) -> None:
        self.paths, self.cancelled = paths, cancelled

    def programs(self) -> list[Program]:
        """By their names."""
        rows = self._ask(lambda supervisor: supervisor.getAllProcessInfo())
        return [_program(row) for row in cast("list[dict[str, Any]]", rows)]

    def find(self, address: str) -> Program:
        row = self._ask(lambda supervisor: supervisor.getProcessInfo(address))
        return _program(cast("dict[str, Any]", row))

    def stop(self, program: Program) -> None:
        """Asked as supervisord.conf says, and waited for."""
        self._call("stopProcess", program.address, _NOT_RUNNING)
        self.until(
            lambda: self.find(program.address).state in _STANDS, STOP_SECONDS, f"{program.name} does not stop"
        )

    def start(self, program: Program) -> None:
        self._call("startProcess", program.address, _ALREADY_STARTED)
        self.until(lambda: self.runs(program), START_SECONDS, f"{program.name} does not start")

    def runs(self, program: Program) -> bool:
        """Whether what was started does. Raises Failed when it has ended again."""
        found = self.find(program.address)
        if found.died:
            raise Failed(f"{program.name} ended at its start; next: ./scripts/appliance logs {program.name}")
        return found.state == "RUNNING"

    def signal(self, program: Program, name: str) -> None:
        self._ask(lambda supervisor: supervisor.signalProcess(program.address, name))

    def until(self, condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if self.cancelled.wait(_LOOK):
                raise Cancelled
            if time.monotonic() > deadline:
                raise Failed(otherwise)

    def _call(self, method: str, address: str, harmless: int) -> None:
        """Not waited for there: a stop takes longer than an answer may."""
        try:
            self._ask(lambda supervisor: getattr(supervisor, method)(address, False))
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != harmless:
                name = address.rpartition(":")[2]
                told = f"supervisord refuses {method} of {name}: {fault.faultString}"
                raise Failed(f"{told}; next: ./scripts/appliance logs {name}") from None

    def _ask(self, question: Callable[[Any], object]) -> object:
        """Again, when no answer comes: each question here may be asked twice."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with supervisor_socket.connect(self.paths) as proxy:
                    return question(proxy.supervisor)
            except (OSError, HTTPException) as fault:
                if time.monotonic() > deadline:
                    log = self.paths.logs / "supervisord.log"
                    raise Failed(f"supervisord does not answer ({fault}); next: see {log}") from None
            if self.cancelled.wait(_LOOK):
                raise Cancelled


def _program(row: dict[str, Any]) -> Program:
    same = row["group"] == row["name"]
    address = row["name"] if same else f"{row['group']}:{row['name']}"
    return Program(row["name"], address, row["statename"], row["pid"])
