"""The lake's folder: a Parquet file for each day (UTC) on which responses came, and how far it goes.

    lake/responses/date=2026-11-27/responses.parquet
    lake/responses/date=2026-08/responses.parquet, a month that is over (`months`)
    lake/forms/forms.parquet, and other tables (`tables`)
    lake/state.json

Contract: a file is written beside, fsynced and renamed, so whoever reads, also with other tools, finds each
day whole: as it was or as it is. How far the lake goes is written last. A run that was killed is run again
over the same changes and comes to the same bytes.
"""

from __future__ import annotations

import calendar
import contextlib
import datetime as dt
import filecmp
import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from appliance import disk
from appliance.analytics.hot import text

NAME: Final = "responses.parquet"
_NAME: Final = re.compile(r"\d{4}-\d{2}(-\d{2})?")
"""Of our own: what others put there is none of the lake's."""
_VERSION: Final = 1
_ABANDONED: Final = 3600.0
"""Seconds after which nobody writes to a file that DuckDB put aside."""
_NOTHING: Final[dict[str, Any]] = {
    "forms": {}, "changed": None, "as_of": None, "gone": [], "again": [],
    "checked": ["", 0], "columns": None,
}  # fmt: skip


class Period(NamedTuple):
    """What one file has the responses of: a day, or a whole month."""

    first: dt.date
    last: dt.date

    @property
    def name(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first:%Y-%m}"


def day(date: dt.date) -> Period:
    return Period(date, date)


def month(date: dt.date) -> Period:
    """Which the day is of."""
    return Period(date.replace(day=1), date.replace(day=calendar.monthrange(date.year, date.month)[1]))


def named(name: str) -> Period:
    """Raises ValueError."""
    return day(dt.date.fromisoformat(name)) if len(name) > 7 else month(dt.date.fromisoformat(f"{name}-01"))


class Lake:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.responses = folder / "responses"
        self.work = folder / ".work"
        """Of the run under way; nobody else reads there."""
        self.spill = folder / ".spill"
        """What DuckDB puts aside, of a run or of a question."""
        self.renewed = folder / ".renewed"
        """What is to be `responses`, as long as it is made (`months`)."""
        self._state = folder / "state.json"
        self._last = folder / "last.json"
        self._due = folder / "due.json"

    @property
    def pattern(self) -> str:
        """What DuckDB, pandas, Polars and Spark read: all days."""
        return str(self.responses / "*" / NAME)

    @property
    def source(self) -> str:
        """The same, in SQL. There must be a day."""
        return f"read_parquet({text(self.pattern)}, union_by_name = true)"

    def table(self, name: str) -> Path:
        """Of the tables beside `responses`; it may not be there."""
        return self.folder / name / f"{name}.parquet"

    def file(self, period: Period) -> Path:
        return self.responses / f"date={period.name}" / NAME

    def period(self, date: dt.date) -> Period:
        """The file that has the responses of a day, or would have."""
        whole = month(date)
        return whole if self.file(whole).exists() else day(date)

    @property
    def is_empty(self) -> bool:
        return next(self.responses.glob(f"*/{NAME}"), None) is None

    def periods(self) -> list[Period]:
        """In their order."""
        found = set[Period]()
        for path in self.responses.glob(f"*/{NAME}"):
            name = path.parent.name.removeprefix("date=")
            if _NAME.fullmatch(name):
                with contextlib.suppress(ValueError):  # of no day that there is: somebody else's
                    found.add(named(name))
        return sorted(found)

    def state(self) -> dict[str, Any]:
        """`forms`: up to which number each is in wholly; `changed`: up to when changes are; `as_of`; `gone`:
        forms that were deleted and have left; `again`: forms that are to be read anew, as they were not what
        the database has; `checked`: up to which form and number all were compared; `columns`: by period
        and form, the fingerprint of its typed columns, None when nobody knows.

        Raises ValueError when the file is none of ours.
        """
        found: Any
        try:
            found = json.loads(self._state.read_bytes())
        except FileNotFoundError:
            found = {"version": _VERSION}
        if isinstance(found, dict) and found.get("version") == _VERSION:
            return {**_NOTHING, **found}
        raise ValueError(
            f"{self._state} was written by another version; next: ./scripts/appliance lake rebuild"
        )

    def save(self, state: dict[str, Any]) -> None:
        disk.write_durably(self._state, _json(state))

    def last_run(self) -> dict[str, float]:
        """What it told, in numbers; empty before the first one."""
        try:
            found: dict[str, float] = json.loads(self._last.read_bytes())
        except FileNotFoundError:
            return {}
        return found

    def tell(self, numbers: dict[str, float]) -> None:
        """Of the run that has ended."""
        disk.write_durably(self._last, _json(numbers))

    def due(self) -> float | None:
        """The last of its times that has come, in seconds since 1970; None before the first one."""
        try:
            found: float = json.loads(self._due.read_bytes())["at"]
        except FileNotFoundError:
            return None
        return found

    def note_due(self, at: float) -> None:
        disk.write_durably(self._due, _json({"at": at}))

    @contextmanager
    def working(self) -> Iterator[Path]:
        """An empty folder for a run, gone after it."""
        self._tidy()
        self.work.mkdir(parents=True)
        try:
            yield self.work
        finally:
            shutil.rmtree(self.work, ignore_errors=True)

    def _tidy(self) -> None:
        """Away with what a run left that was killed."""
        for left in (self.work, self.renewed):
            shutil.rmtree(left, ignore_errors=True)
        drafts = ("*/.*.new", "responses/*/.*.new", ".*.tmp")
        for draft in [path for pattern in drafts for path in self.folder.glob(pattern)]:
            draft.unlink(missing_ok=True)
        old = time.time() - _ABANDONED
        for path in self.spill.glob("*"):
            with contextlib.suppress(OSError):  # somebody else's goes with its question
                if path.stat().st_mtime < old:
                    path.unlink()

    def clear(self) -> None:
        """Away with all of it; the next run makes it anew. The state goes first: it says what is there."""
        for path in (self._state, self._last):
            path.unlink(missing_ok=True)
        disk.sync_folder(self.folder)
        for folder in self.folder.iterdir():
            if folder.is_dir() and folder != self.spill:
                shutil.rmtree(folder)

    def drop(self, period: Period) -> None:
        """That nothing is left of."""
        shutil.rmtree(self.file(period).parent, ignore_errors=True)
        if self.responses.exists():
            disk.sync_folder(self.responses)


@contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """The name to write to; what is there at the end takes the place of `path`, or nothing does. The same
    bytes leave it alone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    try:
        yield beside
        if path.exists() and filecmp.cmp(beside, path, shallow=False):
            return
        disk.move_durably(beside, path)
        disk.sync_folder(path.parent.parent)
    finally:
        beside.unlink(missing_ok=True)


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
