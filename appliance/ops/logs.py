"""`appliance logs`: the files below logs/ as one stream in the order of time.

Our own programs and nginx write JSON lines. redis, mongo and supervisord write their own, which are shown as
they are. Rotated files (`.1`, `.2` …) are read too.
"""

from __future__ import annotations

import datetime as dt
import heapq
import re
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from appliance import clock, settings
from appliance.addresses import Paths
from appliance.clock import Clock
from appliance.errors import CannotStart
from appliance.ops.log_lines import Line, Parser, Wanted, as_json_line, as_text
from appliance.ops.log_tail import Tail
from appliance.ops.table import shown
from appliance.runtime import place, programs

POLL_SECONDS = 0.2


def run(wanted: Wanted, *, lines: int, follow: bool, as_json: bool) -> int:
    """Print and, if asked, follow until interrupted. Raises CannotStart, SettingError."""
    data = settings.find_data()
    place.check_readable(data)
    folder = Paths(data).logs
    if not folder.is_dir():
        raise CannotStart(f"there are no logs in {folder} yet; next: ./scripts/up")
    check_programs(folder, wanted)
    if not follow:
        if not _show(read(folder, wanted, lines), as_json=as_json):
            print("no line matches", file=sys.stderr)
        return 0
    # Opened before the past is read, and the past ends where it begins: no line is lost or shown twice.
    with Tail(folder, wanted) as tail:
        _show(read(folder, wanted, lines, until=tail.starts), as_json=as_json)
        while True:
            _show(tail.read(), as_json=as_json)
            time.sleep(POLL_SECONDS)


def check_programs(folder: Path, wanted: Wanted) -> None:
    """Raises CannotStart for a name that no log file has and that is no program's either."""
    written = {path.stem for path in folder.glob("*.log")}
    known = written | {re.sub(r"-\d+$", "", name) for name in written} | programs.STOP_SIGNALS.keys()
    for name in wanted.programs:
        if name not in known:
            raise CannotStart(f"there are no logs of {name!r}; there are those of {', '.join(sorted(known))}")


def parse_since(text: str, *, now: Clock = clock.utc_now) -> float:
    """Seconds since 1970 from `90s`, `15m`, `2h`, `3d` ago or an RFC 3339 time. Raises CannotStart."""
    if ago := re.fullmatch(r"(\d{1,9})([smhd])", text):
        unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[ago[2]]
        try:
            return (now() - dt.timedelta(**{unit: int(ago[1])})).timestamp()
        except OverflowError:
            raise CannotStart(f"--since {text}: that is before there were computers") from None
    try:
        return clock.parse_rfc3339(text).timestamp()
    except ValueError:
        raise CannotStart(
            f"--since {text}: give 90s, 15m, 2h, 3d or a time such as 2026-01-31T12:00:00Z"
        ) from None


def read(
    folder: Path, wanted: Wanted, lines: int = 0, *, until: Mapping[Path, int] | None = None
) -> Iterable[Line]:
    """What the files hold, oldest first; the last `lines` of it (0: all; with `since`: all).

    `until` bounds a file to its first bytes.
    """
    sources = _files(folder, wanted)
    merged = heapq.merge(*(_read_program(name, files, wanted, until or {}) for name, files in sources))
    chosen = (line for line in merged if wanted.takes(line))
    return deque(chosen, maxlen=lines) if lines and wanted.since is None else chosen


def newest(folder: Path, wanted: Wanted, most: int) -> list[Line]:
    """The last of those that are wanted, oldest first; never more than so many are held."""
    return list(deque(read(folder, wanted), maxlen=most))


def _files(folder: Path, wanted: Wanted) -> Iterator[tuple[str, list[Path]]]:
    """Each program's files, oldest first."""
    for current in sorted(folder.glob("*.log")):
        if wanted.takes_program(current.stem):
            numbers = sorted((int(path.suffix[1:]) for path in _rotated(current)), reverse=True)
            yield current.stem, [*(Path(f"{current}.{number}") for number in numbers), current]


def _rotated(current: Path) -> Iterator[Path]:
    return (path for path in current.parent.glob(f"{current.name}.*") if path.suffix[1:].isdigit())


def _read_program(name: str, files: list[Path], wanted: Wanted, until: Mapping[Path, int]) -> Iterator[Line]:
    parser: Parser | None = None
    for path in files:
        try:
            if wanted.since is not None and path.stat().st_mtime < wanted.since:
                continue
            with path.open("rb") as raw:
                parser = parser or Parser(name, since=_begun(path))
                for line in raw:
                    if raw.tell() > until.get(path, sys.maxsize):
                        break
                    yield parser.parse(line)
        except FileNotFoundError:
            continue  # rotated away meanwhile


def _begun(path: Path) -> float:
    """When the first line that says so was written; where none does, when the last one was."""
    with path.open("rb") as raw:
        parser = Parser("")
        return next((at for line in raw if (at := parser.parse(line).at)), path.stat().st_mtime)


def _show(lines: Iterable[Line], *, as_json: bool) -> int:
    """How many lines there were."""
    count = 0
    for count, line in enumerate(lines, 1):  # noqa: B007 - wanted after the loop
        sys.stdout.write((as_json_line(line) if as_json else shown(as_text(line).expandtabs())) + "\n")
    sys.stdout.flush()
    return count
