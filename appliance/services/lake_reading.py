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
from appliance.stores.changes import Grown
from appliance.stores.mongo import NAIVE, Document
from appliance.stores.pages import Span
from appliance.stores.response_windows import windows

if TYPE_CHECKING:
    import pyarrow as pa

OVERLAP = dt.timedelta(minutes=15)
"""Changes this long before the last run are looked at once more: a transaction that was slow to commit."""
_BYTES = 32 * 1024 * 1024
"""Held in memory, as columns, before they are put aside."""


class Taken:
    """Rows on their way: a part in memory, the rest in files."""

    def __init__(self, folder: Path, gone: Collection[str]) -> None:
        self._folder, self._files = folder, list[Path]()
        self._held: list[pa.Table] = []
        self.gone = gone
        """Forms whose responses are left out."""
        self.count = 0
        self.changed: list[str] = []
        """Ids of those that had been there and were edited or deleted."""

    async def add(self, rows: list[Document]) -> None:
        from appliance.analytics import rows as columns

        if wanted := [row for row in rows if row["form_id"] not in self.gone]:
            self._held.append(columns.table(wanted))
            self.count += len(wanted)
        if sum(table.nbytes for table in self._held) >= _BYTES:
            await asyncio.to_thread(self._flush)

    def finish(self) -> list[Path]:
        if self._held:
            self._flush()
        return self._files

    def _flush(self) -> None:
        from appliance.analytics import days

        self._files.append(days.spilled(self._folder, self._held, len(self._files)))
        self._held = []


async def grown_since(context: Context, state: Mapping[str, Any], gone: Collection[str]) -> list[Grown]:
    """The forms that grew since the run that left this state."""
    if state["columns"] is None:  # the first one: nobody has taken marks off yet
        return await changes.grown_of_all(context.db, state["forms"], without=gone)
    return await changes.grown(context.db, state["forms"], without=gone, also=state["again"])


async def came(context: Context, one: Grown) -> AsyncIterator[list[Document]]:
    """The responses of a form that are not known, some at a time."""
    reading = windows(context.db, one.form_id, None, Span(one.after + 1, one.upto), deadlines.start)
    async with contextlib.aclosing(reading):
        async for batch, _ in reading:
            yield bson.decode_all(batch, NAIVE)


async def changed(context: Context, since: str) -> AsyncIterator[list[Document]]:
    """Those that were edited or deleted since a run."""
    async for rows in changes.changed(
        context.db, parse_rfc3339(since) - OVERLAP, lake_tables.soon(utc_now())
    ):
        yield rows
