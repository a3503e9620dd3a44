"""The lake's tables beside `responses`, brought up to date in a run.

Contract: each is written as a whole, and only when it changed. What a table rests on is kept in its own file
(which forms are left out, how much of the audit log is counted), so a run that is killed between two of them
is made good by the next one.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from appliance.services.context import Context
from appliance.stores import audit, changes, lake_sources, partials
from appliance.stores.mongo import Document

if TYPE_CHECKING:
    from appliance.analytics.engine import Connection
    from appliance.analytics.lake import Lake
    from appliance.analytics.tables import Parts


class Place(NamedTuple):
    """Where a run works."""

    context: Context
    connection: Connection
    lake: Lake
    folder: Path


class Forms(NamedTuple):
    """As the run found them."""

    parts: Parts
    gone: frozenset[str]
    """Deleted ones."""


async def read_forms(
    context: Context,
    lake: Lake,
    folder: Path,
    since: dt.datetime | None,
    begun: dt.datetime,
    gone: Collection[str],
) -> Forms:
    """Those that changed, and which are deleted by now; `gone` were so before."""
    from appliance.analytics import tables

    parts, deleted = tables.Parts(folder, "forms"), set(gone)
    if since is None or tables.told(lake, "forms") is None:
        reading, deleted = lake_sources.forms(context.db), set()
    else:
        reading = lake_sources.forms_since(context.db, since, soon(begun))
        deleted |= await changes.forms_purged(context.db, since, soon(begun))
    async for rows in reading:
        for row in rows:
            (deleted.discard if row["deleted_at"] is None else deleted.add)(row["_id"])
        await asyncio.to_thread(parts.add, [_form(row) for row in rows])
    return Forms(parts, frozenset(deleted))


def _form(row: Document) -> Document:
    return {**row, "form_id": row["_id"], "state": row["status"]}


async def count(place: Place) -> None:
    """What the lake's days have by now, for the tables to come."""
    from appliance.analytics import tables

    await asyncio.to_thread(tables.count, place.connection, place.lake)


async def write_forms(place: Place, forms: Forms) -> int:
    """How many rows, as of the others."""
    from appliance.analytics import tables

    return await asyncio.to_thread(tables.write_forms, place.connection, place.lake, forms.parts, forms.gone)


async def write_partials(
    place: Place, since: dt.datetime | None, begun: dt.datetime, gone: Collection[str]
) -> int:
    from appliance.analytics import tables

    known = tables.told(place.lake, "partials")
    if known is None or set(known["gone"]) - set(gone):  # a form that was restored
        since = None
    parts = tables.Parts(place.folder, "partials")
    days = place.context.settings.partial_days
    async for rows in lake_sources.half_filled(place.context.db, since, soon(begun), days):
        await asyncio.to_thread(parts.add, [_partial(row) for row in rows])
    oldest = begun - partials.KEPT
    return await asyncio.to_thread(tables.write_partials, place.connection, place.lake, parts, gone, oldest)


def _partial(row: Document) -> Document:
    page = row.get("page")
    return {**row, "partial_id": row["_id"], "page": None if page is None else str(page)}


async def write_ai_results(
    place: Place,
    since: dt.datetime | None,
    begun: dt.datetime,
    forms: Mapping[str, int],
    again: Collection[str],
    gone: Collection[str],
    changed: list[str],
) -> int:
    """`forms`: up to which number the lake has each; `again`: those that are read anew; `changed`: responses
    that were edited or deleted.
    """
    from appliance.analytics import tables

    db, known = place.context.db, tables.told(place.lake, "ai_results")
    parts = tables.Parts(place.folder, "ai_results")
    if known is None or since is None:
        anew = set(forms)
    else:
        anew = (set(known["gone"]) - set(gone)) | set(again)
        async for rows in lake_sources.results_since(db, since, soon(begun)):
            await asyncio.to_thread(parts.add, [_result(row) for row in rows])
    for form_id in sorted(anew & forms.keys()):
        async for rows in lake_sources.results_of(db, form_id, forms[form_id]):
            if rows:
                await asyncio.to_thread(parts.add, [_result(row) for row in rows])
    async for rows in lake_sources.results_by_ids(db, changed):
        await asyncio.to_thread(parts.add, [_result(row) for row in rows])
    return await asyncio.to_thread(
        tables.write_ai_results, place.connection, place.lake, parts, gone, anew, changed
    )


def _result(row: Document) -> Document:
    return {**row, "response_id": row["_id"], "analyzed_at": row["created_at"]}


async def write_activity(place: Place) -> int:
    from appliance.analytics import tables

    db = place.context.db
    known = tables.told(place.lake, "activity")
    after, upto = int((known or {}).get("audit", 0)), await audit.count(db)
    if after > upto:  # the database is an older one
        after = 0
    parts = tables.Parts(place.folder, "activity")
    async for rows in lake_sources.deeds(db, after, upto):
        found = [{**row, "date": dt.date.fromisoformat(row["date"])} for row in rows]
        await asyncio.to_thread(parts.add, found)
    return await asyncio.to_thread(
        lambda: tables.write_activity(
            place.connection, place.lake, parts, upto=upto, is_whole=known is None or after == 0
        )
    )


def soon(begun: dt.datetime) -> dt.datetime:
    """What was acknowledged before a run began has a time before this."""
    return begun + dt.timedelta(seconds=1)
