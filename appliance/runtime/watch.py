"""Ends an embedded database that runs and accepts connections, but has answered no read for half a minute.

SecantusDB comes to that on a full disk: WiredTiger panics, the process goes on and answers `ping`, but never
again a read or a write, also when there is room again. supervisord sees nothing of it. So it is asked for by
/readyz, which reads, and killed when there is room to come back to; supervisord then starts it again.

What is not running, not listening yet (a long recovery) or just stopped by the operator is left alone.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
import xmlrpc.client
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from appliance.addresses import Paths, front_url, read_line
from appliance.disk import RESERVE_BYTES, free_bytes
from appliance.errors import CannotStart
from appliance.runtime import supervisor_socket
from appliance.runtime.readiness import Readiness
from appliance.settings import Settings

EVERY = 5.0
PATIENCE = 30.0
"""Seconds without an answer before it is ended."""
PAUSE, LONGEST_PAUSE = 60.0, 3600.0
"""Seconds between two attempts: doubled after each that did not help."""
_GAP = 20.0
"""Seconds between two looks after which nothing is known of the time in between (a suspended machine)."""
_RPC_FAULTS = (OSError, http.client.HTTPException, xmlrpc.client.Error)


@dataclass(slots=True)
class Verdicts:
    """When to end it: told each look, with its time."""

    pid: int | None = None
    since: float | None = None
    looked: float = 0.0
    attempts: int = 0
    not_before: float = 0.0

    def judge(self, now: float, pid: int | None, serves: bool | None, *, room: bool) -> bool:
        """`serves` is None when nobody knows, `pid` None when it does not run or does not listen."""
        if serves:
            self.attempts = 0
        if serves is not False or pid is None or pid != self.pid or now - self.looked > _GAP:
            self.since = None
        self.pid, self.looked = pid, now
        if serves is not False or pid is None:
            return False
        self.since = now if self.since is None else self.since
        if now - self.since < PATIENCE or now < self.not_before or not room:
            return False
        self.not_before = now + min(PAUSE * 2**self.attempts, LONGEST_PAUSE)
        self.attempts += 1
        self.since = None
        return True


class Watch:
    """A thread of the parent: what it asks may take seconds, and signals must not wait for it."""

    def __init__(self, paths: Paths, settings: Settings, say: Callable[[str], None]) -> None:
        self.paths, self.say = paths, say
        self._readiness = Readiness(front_url(settings), timeout=4.0)
        self._verdicts = Verdicts()

    def start(self) -> None:
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(EVERY)
            try:
                self.look()
            except Exception as fault:  # whatever it is, the next look is wanted
                self.say(f"could not look after the database: {fault!r}")

    def look(self) -> None:
        serves = self._readiness.find_up("mongodb")
        pid = None if serves is not False else self._find_pid()
        room = serves is not False or free_bytes(self.paths.data) >= RESERVE_BYTES
        if self._verdicts.judge(time.monotonic(), pid, serves, room=room):
            self.say(
                f"the database answers no reads for {PATIENCE:.0f} s and is started again (process {pid})"
            )
            self._end()

    def _find_pid(self) -> int | None:
        """The process that runs and listens, by supervisord's own word."""
        try:
            with supervisor_socket.connect(self.paths) as proxy:
                row = cast("dict[str, Any]", proxy.supervisor.getProcessInfo("mongo"))
        except _RPC_FAULTS:
            return None
        return int(row["pid"]) if row["statename"] == "RUNNING" and self._listens() else None

    def _listens(self) -> bool:
        try:
            address = ("127.0.0.1", int(read_line(self.paths.mongo_port)))
            socket.create_connection(address, timeout=2).close()
        except (OSError, ValueError, CannotStart):
            return False
        return True

    def _end(self) -> None:
        """Not stop and start: killed in between, we would leave it stopped. The journal has what was told."""
        try:
            with supervisor_socket.connect(self.paths) as proxy:
                proxy.supervisor.signalProcess("mongo", "KILL")
        except _RPC_FAULTS as fault:
            self.say(f"could not end the database: {fault}; next: ./scripts/supervisorctl restart mongo")
