"""What has changed among the responses of all forms since somebody looked: for the lake."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

from appliance.stores.mongo import Database, Document

_AT_A_TIME = 500


class Grown(NamedTuple):
    """A form with responses above the number that somebody knows."""

    form_id: str
    after: int
    upto: int
    """The highest number given out."""
    whole: int
    """Up to here, all that will ever be there are there. Above, some may still be written: read on from here
    next time, those that were seen already too.
    """


async def grown(db: Database, known: Mapping[str, int]) -> list[Grown]:
    """Forms with responses that are not known, in the order of their ids."""
    found = []
    async for row in db.form_counters.find({}, {"seq": 1, "open": 1}):
        if "seq" in row:
            after, upto = known.get(row["_id"], 0), int(row["seq"])
            if upto > after:
                found.append(Grown(row["_id"], after, upto, max(after, _whole(row))))
    return sorted(found)


def _whole(counters: Document) -> int:
    begun = [int(entry["upto"]) - int(entry["n"]) for entry in counters.get("open", ())]
    return min([int(counters["seq"]), *begun])


async def changed(db: Database, since: dt.datetime) -> AsyncIterator[list[Document]]:
    """Responses that were edited or deleted since then, as they are now, some at a time."""
    ids = sorted({row["response_id"] async for row in _history(db, since)})
    for first in range(0, len(ids), _AT_A_TIME):
        yield await db.responses.find({"_id": {"$in": ids[first : first + _AT_A_TIME]}}).to_list()


def _history(db: Database, since: dt.datetime) -> AsyncIterator[Document]:
    return db.response_history.find({"replaced_at": {"$gte": since}}, {"response_id": 1}).__aiter__()
