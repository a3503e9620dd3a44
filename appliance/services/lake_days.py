"""The lake's files that a run writes anew: those that changed, those whose columns are others now, and months
that are over and come together.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from appliance.errors import NotFound
from appliance.services import export_making
from appliance.services.context import Context
from appliance.services.lake_tables import Place

if TYPE_CHECKING:
    from appliance.analytics.days import Spill
    from appliance.analytics.hot import Hot
    from appliance.analytics.lake import Period

Marks = dict[str, dict[str, str]]
"""By period and form, the fingerprint of its typed columns there."""


class Writer:
    """Of one run. `marks` are those that the last one left; without them the files are looked at, which
    takes a millisecond each.
    """

    def __init__(self, place: Place, marks: Marks | None) -> None:
        self._place = place
        self._columns = _Columns(place.context)
        known = {period.name for period in place.lake.periods()}
        is_known = marks is not None and marks.keys() <= known  # else months came together, and it was killed
        self.marks = dict(marks) if marks is not None and is_known else _read(place)
        self.days = 0
        self.bytes = 0

    async def write(self, spills: list[Spill], without: Collection[str]) -> None:
        """`without`: forms of which nothing stays but what the parts have."""
        from appliance.analytics import days
        from appliance.analytics.lake import named

        connection, lake = self._place.connection, self._place.lake
        touched = await asyncio.to_thread(days.touched, lake, spills)
        left = await asyncio.to_thread(days.of_forms, connection, lake, without)
        for period in sorted(touched | left):
            often = await asyncio.to_thread(days.often, connection, lake, period, spills, without)
            await self._write(period, spills, often, without)
        for name, marks in sorted(self.marks.items()):
            if (period := named(name)) not in touched and await self._columns.differ(marks):
                await self._write(period, [], list(marks), ())

    async def join(self, today: dt.date) -> int:
        """Months that are over become a file each; how many."""
        from appliance.analytics import days, months

        connection, lake = self._place.connection, self._place.lake
        found = await asyncio.to_thread(months.due, lake, today)
        if not found:
            return 0
        often = {
            month: await asyncio.to_thread(days.often_among, connection, files)
            for month, files in found.items()
        }
        columns = {
            month: {form: await self._columns.of(form) for form in forms} for month, forms in often.items()
        }
        if await asyncio.to_thread(months.join, connection, lake, found, columns):
            for month, files in found.items():
                for file in files:
                    self.marks.pop(file.parent.name.removeprefix("date="), None)
                self._mark(month, columns[month])
        return len(found)

    async def _write(
        self, period: Period, spills: list[Spill], often: Collection[str], without: Collection[str]
    ) -> None:
        from appliance.analytics import days

        connection, lake = self._place.connection, self._place.lake
        found = {form: await self._columns.of(form) for form in often}
        rows = await asyncio.to_thread(days.write, connection, lake, period, spills, found, without)
        self._mark(period, found if rows else {})
        self.days += 1
        self.bytes += lake.file(period).stat().st_size if rows else 0

    def _mark(self, period: Period, found: Mapping[str, tuple[Hot, ...]]) -> None:
        from appliance.analytics import hot

        marks = {form: hot.fingerprint(columns) for form, columns in found.items() if columns}
        if marks:
            self.marks[period.name] = marks
        else:
            self.marks.pop(period.name, None)


def _read(place: Place) -> Marks:
    from appliance.analytics import parquet

    found = {period.name: parquet.told(place.lake.file(period)) for period in place.lake.periods()}
    return {name: marks for name, marks in found.items() if marks}


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

    async def differ(self, marks: Mapping[str, str]) -> bool:
        from appliance.analytics import hot

        for form, mark in marks.items():
            if hot.fingerprint(await self.of(form)) != mark:
                return True
        return False
