"""Reading what the lake does not have yet: responses that came, were edited or deleted since its last run."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bson

from appliance.clock import parse_rfc3339, utc_now
from appliance.services import deadlines, lake_tables
from appliance.services.context import Context
from appliance.stores import changes
from appliance.stores.changes import Grown, Sized
from appliance.stores.mongo import NAIVE, Document
from appliance.stores.pages import Span
from appliance.stores.response_windows import windows

if TYPE_CHECKING:
    import pyarrow as pa

    from appliance.analytics.days import Spill

OVERLAP = dt.timedelta(minutes=15)
"""Changes this long before the last run are looked at once more: a transaction that was slow to commit."""
_BYTES = 32 * 1024 * 1024
"""Held in memory, as columns, before they are put aside."""
_ROWS = 1_000
"""Documents that become columns together: a table a form would take long with thousands of small ones."""


class Taken:
    """Rows on their way: a part in memory, the rest in files."""

    def __init__(self, folder: Path, gone: Collection[str]) -> None:
        self._folder, self._rows = folder, list[Document]()
        self._held: list[pa.Table] = []
        self._files: list[Spill] = []
        self._size = 0
        """Bytes of what is held, as it came."""
        self.gone = gone
        """Forms whose responses are left out."""
        self.count = 0
        self.changed: list[str] = []
        """Ids of those that had been there and were edited or deleted."""

    async def add(self, rows: list[Document], size: int) -> None:
        """`size` in bytes, as they came."""
        wanted = [row for row in rows if row["form_id"] not in self.gone]
        self._rows += wanted
        self.count += len(wanted)
        self._size += size
        if len(self._rows) >= _ROWS or self._size >= _BYTES:
            self._make_columns()
        if self._size >= _BYTES:
            await asyncio.to_thread(self._flush)

    def finish(self) -> list[Spill]:
        self._make_columns()
        self._flush()
        return self._files

    def _make_columns(self) -> None:
        from appliance.analytics import rows as columns

        if self._rows:
            self._held.append(columns.table(self._rows))
            self._rows = []

    def _flush(self) -> None:
        from appliance.analytics import days

        if self._held:
            self._files.append(days.spilled(self._folder, self._held, len(self._files)))
        self._held, self._size = [], 0


async def grown_since(context: Context, state: Mapping[str, Any], gone: Collection[str]) -> list[Grown]:
    """The forms that grew since the run that left this state."""
    if state["columns"] is None:  # the first one: nobody has taken marks off yet
        return await changes.grown_of_all(context.db, state["forms"], without=gone)
    return await changes.grown(context.db, state["forms"], without=gone, also=state["again"])


async def came(context: Context, one: Grown) -> AsyncIterator[Sized]:
    """The responses of a form that are not known, some at a time."""
    reading = windows(context.db, one.form_id, None, Span(one.after + 1, one.upto), deadlines.start)
    async with contextlib.aclosing(reading):
        async for batch, _ in reading:
            yield bson.decode_all(batch, NAIVE), len(batch)


async def changed(context: Context, since: str) -> AsyncIterator[Sized]:
    """Those that were edited or deleted since a run."""
    async for piece in changes.changed(
        context.db, parse_rfc3339(since) - OVERLAP, lake_tables.soon(utc_now())
    ):
        yield piece
