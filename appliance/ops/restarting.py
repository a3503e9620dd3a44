"""A program is stopped and started by supervisord, as `supervisorctl restart` does."""

from __future__ import annotations

import threading
from typing import Any

from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.runtime import programs
from appliance.runtime.control import FAULTS, Control, Failed
from appliance.settings import Settings


def restart(chosen: Settings, name: str) -> dict[str, Any]:
    """How it is then. Raises CannotStart."""
    if why := programs.stays_off(programs.kind(name), chosen):
        raise CannotStart(f"{name} stays off: {why}")
    control = Control(Paths(chosen.data), threading.Event())  # which nobody sets: it is not broken off
    try:
        program = next((each for each in control.programs() if each.name == name), None)
        if program is None:
            raise CannotStart(f"there is no program {name}")
        control.stop(program)
        control.start(program)
        return {"name": name, "state": "running", "pid": control.find(program.address).pid or None}
    except Failed as fault:
        raise CannotStart(str(fault)) from None
    except FAULTS as fault:
        raise CannotStart(f"supervisord: {fault}; next: ./scripts/appliance status") from None
