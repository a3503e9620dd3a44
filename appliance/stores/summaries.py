"""What is told of a form's responses, from its counters: nobody has to count."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from appliance.stores import pages
from appliance.stores.mongo import Database
from appliance.stores.quotas import unwritten


class Summary(NamedTuple):
    responses: int
    """Places that are taken: a deleted response counts until it is purged."""
    last_at: dt.datetime | None


async def get(db: Database, form_id: str) -> Summary:
    """Of all that is written by now. Of no form: nothing."""
    counters = await db.form_counters.find_one({"_id": form_id})
    if counters is None or not counters["seq"]:
        return Summary(0, None)
    # Places may be given back later: those of rows under way, of refused ones, and of writers that died.
    empty = sum([await unwritten(db, form_id, entry) for entry in counters["open"]])
    whole = pages.Span(1, counters["seq"])
    hide = {"data": 0, "kv": 0, "meta": 0}
    last = await pages.newest_first(db.responses, {"form_id": form_id}, {}, "seq", whole, 1, hide=hide)
    return Summary(counters["taken"] - empty, last.rows[0]["created_at"] if last.rows else None)
