"""Maintenance: while `run/maintenance` is there, nginx answers everybody but the probes with 503.

What it says is in a path, since nginx reads no file but can tell where a link leads to (`$realpath_root`):
`run/closed` leads to `run/door/retry-SECONDS/html-TEXT/json-TEXT`, in which a text is written as its kind of
answer needs it. So a change counts from the next request on, and nothing is reloaded. `up` lets the seconds
go down.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import html
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from appliance import clock
from appliance.addresses import Paths
from appliance.disk import write_durably
from appliance.errors import CannotStart

RETRY: Final = 60
"""Seconds after which others come again, when nobody has said for how long it is closed."""
_LONGEST: Final = 250
"""Bytes of a text as it is written: with what stands before it a name may have 255."""


@dataclass(frozen=True, slots=True)
class Closed:
    since: str = ""
    """RFC 3339; empty when somebody has made the file by hand."""
    until: str | None = None
    """When it is said to end. It does not end by itself: whoever closed it may not be done."""
    message: str = ""

    def is_overdue(self, now: dt.datetime) -> bool:
        return self.until is not None and clock.parse_rfc3339(self.until) < now


def close(paths: Paths, now: dt.datetime, message: str = "", seconds: int | None = None) -> Closed:
    """From the next request on. Raises CannotStart for a message that cannot be said, OSError."""
    if any("\ud800" <= each <= "\udfff" for each in message):
        raise CannotStart(
            "the message is not UTF-8, which the page and the answers are; next: say it in UTF-8"
        )
    until = clock.rfc3339(now + dt.timedelta(seconds=seconds)) if seconds is not None else None
    closed = Closed(clock.rfc3339(now), until, " ".join(message.split()))
    if (longest := max(map(_bytes, _texts(closed.message)))) > _LONGEST:
        raise CannotStart(
            f"the message takes {longest} bytes, with what has to be escaped in it, and may take {_LONGEST};"
            " next: say it shorter"
        )
    paths.run.stat()  # made by a start, never here
    _show(paths, closed, now)
    write_durably(paths.maintenance, json.dumps(asdict(closed)))
    return closed


def open_again(paths: Paths) -> None:
    """From the next request on. Raises OSError."""
    paths.maintenance.unlink(missing_ok=True)


def find(paths: Paths) -> Closed | None:
    """None while it is open."""
    try:
        told = paths.maintenance.read_text()
    except FileNotFoundError:
        return None
    try:
        return Closed(**json.loads(told))
    except (ValueError, TypeError):
        return Closed()


def refresh(paths: Paths, now: dt.datetime) -> None:
    """As far as the time has gone on. What nginx is told has to be there before it starts. Raises OSError."""
    _show(paths, find(paths) or Closed(), now)


def _show(paths: Paths, closed: Closed, now: dt.datetime) -> None:
    shown, others = _shown(paths, closed, now), paths.run / "door"
    with contextlib.suppress(OSError):
        if paths.closed.readlink() == shown:
            return
    shown.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = paths.closed.with_name(f".closed.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.symlink_to(shown)
    draft.replace(paths.closed)
    for folder in others.iterdir():
        if not shown.is_relative_to(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _shown(paths: Paths, closed: Closed, now: dt.datetime) -> Path:
    page, program = _texts(closed.message)
    return paths.run / "door" / f"retry-{_retry(closed, now)}" / f"html-{page}" / f"json-{program}"


def _texts(message: str) -> tuple[str, str]:
    """As a page says it, and as a string of JSON does; neither holds a slash."""
    return html.escape(message).replace("/", "&#47;"), json.dumps(message, ensure_ascii=False)[1:-1].replace(
        "/", "\\u002f"
    )


def _retry(closed: Closed, now: dt.datetime) -> int:
    """Seconds, rounded up, so that not every second changes them."""
    if closed.until is None or closed.is_overdue(now):
        return RETRY
    left = (clock.parse_rfc3339(closed.until) - now).total_seconds()
    step = 10 if left < 2 * RETRY else RETRY
    return max(step, int(-(-left // step)) * step)


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogateescape"))
