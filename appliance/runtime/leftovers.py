"""Ending what a killed supervisor left running, and removing the sockets it left behind.

Only processes that the data folder's own records name are touched, through a pidfd: between looking and
killing the number cannot pass to somebody else.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.runtime import records
from appliance.runtime.records import Record

SUPERVISOR = "supervisord"
PATIENCE = 10.0
"""Seconds between asking and killing."""


def are_there(paths: Paths) -> bool:
    """Whether something of an earlier run still lives."""
    return any(records.find_members(paths, record) for record in records.read_all(paths))


def end(paths: Paths, *, patience: float = PATIENCE) -> list[str]:
    """End what still lives, remove stale sockets; what was done, a line each.

    supervisord goes first, or it would start again what we end. Raises CannotStart for what outlives SIGKILL.
    """
    left = records.read_all(paths)
    first = [record for record in left if record.program == SUPERVISOR]
    rest = [record for record in left if record.program != SUPERVISOR]
    done = _end_all(paths, first, patience) + _end_all(paths, rest, patience)
    for path in paths.pids.glob("*.json"):
        path.unlink(missing_ok=True)
    return done + _remove_sockets(paths)


def end_program(paths: Paths, program: str, *, patience: float = 2.0) -> list[str]:
    """End what still lives of the program's earlier process, which has died; what was done, a line each.

    Raises CannotStart for what outlives SIGKILL.
    """
    return _end_all(paths, [each for each in records.read_all(paths) if each.program == program], patience)


def _end_all(paths: Paths, found: list[Record], patience: float) -> list[str]:
    living = {record: members for record in found if (members := records.find_members(paths, record))}
    if not living:
        return []
    _signal(paths, list(living), signal.SIGTERM)
    if not _wait(lambda: not _alive(paths, found), patience):
        _signal(paths, found, signal.SIGKILL)
        if not _wait(lambda: not _alive(paths, found), PATIENCE):
            pids = " ".join(map(str, _alive(paths, found)))
            raise CannotStart(
                f"processes of an earlier run survive SIGKILL: {pids}; see `ps -o pid,stat,args -p {pids}`"
            )
    return [
        f"ended {record.program} of an earlier run ({', '.join(map(str, sorted(members)))})"
        for record, members in living.items()
    ]


def _alive(paths: Paths, found: list[Record]) -> list[int]:
    return [pid for record in found for pid in records.find_members(paths, record)]


def _signal(paths: Paths, found: list[Record], number: signal.Signals) -> None:
    for record in found:
        for pid in records.find_members(paths, record):
            _signal_one(paths, record, pid, number)


def _signal_one(paths: Paths, record: Record, pid: int, number: signal.Signals) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        # Asked again now that the handle holds this very process.
        if pid in records.find_members(paths, record):
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _remove_sockets(paths: Paths) -> list[str]:
    stale = [path for path in sorted(paths.run.glob("*.sock*")) if path.is_socket()]
    for path in stale:
        path.unlink(missing_ok=True)
    return [f"removed stale sockets: {', '.join(path.name for path in stale)}"] if stale else []
