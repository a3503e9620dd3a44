"""What has changed among the responses of all forms since somebody looked: for the lake.

A form's counters have the mark `unlaked` while it may have responses that the lake has not: the update that
numbers a response sets it (`reservations`), and `settled` takes it off. To look through the counters of all
forms would take 30 ms for each 1,000.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import bson
from pymongo import UpdateOne

from appliance.stores import purged
from appliance.stores.mongo import NAIVE, Database, Document, unsynced

MOST = 2_000
"""Rows of one answer, more or less: the database has seconds for each."""
_AT_A_TIME = 500
_FEW = 100
_NARROWEST = dt.timedelta(milliseconds=1)
_FIRST = dt.timedelta(hours=1)
_WIDEST = dt.timedelta(days=4)
_MARKED: Document = {"unlaked": True}
_SHOWN = {"seq": 1, "open": 1, "taken": 1}

Sized = tuple[list[Document], int]
"""Documents, and how many bytes they were."""
Read = Callable[[Document, int], Awaitable[list[Document]]]
"""By a condition on a moment, so many at most."""


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
    written: int | None
    """How many responses there are, deleted ones too; None while some are being written."""


async def grown(
    db: Database, known: Mapping[str, int], *, without: Collection[str] = (), also: Collection[str] = ()
) -> list[Grown]:
    """Forms with responses that are not known, in the order of their ids: of those that have the mark, and
    `also` of these.
    """
    rows = await db.form_counters.find(_MARKED, _SHOWN).to_list()
    for first in range(0, len(more := sorted(set(also) - {row["_id"] for row in rows})), _FEW):
        rows += await db.form_counters.find({"_id": {"$in": more[first : first + _FEW]}}, _SHOWN).to_list()
    return _above(rows, known, without)


async def grown_of_all(
    db: Database, known: Mapping[str, int], *, without: Collection[str] = ()
) -> list[Grown]:
    """The same, whatever the marks say."""
    return _above(await db.form_counters.find({}, _SHOWN).to_list(), known, without)


def _above(rows: Sequence[Document], known: Mapping[str, int], without: Collection[str]) -> list[Grown]:
    found = []
    for row in rows:
        form_id = row["_id"]
        if "seq" not in row or form_id in without:
            continue
        after, upto = known.get(form_id, 0), int(row["seq"])
        if upto > after:
            written = None if row.get("open") else int(row["taken"])
            found.append(Grown(form_id, after, upto, max(after, whole(row)), written))
    return sorted(found)


def whole(counters: Document) -> int:
    """The number up to which all that will ever be there are there."""
    begun = [int(entry["upto"]) - int(entry["n"]) for entry in counters.get("open", ())]
    return min([int(counters["seq"]), *begun])


async def settled(db: Database, forms: Sequence[Grown]) -> None:
    """The lake has all that these had. Where more came meanwhile, the mark stays."""
    complete = [one for one in forms if one.whole == one.upto]
    for first in range(0, len(complete), _AT_A_TIME):
        changes = [
            UpdateOne({"_id": one.form_id, "seq": one.upto}, {"$unset": {"unlaked": ""}})
            for one in complete[first : first + _AT_A_TIME]
        ]
        await unsynced(db.form_counters).bulk_write(changes, ordered=False)


async def changed(db: Database, since: dt.datetime, until: dt.datetime) -> AsyncIterator[Sized]:
    """Responses that were edited, deleted or purged between the two, as they are now, some at a time."""
    async for rows in between(lambda moment, most: _history(db, moment, most), since, until):
        ids = sorted({row["response_id"] for row in rows})
        for first in range(0, len(ids), _FEW):
            query = {"_id": {"$in": ids[first : first + _FEW]}}
            async for batch in db.responses.find_raw_batches(query):
                raw: Any = batch  # the driver's types say that it is decoded
                yield bson.decode_all(raw, NAIVE), len(raw)
    async for traces in between(lambda moment, most: purged.traces(db, moment, most), since, until):
        yield [purged.as_deleted(trace) for trace in traces if not purged.is_form(trace)], 0


async def forms_purged(db: Database, since: dt.datetime, until: dt.datetime) -> set[str]:
    """Forms that were purged between the two."""
    reading = between(lambda moment, most: purged.traces(db, moment, most), since, until)
    return {trace["form_id"] async for traces in reading for trace in traces if purged.is_form(trace)}


async def changing(db: Database, since: dt.datetime, until: dt.datetime) -> set[str]:
    """The forms of such."""
    reading = between(lambda moment, most: _history(db, moment, most), since, until)
    found = {row["form_id"] async for rows in reading for row in rows}
    leaving = between(lambda moment, most: purged.traces(db, moment, most), since, until)
    return found | {trace["form_id"] async for traces in leaving for trace in traces}


async def _history(db: Database, moment: Document, most: int) -> list[Document]:
    query = {"replaced_at": moment}
    return await db.response_history.find(query, {"response_id": 1, "form_id": 1}).limit(most).to_list()


async def between(read: Read, start: dt.datetime, end: dt.datetime) -> AsyncIterator[list[Document]]:
    """All that is of a time between the two, a stretch at a time: as wide as gives some `MOST` rows. What is
    of one millisecond comes together, however much it is.
    """
    width = _FIRST
    while start < end:
        stop = min(start + width, end)
        is_narrow = width <= _NARROWEST
        rows = await read({"$gte": start, "$lt": stop}, 0 if is_narrow else MOST + 1)
        if len(rows) > MOST and not is_narrow:
            width = max(_NARROWEST, width / 8)
            continue
        if rows:
            yield rows
        start, width = stop, min(_WIDEST, width * 2 if len(rows) < MOST // 4 else width)
