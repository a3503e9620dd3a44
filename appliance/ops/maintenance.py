"""`appliance maintenance on|off|status`: the door is closed to everybody, and told when it opens again.

It opens when somebody opens it, never by itself: who closed it may not be done, however long he thought it
takes.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from typing import Any, Final

from appliance import settings
from appliance.addresses import Paths
from appliance.clock import utc_now
from appliance.errors import CannotStart
from appliance.ops import draining, parent
from appliance.runtime import door, place
from appliance.runtime.door import Closed

END: Final = "./scripts/appliance maintenance off"
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST: Final = 30 * 86400


def on(*, message: str, duration: int | None) -> int:
    """Takes effect with the next request. Raises CannotStart when the data folder cannot be written."""
    close(_paths(), message, duration)
    print(f"maintenance is on; next: {END}, which ends it")
    return 0


def close(paths: Paths, message: str, duration: int | None) -> Closed:
    """Raises CannotStart."""
    try:
        return door.close(paths, utc_now(), message, duration)
    except OSError as fault:
        raise _unwritable(paths, fault) from None


def off() -> int:
    """1 when a queue that a drain has paused could not be resumed. Raises CannotStart."""
    paths = _paths()
    try:
        door.open_again(paths)
    except OSError as fault:
        raise _unwritable(paths, fault) from None
    print("maintenance is off")
    queues = draining.paused(paths)
    if not queues:
        return 0
    if parent.find(paths) is None:
        print(f"what the drain has paused goes on when the appliance is ready: {', '.join(queues)}")
        return 0
    try:
        draining.resume(paths)
    except CannotStart as fault:
        print(f"appliance: {', '.join(queues)} stay paused: {fault}; then again: {END}", file=sys.stderr)
        return 1
    print(f"what the drain has paused goes on: {', '.join(queues)}")
    return 0


def status(*, as_json: bool) -> int:
    """1 while it is on."""
    told = tell(paths := _paths())
    closed = door.find(paths)
    if as_json:
        print(json.dumps(told, indent=2))
    else:
        print("; ".join(describe(closed, told["drained"])) or "maintenance is off")
    return 1 if closed else 0


def tell(paths: Paths) -> dict[str, Any]:
    closed = door.find(paths)
    details = asdict(closed) if closed else asdict(Closed())
    overdue = bool(closed and closed.is_overdue(utc_now()))
    return {
        "maintenance": closed is not None,
        **details,
        "overdue": overdue,
        "drained": draining.paused(paths),
    }


def describe(closed: Closed | None, drained: list[str]) -> list[str]:
    """What there is to say, for people; nothing when all is open."""
    lines = []
    if closed is not None:
        since = f" since {closed.since}" if closed.since else ""
        said = f", and says: {closed.message}" if closed.message else ""
        lines.append(f"maintenance is on{since}: everybody is answered 503{said}")
        if closed.until:
            over = "was to end" if closed.is_overdue(utc_now()) else "is to end"
            lines.append(f"it {over} at {closed.until}")
    if drained:
        lines.append(f"drained: {', '.join(drained)} begin no task")
    return [*lines, f"next: {END}"] if lines else []


def parse_duration(text: str) -> int:
    """Seconds of `90s`, `30m`, `2h`, `1d`. Raises CannotStart."""
    found = re.fullmatch(r"([0-9]{1,7})([smhd])", text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST:
        raise CannotStart(f"{text!r} is no time such as 90s, 30m, 2h or 1d, up to 30d")
    return seconds


def _paths() -> Paths:
    data = settings.find_data()
    place.check_readable(data)
    return Paths(data)


def _unwritable(paths: Paths, fault: OSError) -> CannotStart:
    return CannotStart(
        f"{paths.maintenance}: {fault.strerror}; the appliance's user may, once ./scripts/up has run"
    )
