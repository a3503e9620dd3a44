"""What supervisord says of its programs, asked over its Unix socket by XML-RPC."""

from __future__ import annotations

import http.client
import os
import re
import sys
import xmlrpc.client
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from appliance import settings
from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.ops import instance
from appliance.runtime import place, supervisor_socket
from appliance.settings import HOME

SHUTTING_DOWN = 6
"""supervisor's fault SHUTDOWN_STATE; its module of faults would take long to import."""
# supervisord names the end that it asked for `stopped`, any other `exited`.
_STEPS = re.compile(r" (?:INFO|WARN) (spawned|exited|stopped): '?([\w-]+)'? ")


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
        with supervisor_socket.connect(paths) as proxy:
            rows = cast("list[dict[str, Any]]", proxy.supervisor.getAllProcessInfo())
    except (OSError, http.client.HTTPException, xmlrpc.client.Error) as fault:
        if isinstance(fault, FileNotFoundError | ConnectionRefusedError):
            raise NotRunning(instance.describe_absence(paths.data)) from None
        if isinstance(fault, xmlrpc.client.Fault) and fault.faultCode == SHUTTING_DOWN:
            raise NotRunning(f"the appliance on {paths.data} is stopping or restarting") from None
        raise NotRunning(f"{paths.supervisor_socket}: {fault}; next: ./scripts/up") from None
    restarts = _count_restarts(paths)
    return [_program(row, restarts) for row in rows]


def _program(row: dict[str, Any], restarts: Counter[str]) -> Program:
    running = row["statename"] in ("RUNNING", "STARTING", "STOPPING") and row["pid"]
    return Program(
        name=row["name"],
        state=row["statename"],
        pid=row["pid"] if running else None,
        uptime=max(0, row["now"] - row["start"]) if running else None,
        restarts=restarts[row["name"]],
        detail="" if running else row["spawnerr"] or row["description"],
    )


def _count_restarts(paths: Paths) -> Counter[str]:
    """Starts after an end that nobody asked for, by program, since supervisord itself started.

    From its log: it keeps no such count.
    """
    try:
        text = (paths.logs / "supervisord.log").read_text(errors="replace")
    except OSError:
        return Counter()
    _, _, current = text.rpartition(" supervisord started with pid ")
    last: dict[str, str] = {}
    restarts: Counter[str] = Counter()
    for step, name in _STEPS.findall(current):
        restarts[name] += step == "spawned" and last.get(name) == "exited"
        last[name] = step
    return restarts


def become_supervisorctl(arguments: Sequence[str]) -> NoReturn:
    """Replace this process by supervisor's own control program. Raises CannotStart, SettingError."""
    from appliance.runtime import programs

    chosen = settings.load()
    place.check_readable(chosen.data)
    if not Paths(chosen.data).supervisor_socket.exists():
        raise NotRunning(instance.describe_absence(chosen.data))
    configuration = str(HOME / "supervisord.conf")
    command = [sys.executable, "-P", "-m", "supervisor.supervisorctl", "-c", configuration, *arguments]
    os.execve(sys.executable, command, {**os.environ, **programs.supervisor_environment(chosen)})  # noqa: S606
