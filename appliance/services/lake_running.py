"""Bringing the lake up to date: what came and what changed since the last run, into the days that it is of.

Contract: whatever was acknowledged before the run began is in the lake after it. A run that is killed leaves
each day and table as it was or as it is to be, and is made good by the next one. One run at a time. What is
held in memory does not grow with the responses.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from appliance import disk
from appliance.addresses import Paths
from appliance.clock import parse_rfc3339, rfc3339, utc_now
from appliance.errors import Conflict
from appliance.services import lake_days, lake_drift, lake_reading, lake_tables
from appliance.services.context import Context
from appliance.services.lake_reading import Taken
from appliance.services.lake_tables import Forms, Place
from appliance.stores import changes, purged
from appliance.stores.changes import Grown

if TYPE_CHECKING:
    from appliance.analytics.lake import Lake

_HEARD = dt.timedelta(days=1)
"""For so long, what was purged is looked at again: well beyond `lake_reading.OVERLAP`."""

Told = Callable[[int, int], None]
"""How many responses have been taken in, and of how many."""


class Summary(NamedTuple):
    """Of a run."""

    as_of: dt.datetime
    responses: int
    """That were new or had changed."""
    days: int
    """That were written anew."""
    bytes: int
    """Of these days."""
    tables: dict[str, int]
    """Rows of each table."""
    drift: int
    """Responses that are not in the lake as the database has them; they are read anew by the next run."""
    compared: int
    """Responses that were compared one by one; of forms that grew, their number is compared."""
    seconds: float
    steps: dict[str, float]
    """Seconds of each."""


async def run(context: Context, told: Told = lambda done, total: None) -> Summary:
    """Raises Conflict while another run is under way, PyMongoError, OSError, ValueError."""
    from appliance.analytics import engine
    from appliance.analytics.lake import Lake

    lake = Lake(Paths(context.settings.data).lake)
    lake.folder.mkdir(parents=True, exist_ok=True)
    with disk.only_one(lake.folder) as alone:
        if not alone:
            raise Conflict("The analytics are being brought up to date already.")
        with lake.working() as folder:
            try:
                return await _Run(context, lake, folder).work(told)
            except engine.Fault as fault:
                why = str(fault).partition("\n")[0][:300]
                raise OSError(f"DuckDB: {why}; next: ./scripts/appliance lake verify") from fault


class _Steps:
    """How long each took."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 3)

    def all(self) -> float:
        return time.monotonic() - self._started


class _Run:
    """One run, from what the last one left to what the next one finds."""

    def __init__(self, context: Context, lake: Lake, folder: Path) -> None:
        self._context, self._lake, self._folder = context, lake, folder
        self._begun, self._steps = utc_now(), _Steps()
        self._state = lake.state()
        last = self._state["changed"]
        self._since = None if last is None else parse_rfc3339(last) - lake_reading.OVERLAP

    async def work(self, told: Told) -> Summary:
        from appliance.analytics import engine

        state, step = self._state, self._steps
        with step("forms"):
            forms = await lake_tables.read_forms(
                self._context, self._lake, self._folder, self._since, self._begun, state["gone"]
            )
            without = self._make_room(forms.gone)
        with step("responses"):
            taken = Taken(self._folder, forms.gone)
            grown = await self._take(taken, told)
        with engine.opened(self._lake.folder) as connection:
            place = lake_tables.Place(self._context, connection, self._lake, self._folder)
            writer = lake_days.Writer(place, state["columns"])
            with step("days"):
                await writer.write(await asyncio.to_thread(taken.finish), without)
            with step("months"):
                await writer.join(self._begun.date())
            upto = {**state["forms"], **{one.form_id: one.whole for one in grown}}
            tables = await self._write_tables(place, forms, upto, taken.changed)
            with step("drift"):
                drift = await lake_drift.check(place, grown, upto, state["checked"], self._begun)
        as_of = rfc3339(self._begun)
        state |= {"forms": upto, "changed": as_of, "as_of": as_of, "gone": sorted(forms.gone)}
        state |= {"again": drift.forms, "checked": drift.reached, "columns": writer.marks}
        self._lake.save(state)
        await changes.settled(self._context.db, grown)
        await purged.forget(self._context.db, self._begun - _HEARD)
        summary = Summary(
            as_of=self._begun, responses=taken.count, days=writer.days, bytes=writer.bytes, tables=tables,
            drift=drift.responses, compared=drift.compared, seconds=step.all(), steps=step.seconds,
        )  # fmt: skip
        self._lake.tell(
            {
                "as_of_timestamp_seconds": self._begun.timestamp(),
                "drift_responses": summary.drift,
                "run_seconds": summary.seconds,
                "run_responses": summary.responses,
                "run_days": summary.days,
            }
        )
        return summary

    def _make_room(self, gone: frozenset[str]) -> set[str]:
        """Forms of which nothing that the lake has may stay: deleted ones, and those that are read anew, as
        restored ones are. It is on the disk that the lake does not have them before any of it goes.
        """
        state = self._state
        again = set(state["again"]) | (set(state["gone"]) - gone)
        leaving = again | (gone - set(state["gone"]))
        made = {
            "forms": {form: upto for form, upto in state["forms"].items() if form not in leaving},
            "gone": sorted(gone & set(state["gone"])),
            "again": sorted(again - gone),
        }
        if any(state[name] != value for name, value in made.items()):
            state |= made
            self._lake.save(state)
        return leaving

    async def _take(self, taken: Taken, told: Told) -> list[Grown]:
        """What came and what changed; the forms that grew."""
        db = self._context.db
        grown = await lake_reading.grown_since(self._context, self._state, taken.gone)
        total, done = sum(one.upto - one.after for one in grown), 0
        for one in grown:
            async for rows, size in lake_reading.came(self._context, one):
                self._context.space.check()
                await taken.add(rows, size)
            done += one.upto - one.after
            told(done, total)
        if self._since is not None:
            async for rows, size in changes.changed(db, self._since, lake_tables.soon(self._begun)):
                await taken.add(rows, size)
                taken.changed += [row["_id"] for row in rows]
        return grown

    async def _write_tables(
        self, place: Place, forms: Forms, upto: dict[str, int], changed: list[str]
    ) -> dict[str, int]:
        since, begun, gone, step = self._since, self._begun, forms.gone, self._steps
        rows = {}
        with step("count"):
            await lake_tables.count(place)
        with step("table forms"):
            rows["forms"] = await lake_tables.write_forms(place, forms)
        with step("table partials"):
            rows["partials"] = await lake_tables.write_partials(place, since, begun, gone)
        with step("table ai_results"):
            again = self._state["again"]
            rows["ai_results"] = await lake_tables.write_ai_results(
                place, since, begun, upto, again, gone, changed
            )
        with step("table activity"):
            rows["activity"] = await lake_tables.write_activity(place)
        return rows
