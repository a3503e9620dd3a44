"""Whether the lake is what the database is, at the end of a run.

Of each form that grew, how many responses there are is compared with the form's counters. Beyond that, every
run compares some responses one by one, and the next one goes on there: in time, all of them. What was changed
since the run began tells nothing, and is looked at another time. A form that is not the same is read anew by
the next run.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from appliance.clock import utc_now
from appliance.services.lake_tables import Place, soon
from appliance.stores import changes
from appliance.stores.changes import Grown
from appliance.stores.responses import status_term

AT_A_TIME = 1_000
"""Responses that a run compares one by one: some 50 ms of the embedded server's time."""
_WINDOW = 500
_FORMS = 500
"""Forms that grew whose number is compared, at most."""
_LEAST = 20
"""Responses that a question costs as much as, at the least."""

Reached = tuple[str, int]
"""Up to which form and number all have been compared in this round."""


class Window(NamedTuple):
    """The form's responses with numbers above `low` up to `high`."""

    form_id: str
    low: int
    high: int


class Drift(NamedTuple):
    responses: int
    compared: int
    forms: list[str]
    """That are not the same."""
    reached: Reached


async def check(
    place: Place,
    grown: Sequence[Grown],
    upto: Mapping[str, int],
    reached: Sequence[str | int],
    begun: dt.datetime,
) -> Drift:
    """`upto`: up to which number the lake is to have each form."""
    found = await _numbers(place, grown)
    asked, reached = _next(upto, (str(reached[0]), int(reached[1])))
    compared, differing = await _compare(place, asked)
    for form_id, count in differing.items():
        found[form_id] = max(found.get(form_id, 0), count)
    if found:
        changing = await changes.changing(place.context.db, begun - dt.timedelta(seconds=1), soon(utc_now()))
        found = {form_id: count for form_id, count in found.items() if form_id not in changing}
    return Drift(sum(found.values()), compared, sorted(found), reached)


def _next(upto: Mapping[str, int], reached: Reached) -> tuple[list[Window], Reached]:
    """What comes after that, as much as a run compares. When a round is over, the next run begins anew."""
    asked: list[Window] = []
    work = 0
    for form_id in sorted(form for form in upto if form >= reached[0]):
        low = reached[1] if form_id == reached[0] else 0
        while low < upto[form_id]:
            if work >= AT_A_TIME:
                return asked, (form_id, low)
            asked.append(Window(form_id, low, min(low + _WINDOW, upto[form_id])))
            work += max(_LEAST, asked[-1].high - low)
            low = asked[-1].high
    return asked, ("", 0)


async def _compare(place: Place, asked: Sequence[Window]) -> tuple[int, dict[str, int]]:
    """How many responses there are, and by form how many of them the lake has not, or not so."""
    from appliance.analytics import verify

    kept = await asyncio.to_thread(verify.revisions, place.connection, place.lake, asked)
    there = set()
    for form_id, low, high in asked:
        query = {"form_id": form_id, "seq": {"$gt": low, "$lte": high}}
        rows = await place.context.db.responses.find(query, {"status": 1, "revision": 1}).to_list()
        there |= {
            (form_id, str(row["_id"]), int(row["revision"])) for row in rows if row["status"] != "deleted"
        }
    differing = Counter(form_id for form_id, _ in {(form_id, one) for form_id, one, _ in there ^ kept})
    return len(there), dict(differing)


async def _numbers(place: Place, grown: Sequence[Grown]) -> dict[str, int]:
    """By how many the lake has another number. The counters say it cheaply; what they say is made sure of."""
    from appliance.analytics import tables

    asked = {one.form_id: one for one in grown if one.written is not None}
    asked = dict(list(asked.items())[:_FORMS])
    kept = await asyncio.to_thread(tables.counted, place.connection, list(asked))
    rows, found = place.context.db.responses, {}
    for form_id, one in asked.items():
        query = {"form_id": form_id, "seq": {"$lte": one.upto}}
        deleted = await rows.count_documents({**query, "kv": status_term("deleted")})
        known = kept.get(form_id, 0) + deleted
        if known != one.written and (there := await rows.count_documents(query)) != known:
            found[form_id] = abs(there - known)
    return found
