"""A program is stopped and started by supervisord, as `supervisorctl restart` does."""

from __future__ import annotations

import time
import xmlrpc.client
from typing import Any, Final

from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.ops.supervisor import start_command
from appliance.runtime import programs, supervisor_socket
from appliance.runtime.guardian import supervision
from appliance.runtime.guardian.supervision import Row, Supervision
from appliance.settings import Settings

_LOOK: Final = 0.1
_STOP_SECONDS: Final = 40.0
"""supervisord kills after at most 25 (supervisord.conf)."""
_START_SECONDS: Final = 10.0
_GONE: Final = ("STOPPED", "EXITED", "FATAL")
_NOT_RUNNING: Final = 70
"""supervisor's fault: what is not there need not be stopped."""


def restart(chosen: Settings, name: str) -> dict[str, Any]:
    """How it is then. Raises CannotStart."""
    if why := programs.stays_off(programs.kind(name), chosen):
        raise CannotStart(f"{name} stays off: {why}")
    paths = Paths(chosen.data)
    asked = Supervision(paths)
    try:
        row = _row(asked, name)
        _stop(paths, row.full_name)
        row = _wait(asked, name, _GONE, _STOP_SECONDS)
        _start(asked, row.full_name)
        row = _wait(asked, name, ("RUNNING",), _START_SECONDS)
    except supervision.FAULTS as fault:
        raise CannotStart(f"supervisord: {fault}; next: ./scripts/appliance status") from None
    return {"name": name, "state": "running", "pid": row.seen.pid or None}


def _row(asked: Supervision, name: str) -> Row:
    row = asked.rows().get(name)
    if row is None:
        raise CannotStart(f"there is no program {name}")
    return row


def _stop(paths: Paths, full_name: str) -> None:
    """Without waiting for it."""
    with supervisor_socket.connect(paths) as proxy:
        try:
            proxy.supervisor.stopProcess(full_name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != _NOT_RUNNING:
                raise


def _start(asked: Supervision, full_name: str) -> None:
    """The guardian may have been faster, where it had ended by itself."""
    try:
        asked.start(full_name)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode != supervision.ALREADY_STARTED:
            raise


def _wait(asked: Supervision, name: str, states: tuple[str, ...], seconds: float) -> Row:
    deadline = time.monotonic() + seconds
    while (row := _row(asked, name)).seen.state not in states:
        if time.monotonic() > deadline:
            raise CannotStart(f"{name} is {row.seen.state.lower()}; next: {start_command(name)}")
        time.sleep(_LOOK)
    return row
