"""What the lake's tables beside `responses` are made of: by aggregation, some rows at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Sequence

from appliance.stores import partials
from appliance.stores.changes import Read, between
from appliance.stores.mongo import Collection, Database, Document
from appliance.stores.transactions import last_number

_WINDOW = 1_000
_ENTRIES = 5_000
"""Of the audit log: what comes back is a count."""
_IDS = 100
"""The embedded server is slow with longer lists."""
_FORM: Document = {
    "title": 1, "status": 1, "owner": 1, "time_zone": "$settings.time_zone", "created_at": 1, "version": 1,
    "deleted_at": 1,
}  # fmt: skip
_PARTIAL: Document = {
    "form_id": 1, "form_version": 1, "state": 1, "page": 1, "created_at": 1, "updated_at": 1, "ended_at": 1
}  # fmt: skip
_RESULT: Document = {
    "form_id": 1, "kind": 1, "created_at": 1, "sentiment": "$result.sentiment",
    "confidence": "$result.confidence", "language": "$result.language", "categories": "$result.categories",
}  # fmt: skip


async def forms(db: Database) -> AsyncIterator[list[Document]]:
    """All of them, deleted ones too."""
    high = await last_number(db, "forms")
    for low in range(0, high, _WINDOW):
        yield await _rows(db.forms, {"number": {"$gt": low, "$lte": low + _WINDOW}}, _FORM)


async def forms_since(db: Database, since: dt.datetime, until: dt.datetime) -> AsyncIterator[list[Document]]:
    """Those that changed between the two, were deleted or restored."""
    async for rows in between(_changed(db.forms, {}, "updated_at", _FORM), since, until):
        yield rows


async def half_filled(
    db: Database, since: dt.datetime | None, until: dt.datetime, days: int
) -> AsyncIterator[list[Document]]:
    """Those that changed between the two, in such an order that the latest state of each comes last; without
    `since` all. `days` is how long an open one is kept.
    """
    start = since or until - partials.KEPT - dt.timedelta(days=days + 1)
    readings = [_changed(db.partials, {"state": "open"}, "updated_at", _PARTIAL)]
    if since is not None:
        readings.append(_changed(db.partials, {}, "noted_at", _PARTIAL))
    else:
        readings += [_changed(db.partials, {"state": how}, "updated_at", _PARTIAL) for how in partials.ENDS]
    for read in readings:
        async for rows in between(read, start, until):
            yield rows


async def results_since(
    db: Database, since: dt.datetime, until: dt.datetime
) -> AsyncIterator[list[Document]]:
    """What models found of responses, or changed, between the two."""
    async for rows in between(_changed(db.ai_results, {}, "changed_at", _RESULT), since, until):
        yield [row for row in rows if row["kind"] == "response"]


async def results_of(db: Database, form_id: str, high: int) -> AsyncIterator[list[Document]]:
    """What they found of a form's responses with numbers up to `high`."""
    for low in range(0, high, _WINDOW):
        query = {"form_id": form_id, "seq": {"$gt": low, "$lte": low + _WINDOW}}
        yield await _rows(db.ai_results, query, _RESULT)


async def results_by_ids(db: Database, ids: Sequence[str]) -> AsyncIterator[list[Document]]:
    for first in range(0, len(ids), _IDS):
        query = {"_id": {"$in": list(ids[first : first + _IDS])}}
        yield await _rows(db.ai_results, query, _RESULT)


async def deeds(db: Database, after: int, upto: int) -> AsyncIterator[list[Document]]:
    """How often each user did what on which day, by the audit log's entries with numbers above `after`."""
    day = {"$dateToString": {"date": "$at", "format": "%Y-%m-%d"}}
    group: Document = {"_id": {"user_id": "$actor", "date": day, "action": "$action"}, "count": {"$sum": 1}}
    for low in range(after, upto, _ENTRIES):
        query = {"number": {"$gt": low, "$lte": min(low + _ENTRIES, upto)}}
        rows = await _aggregated(db.audit, [{"$match": query}, {"$group": group}])
        yield [{**row["_id"], "count": row["count"]} for row in rows if row["_id"].get("user_id")]


def _changed(collection: Collection, query: Document, moment: str, fields: Document) -> Read:
    async def read(when: Document, most: int) -> list[Document]:
        return await _rows(collection, {**query, moment: when}, fields, most)

    return read


async def _rows(collection: Collection, query: Document, fields: Document, most: int = 0) -> list[Document]:
    limit: list[Document] = [{"$limit": most}] if most else []
    return await _aggregated(collection, [{"$match": query}, *limit, {"$project": fields}])


async def _aggregated(collection: Collection, steps: list[Document]) -> list[Document]:
    return await (await collection.aggregate(steps)).to_list()
