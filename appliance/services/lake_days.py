"""The lake's days that a run writes anew: those that changed, and those whose columns are others now."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.errors import NotFound
from appliance.services import export_making
from appliance.services.context import Context
from appliance.services.lake_tables import Place

if TYPE_CHECKING:
    from appliance.analytics.hot import Hot

Marks = dict[str, dict[str, str]]
"""By day and form, the fingerprint of its typed columns there."""


class Writer:
    """Of one run. `marks` are those that the last one left; without them the files are looked at, which
    takes a millisecond each.
    """

    def __init__(self, place: Place, marks: Marks | None) -> None:
        self._place = place
        self._columns = _Columns(place.context)
        self.marks = _read(place) if marks is None else dict(marks)
        self.days = 0
        self.bytes = 0

    async def write(self, spills: list[Path], without: Collection[str]) -> None:
        """`without`: forms of which nothing stays but what the parts have."""
        from appliance.analytics import days

        connection, lake = self._place.connection, self._place.lake
        touched = await asyncio.to_thread(days.touched, connection, spills)
        left = await asyncio.to_thread(days.of_forms, connection, lake, without)
        for day in sorted({*touched, *left}):
            often = await asyncio.to_thread(days.often, connection, lake, day, spills, without)
            await self._write(day, spills, often, without)
        for name, marks in sorted(self.marks.items()):
            if (day := dt.date.fromisoformat(name)) not in touched and await self._columns.differ(marks):
                await self._write(day, [], list(marks), ())

    async def _write(
        self, day: dt.date, spills: list[Path], often: Collection[str], without: Collection[str]
    ) -> None:
        from appliance.analytics import days, hot

        connection, lake = self._place.connection, self._place.lake
        found = {form: await self._columns.of(form) for form in often}
        rows = await asyncio.to_thread(days.write, connection, lake, day, spills, found, without)
        marks = {form: hot.fingerprint(columns) for form, columns in found.items() if columns}
        if rows and marks:
            self.marks[f"{day}"] = marks
        else:
            self.marks.pop(f"{day}", None)
        self.days += 1
        self.bytes += lake.day(day).stat().st_size if rows else 0


def _read(place: Place) -> Marks:
    from appliance.analytics import parquet

    found = {f"{day}": parquet.told(place.lake.day(day)) for day in place.lake.days()}
    return {day: marks for day, marks in found.items() if marks}


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
