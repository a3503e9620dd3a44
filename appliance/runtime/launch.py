"""`appliance launch NAME`: what supervisord runs for every program.

Records the process, ties it to its supervisor's life, holds it to its part of the budget, waits for what
the program cannot start without, removes its stale socket, builds its own environment from a list of allowed
names and becomes it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from appliance import processes, settings
from appliance.addresses import GUARDIAN, Paths
from appliance.errors import CannotStart
from appliance.runtime import confinement, leftovers, monitoring, programs, records
from appliance.settings import HOME, Settings

# glibc gives each thread that allocates an arena of its own, up to eight a core, and none gives memory back.
FRUGAL = {"MALLOC_ARENA_MAX": "2"}
# Which secrets among the settings a program of ours has a use for; it is not told the others.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "api": ("MONGODB_URI", "REDIS_URL", "SECRET_KEY", "SMTP_URL"),
    "worker-high": ("MONGODB_URI", "REDIS_URL", "SMTP_URL"),
    "worker-default": ("MONGODB_URI", "REDIS_URL", "SMTP_URL"),
    "worker-ai": ("MONGODB_URI", "REDIS_URL"),
    "scheduler": ("MONGODB_URI", "REDIS_URL"),
    GUARDIAN: ("MONGODB_URI", "REDIS_URL"),  # for the child that writes its alerts
}
# What any program may know of its surroundings.
BASE = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class Start:
    """How a program is started."""

    command: list[str]
    ours: bool = False
    socket: Path | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


def launch(name: str) -> None:
    """Become the program. Returns only when there is nothing to run. Raises CannotStart, SettingError."""
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # asked to stop while waiting: no traceback
    kind = programs.kind(name)
    chosen = settings.load()
    paths = Paths(chosen.data)
    _check_parent(paths, parent)
    if why := programs.stays_off(kind, chosen):
        _say(f"{name} stays off: {why}")
        return
    os.chdir(paths.run)  # the mark by which leftovers are known
    # Killed by itself, a program may leave children that hold its ports: nginx does.
    for line in leftovers.end_program(paths, name):
        _say(line)
    records.write(paths, name)
    # First, so that one who waits for a server or bootstraps one does not outlive its supervisor either.
    processes.die_with_parent(programs.STOP_SIGNALS[kind], parent)
    for line in confinement.confine(name, paths):
        _say(line)
    start = _start(name, kind, chosen, paths)
    if start.socket:
        start.socket.unlink(missing_ok=True)
    environment = _environment(os.environ, start, name)
    _become(start.command, environment)


def _say(line: str) -> None:
    """Into the program's log. Not on stdout: the guardian's speaks with supervisord."""
    print(line, file=sys.stderr, flush=True)


def _become(command: list[str], environment: dict[str, str]) -> NoReturn:
    try:
        os.execve(command[0], command, environment)  # noqa: S606
    except OSError as fault:
        raise CannotStart(f"{command[0]}: {fault.strerror}; run ./scripts/up, which installs it") from None


def _check_parent(paths: Paths, parent: int) -> None:
    """A supervisor that was killed just now is not our parent any more, and nothing would ever end us."""
    if "SUPERVISOR_ENABLED" not in os.environ:
        return  # by hand
    try:
        supervisor = int((paths.run / "supervisord.pid").read_text())
    except (OSError, ValueError):
        return  # being written
    if supervisor != parent:
        raise CannotStart(f"the supervisor {supervisor} is gone; run ./scripts/up")


def _start(name: str, kind: str, chosen: Settings, paths: Paths) -> Start:
    if kind == "nginx":
        return _nginx(chosen, paths)
    if kind == "redis":
        return _redis(chosen, paths)
    if kind == "mongo":
        from appliance.runtime import mongo

        return Start(mongo.prepare(paths, chosen))
    if kind == "api":
        return _api(name, paths)
    if kind in monitoring.PROGRAMS:
        command = [which(monitoring.BINARIES[kind]), *monitoring.command(kind, chosen, paths)]
        return Start(command, extra=monitoring.environment(kind))
    if kind == GUARDIAN:
        return Start([sys.executable, "-P", "-m", "appliance.runtime.guardian"], ours=True)
    return _task_program(name, chosen)


def _nginx(chosen: Settings, paths: Paths) -> Start:
    from appliance.runtime import rendering, serving

    for line in serving.settle(chosen):  # what has changed while it was stopped
        _say(line)
    config = rendering.nginx(chosen)
    # -e: before it has read its configuration it would open the system's own error log.
    command = [which("nginx"), "-e", "stderr", "-p", str(paths.run), "-c", str(config)]
    return Start(command, socket=paths.nginx_socket, extra={"TZ": "UTC"})


def _redis(chosen: Settings, paths: Paths) -> Start:
    from appliance.runtime import rendering

    return Start([which("redis-server"), str(rendering.redis(chosen))], socket=paths.redis_socket)


def _api(name: str, paths: Paths) -> Start:
    socket = paths.api_socket(int(name.removeprefix("api-")))
    command = [
        sys.executable, "-P", "-m", "granian", "--interface", "asgi", "--factory", "--loop", "uvloop",
        # 0o: `660` alone is taken as decimal
        "--uds", str(socket), "--uds-permissions", "0o660", "--backlog", "2048",
        "--workers", "1", "--respawn-failed-workers", "--workers-kill-timeout", "20", "--no-ws",
        "--log-config", str(HOME / "appliance" / "runtime" / "granian-log.json"),
        "appliance.serve:create_app",
    ]  # fmt: skip
    return Start(command, ours=True, socket=socket)


def _task_program(name: str, chosen: Settings) -> Start:
    from appliance.runtime import waits

    if name == "worker-ai":
        waits.for_models(name)
    waits.for_stores(name, chosen)
    share = programs.budget_of(chosen).find_share_of(name)
    count = str(share.processes if share else 1)
    return Start([sys.executable, "-P", "-m", "appliance.tasks", name, count], ours=True)


def which(program: str) -> str:
    """The program's path. Raises CannotStart."""
    # Debian keeps servers in sbin, which a plain user's PATH lacks.
    places = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    found = shutil.which(program, path=places)
    if not found:
        raise CannotStart(f"there is no {program}; run ./scripts/up, which installs it")
    return found


def _environment(environ: Mapping[str, str], start: Start, name: str) -> dict[str, str]:
    """Our own programs get the settings, and of the secrets those that they need; the servers of others have
    no use for any.
    """
    allowed = list(BASE)
    extra = dict(start.extra)
    if start.ours:
        needed = NEEDS[programs.kind(name)]
        for row in settings.rows().values():
            if row.secret and row.name not in needed:
                extra[row.name] = ""  # rather than what a file may say: it counts as not given
            else:
                allowed += [row.name, f"{row.name}_FILE"]
        allowed += [settings.HELD, settings.HELD_SECRETS]
        extra |= {"APPLIANCE_PROGRAM": name, "PYTHONPATH": str(HOME), "PYTHONUNBUFFERED": "1"}
        extra |= FRUGAL
    return {key: environ[key] for key in allowed if key in environ} | extra
