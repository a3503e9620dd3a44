"""Bringing the lake up to date: what came and what changed since the last run, into the days that it is of.

Contract: whatever was acknowledged before the run began is in the lake after it. A run that is killed leaves
each day as it was or as it is to be, and is made good by the next one. One run at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import bson

from appliance import disk
from appliance.addresses import Paths
from appliance.clock import parse_rfc3339, rfc3339, utc_now
from appliance.errors import Conflict, NotFound
from appliance.services import deadlines, export_making
from appliance.services.context import Context
from appliance.stores import changes
from appliance.stores.changes import Grown
from appliance.stores.mongo import AWARE, Document
from appliance.stores.pages import Span
from appliance.stores.response_windows import windows

if TYPE_CHECKING:
    from appliance.analytics.engine import Connection
    from appliance.analytics.hot import Hot
    from appliance.analytics.lake import Lake

OVERLAP = dt.timedelta(minutes=15)
"""Changes this long before the last run are looked at once more: a transaction that was slow to commit."""
_ROWS = 20_000
"""Held in memory at most, some 40 MB, before they are put aside."""

Told = Callable[[int, int], None]
"""How many responses have been taken in, and of how many."""


class Summary(NamedTuple):
    """Of a run."""

    as_of: dt.datetime
    responses: int
    """That were new or had changed."""
    days: int
    """That were written anew."""
    seconds: float


async def run(context: Context, told: Told = lambda done, total: None) -> Summary:
    """Raises Conflict while another run is under way, PyMongoError, OSError."""
    from appliance.analytics import engine
    from appliance.analytics.lake import Lake

    lake = Lake(Paths(context.settings.data).lake)
    lake.folder.mkdir(parents=True, exist_ok=True)
    with disk.only_one(lake.folder) as alone:
        if not alone:
            raise Conflict("The analytics are being brought up to date already.")
        begun, started = utc_now(), time.monotonic()
        state = lake.state()
        with lake.working() as folder:
            taken = _Taken(folder)
            forms = await _take_new(context, state["forms"], taken, told)
            async for rows in changed(context, state["changed"]):
                await taken.add(rows)
            with engine.opened(lake.folder) as connection:
                days = await _write(context, connection, lake, await asyncio.to_thread(taken.finish))
        lake.save(
            {**state, "forms": state["forms"] | forms, "changed": rfc3339(begun), "as_of": rfc3339(begun)}
        )
    return Summary(begun, taken.count, days, time.monotonic() - started)


class _Taken:
    """Rows on their way: a part in memory, the rest in files."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._rows, self._files = folder, list[Document](), list[Path]()
        self.count = 0

    async def add(self, rows: list[Document]) -> None:
        self._rows += rows
        self.count += len(rows)
        if len(self._rows) >= _ROWS:
            await asyncio.to_thread(self._flush)

    def finish(self) -> list[Path]:
        if self._rows:
            self._flush()
        return self._files

    def _flush(self) -> None:
        from appliance.analytics import days, rows

        self._files.append(days.spilled(self._folder, rows.table(self._rows), len(self._files)))
        self._rows = []


async def _take_new(context: Context, known: dict[str, int], taken: _Taken, told: Told) -> dict[str, int]:
    """Up to which number each form is in wholly then."""
    grown = await changes.grown(context.db, known)
    total = sum(one.upto - one.after for one in grown)
    done = 0
    for one in grown:
        async for rows in came(context, one):
            context.space.check()
            await taken.add(rows)
        done += one.upto - one.after
        told(done, total)
    return {one.form_id: one.whole for one in grown}


async def came(context: Context, one: Grown) -> AsyncIterator[list[Document]]:
    """The responses of a form that are not known, some at a time."""
    reading = windows(context.db, one.form_id, None, Span(one.after + 1, one.upto), deadlines.start)
    async with contextlib.aclosing(reading):
        async for batch, _ in reading:
            yield bson.decode_all(batch, AWARE)


async def changed(context: Context, since: str | None) -> AsyncIterator[list[Document]]:
    """Those that were changed since a run; without one all is new, and nothing changed."""
    if since is not None:
        async for rows in changes.changed(context.db, parse_rfc3339(since) - OVERLAP):
            yield rows


async def _write(context: Context, connection: Connection, lake: Lake, spills: list[Path]) -> int:
    """The days that changed, and those whose questions have other columns now; how many."""
    from appliance.analytics import days

    columns = _Columns(context)
    touched = await asyncio.to_thread(days.touched, connection, spills)
    for day in touched:
        often = await asyncio.to_thread(days.often, connection, lake, day, spills)
        found = {form: await columns.of(form) for form in often}
        await asyncio.to_thread(days.write, connection, lake, day, spills, found)
    stale = [day for day in lake.days() if day not in touched and await columns.differ(lake.day(day))]
    for day in stale:
        found = {form: await columns.of(form) for form in days.metadata(lake.day(day))}
        await asyncio.to_thread(days.write, connection, lake, day, [], found)
    return len(touched) + len(stale)


class _Columns:
    """The typed columns of forms, each looked up once a run."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[str, tuple[Hot, ...]] = {}

    async def of(self, form_id: str) -> tuple[Hot, ...]:
        """None of a form that is gone."""
        from appliance.analytics import hot

        if form_id not in self._known:
            try:
                found = await export_making.columns_of(self._context, form_id)
                self._known[form_id] = hot.columns(found)
            except NotFound:
                self._known[form_id] = ()
        return self._known[form_id]

    async def differ(self, file: Path) -> bool:
        from appliance.analytics import days, hot

        for form, mark in days.metadata(file).items():
            if hot.fingerprint(await self.of(form)) != mark:
                return True
        return False
