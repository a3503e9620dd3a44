"""The lake's folder: a Parquet file for each day (UTC) on which responses came, and how far it goes.

    lake/responses/date=2026-11-27/responses.parquet
    lake/state.json

Contract: a file is written beside, fsynced and renamed, so whoever reads, also with other tools, finds each
day whole: as it was or as it is. How far the lake goes is written last. A run that was killed is run again
over the same changes and comes to the same bytes.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from appliance import disk

NAME: Final = "responses.parquet"
_VERSION: Final = 1


class Lake:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.responses = folder / "responses"
        self.work = folder / ".work"
        """Of the run under way; nobody else reads there."""
        self._state = folder / "state.json"

    @property
    def pattern(self) -> str:
        """What DuckDB, pandas, Polars and Spark read: all days."""
        return str(self.responses / "*" / NAME)

    def day(self, date: dt.date) -> Path:
        return self.responses / f"date={date:%Y-%m-%d}" / NAME

    def days(self) -> list[dt.date]:
        """In their order."""
        found = (path.parent.name.removeprefix("date=") for path in self.responses.glob(f"*/{NAME}"))
        return sorted(dt.date.fromisoformat(name) for name in found)

    def state(self) -> dict[str, Any]:
        """`forms`: up to which number each is in wholly; `changed`: up to when changes are; `as_of`.

        Raises ValueError when the file is none of ours.
        """
        found: Any
        try:
            found = json.loads(self._state.read_bytes())
        except FileNotFoundError:
            found = {"version": _VERSION, "forms": {}, "changed": None, "as_of": None}
        if isinstance(found, dict) and found.get("version") == _VERSION:
            return found
        raise ValueError(f"{self._state} was written by another version; next: appliance lake rebuild")

    def save(self, state: dict[str, Any]) -> None:
        raw = json.dumps(state, sort_keys=True, separators=(",", ":")).encode()
        disk.write_durably(self._state, raw)

    @contextmanager
    def working(self) -> Iterator[Path]:
        """An empty folder for a run, gone after it."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        try:
            yield self.work
        finally:
            shutil.rmtree(self.work, ignore_errors=True)

    def drop(self, date: dt.date) -> None:
        """A day that nothing is left of."""
        shutil.rmtree(self.day(date).parent, ignore_errors=True)
        if self.responses.exists():
            disk.sync_folder(self.responses)


@contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """The name to write to; what is there at the end takes the place of `path`, or nothing does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    try:
        yield beside
        disk.move_durably(beside, path)
        disk.sync_folder(path.parent.parent)
    finally:
        beside.unlink(missing_ok=True)
