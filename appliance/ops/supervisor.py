"""What supervisord says of its programs, asked over its Unix socket by XML-RPC."""

from __future__ import annotations

import http.client
import os
import re
import sys
import time
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from appliance import courses
from appliance.addresses import GUARDIAN, Paths
from appliance.courses import Book, Course, Phase
from appliance.errors import CannotStart
from appliance.ops import instance
from appliance.runtime import place, programs, supervisor_socket
from appliance.runtime.guardian import supervision
from appliance.runtime.guardian.health import GRACE
from appliance.runtime.guardian.policy import ATTEMPTS, ENDED
from appliance.settings import HOME

SHUTTING_DOWN = 6
"""supervisor's fault SHUTDOWN_STATE; its module of faults would take long to import."""
_FOR_GROUPS = ("start", "stop", "restart", "signal", "status", "clear")
"""supervisorctl's actions that take `group:*`."""
SILENT_SECONDS = 30.0
"""The guardian looks every second. Longer than its longest turn, shorter than what it is ended after."""


BY_HAND = "stopped by hand"


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
    silent: int | None = None
    """Seconds since the guardian has looked, where that is too long; its process is there all the same."""

    @property
    def is_running(self) -> bool:
        return self.state == "RUNNING" and self.silent is None


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
    kept = courses.read(paths)
    return [describe(paths, row, kept) for row in rows]


def _silence(paths: Paths, row: dict[str, Any]) -> int | None:
    if row["name"] != GUARDIAN or row["statename"] != "RUNNING":
        return None
    try:
        beat = paths.beat(GUARDIAN).stat().st_mtime
    except OSError:
        beat = 0.0
    # supervisord tells whole seconds: within the first one the beat may be another guardian's.
    since, allowed = (beat, SILENT_SECONDS) if beat >= row["start"] + 1 else (row["start"], GRACE)
    silent = time.time() - since
    return round(silent) if silent > allowed else None


def describe(paths: Paths, row: dict[str, Any], kept: Book) -> Program:
    """From supervisord's row and what the guardian keeps."""
    silent = _silence(paths, row)
    running = row["statename"] in ("RUNNING", "STARTING", "STOPPING") and row["pid"]
    course = kept.courses.get(row["name"], Course())
    if silent is not None:
        told = (
            f"has not looked for {silent} s, so nothing is started again; next: {restart_command(GUARDIAN)}"
        )
    else:
        told = _describe(row, course)
    return Program(
        name=row["name"],
        state=row["statename"],
        pid=row["pid"] if running else None,
        uptime=max(0, row["now"] - row["start"]) if running else None,
        restarts=kept.restarts_of(row["name"]),
        detail=told or ("" if running else row["spawnerr"] or row["description"]),
        silent=silent,
    )


def _describe(row: dict[str, Any], course: Course) -> str:
    """Whether it answers, and what the guardian does about one that has ended."""
    if row["statename"] == "RUNNING":
        told = [f"attempt {course.attempts} of {ATTEMPTS}: {course.why}"] if course.attempts else []
        silence = "does not answer" if course.has_answered else "has not answered yet"
        return ", ".join([silence, *told] if course.answers is False else told)
    if row["statename"] == "STOPPED" and row["start"]:
        return f"{BY_HAND}; next: {start_command(row['name'])}"
    if row["statename"] not in ENDED:
        return ""
    if course.phase == Phase.DOWN:
        return f"gave up after {ATTEMPTS} attempts: {course.why}; next: {start_command(row['name'])}"
    if course.phase == Phase.LEFT:
        return f"{BY_HAND}; next: {start_command(row['name'])}"
    if course.phase == Phase.WAITING:
        seconds = max(0, round(course.due - time.monotonic()))
        return f"{course.why}; attempt {course.attempts + 1} of {ATTEMPTS} in {seconds} s"
    return ""


def is_stopped_by_hand(detail: str) -> bool:
    """By what is told of a program."""
    return detail.startswith(BY_HAND)


def full_name(name: str) -> str:
    """As supervisord wants it: with the group."""
    return f"api:{name}" if re.fullmatch(r"api-\d+", name) else name


def expand(arguments: Sequence[str]) -> list[str]:
    """supervisorctl's arguments, where `api-1` and `api` may stand for `api:api-1` and `api:*`."""
    action, names = list(arguments[:1]), arguments[1:]
    if action and action[0] in _FOR_GROUPS:
        names = ["api:*" if name == "api" else name for name in names]
    return action + [full_name(name) for name in names]


def start_command(*names: str) -> str:
    return f"./scripts/supervisorctl start {' '.join(names)}"


def restart_command(name: str) -> str:
    return f"./scripts/supervisorctl restart {name}"


def become_supervisorctl(arguments: Sequence[str]) -> NoReturn:
    """Replace this process by supervisor's own control program. Raises CannotStart, SettingError."""
    chosen = instance.load()
    place.check_readable(chosen.data)
    if not Paths(chosen.data).supervisor_socket.exists():
        raise NotRunning(instance.describe_absence(chosen.data))
    arguments = expand(arguments)
    if arguments[:1] == ["stop"]:
        _leave(Paths(chosen.data), arguments[1:])
    configuration = str(HOME / "supervisord.conf")
    command = [sys.executable, "-P", "-m", "supervisor.supervisorctl", "-c", configuration, *arguments]
    os.execve(sys.executable, command, {**os.environ, **programs.supervisor_environment(chosen)})  # noqa: S606


def _leave(paths: Paths, names: Sequence[str]) -> None:
    """Of what has ended supervisord only says that it does not run: the guardian must hear of it itself."""
    asked = supervision.Supervision(paths)
    try:
        for name, row in asked.rows().items():
            group = row.full_name.partition(":")[0]
            if row.seen.state in ENDED and {"all", f"{group}:*", row.full_name} & set(names):
                asked.leave(name, row.seen)
                print(f"{name} is not started again until {start_command(name)}", flush=True)
    except supervision.FAULTS as fault:
        raise NotRunning(f"{paths.supervisor_socket}: {fault}; next: ./scripts/up") from None
