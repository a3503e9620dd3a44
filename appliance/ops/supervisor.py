"""What supervisord says of its programs, asked over its Unix socket by XML-RPC."""

from __future__ import annotations

import http.client
import os
import re
import socket
import sys
import xmlrpc.client
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

from appliance import settings
from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.settings import HOME

ANSWER_SECONDS = 3.0
NOT_RUNNING = "the appliance is not running on {data}; next: ./scripts/up"


class NotRunning(CannotStart):
    """No supervisord answers for this data folder."""


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised program. `uptime` in whole seconds, None when it is not running."""

    name: str
    state: str
    pid: int | None
    uptime: int | None
    restarts: int
    detail: str

    @property
    def is_running(self) -> bool:
        return self.state == "RUNNING"


def ask(paths: Paths) -> list[Program]:
    """Every program in supervisord's order. Raises NotRunning."""
    try:
        with _proxy(paths) as proxy:
            rows = cast("list[dict[str, Any]]", proxy.supervisor.getAllProcessInfo())
    except (OSError, http.client.HTTPException, xmlrpc.client.Error) as fault:
        if isinstance(fault, FileNotFoundError | ConnectionRefusedError):
            raise NotRunning(NOT_RUNNING.format(data=paths.data)) from None
        raise NotRunning(f"{paths.supervisor_socket}: {fault}; next: ./scripts/up") from None
    starts = _count_starts(paths)
    return [_program(row, starts) for row in rows]


def _program(row: dict[str, Any], starts: Counter[str]) -> Program:
    running = row["statename"] in ("RUNNING", "STARTING", "STOPPING") and row["pid"]
    return Program(
        name=row["name"],
        state=row["statename"],
        pid=row["pid"] if running else None,
        uptime=max(0, row["now"] - row["start"]) if running else None,
        restarts=max(0, starts[row["name"]] - 1),
        detail="" if running else row["spawnerr"] or row["description"],
    )


def _count_starts(paths: Paths) -> Counter[str]:
    """Starts by program since supervisord itself started, from its log: it keeps no such count."""
    try:
        text = (paths.logs / "supervisord.log").read_text(errors="replace")
    except OSError:
        return Counter()
    _, _, current = text.rpartition(" supervisord started with pid ")
    return Counter(re.findall(r" INFO spawned: '([^']+)' with pid", current))


def _proxy(paths: Paths) -> xmlrpc.client.ServerProxy:
    return xmlrpc.client.ServerProxy("http://localhost", transport=_UnixTransport(paths.supervisor_socket))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        self._connection = host, _UnixConnection(self.path)  # kept, so that closing the proxy closes it
        return self._connection[1]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_SECONDS)
        self.sock.connect(str(self.path))


def become_supervisorctl(arguments: Sequence[str]) -> NoReturn:
    """Replace this process by supervisor's own control program. Raises CannotStart, SettingError."""
    from appliance.runtime import programs

    chosen = settings.load()
    if not Paths(chosen.data).supervisor_socket.exists():
        raise NotRunning(NOT_RUNNING.format(data=chosen.data))
    configuration = str(HOME / "supervisord.conf")
    command = [sys.executable, "-P", "-m", "supervisor.supervisorctl", "-c", configuration, *arguments]
    os.execve(sys.executable, command, {**os.environ, **programs.supervisor_environment(chosen)})  # noqa: S606
