"""Responses: one row each, numbered per form by `seq`; reading them.

A row is `{_id, form_id, seq, revision, form_version, created_at, updated_at, submitter, status, tags, data,
meta, kv, events, task_ids}`, with `deleted_from` (its status before) once it was deleted, `key` and
`body_hash` where an Idempotency-Key came along and `person` where a form takes one answer a person. Rows are
written by `response_writer`.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from appliance.errors import NotFound
from appliance.stores import pages
from appliance.stores.mongo import Database, Document

PRIVATE: Document = {"kv": 0, "events": 0, "key": 0, "body_hash": 0, "person": 0}
_PROBES = 16
"""Numbers looked up in one round trip of a search by time: 4 ms for both bounds together."""


class TimeRange(NamedTuple):
    """Both ends included; None is open."""

    start: dt.datetime | None
    end: dt.datetime | None

    @property
    def is_open(self) -> bool:
        return self.start is None and self.end is None

    def query(self) -> Document:
        bounds = {"$gte": self.start, "$lte": self.end}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        return {"created_at": given} if given else {}


async def get(db: Database, form_id: str, response_id: str) -> Document:
    """Raises NotFound."""
    row = await db.responses.find_one({"_id": response_id, "form_id": form_id}, PRIVATE)
    if row is None:
        raise NotFound("The form has no such response.")
    return row


async def find_by_key(db: Database, key: str) -> Document | None:
    return await db.responses.find_one({"key": key})


async def newest(
    db: Database, form_id: str, query: Document, times: TimeRange, span: pages.Span, limit: int
) -> pages.Page:
    """A page of the responses with a `seq` in `span`."""
    full = {"form_id": form_id, **query, **times.query()}
    return await pages.newest_first(db.responses, full, "seq", span, limit, hide=PRIVATE)


async def find_span(db: Database, form_id: str, times: TimeRange, high: int) -> pages.Span:
    """Bounds of `seq` for a range of time, found by search instead of by reading the range.

    `created_at` and `seq` are given out by one update of the database, so they rise together; a clock
    that was set back is the exception, and near that moment the span may miss rows.
    """
    low = 1
    if times.start is not None:
        low = await _first_at_or_after(db, form_id, times.start, 1, high)
    if times.end is not None:
        after = times.end + dt.timedelta(milliseconds=1)
        high = await _first_at_or_after(db, form_id, after, low, high) - 1
    return pages.Span(low, high)


async def _first_at_or_after(db: Database, form_id: str, moment: dt.datetime, low: int, high: int) -> int:
    """The lowest `seq` in low..high+1 before which every row is older than `moment`."""
    high += 1
    while low < high:
        step = max(1, (high - low) // (_PROBES + 1))
        probes = list(range(low, high, step))[: _PROBES + 2]
        rows = await db.responses.find(
            {"form_id": form_id, "seq": {"$in": probes}}, {"_id": 0, "seq": 1, "created_at": 1}
        ).to_list()
        if not rows:  # a gap (rows that were never written, or purged): look at the whole of it instead
            return low
        older = [row["seq"] for row in rows if row["created_at"] < moment]
        newer = [row["seq"] for row in rows if row["created_at"] >= moment]
        before = (low, high)
        low = max([low, *(seq + 1 for seq in older)])
        high = min([high, *newer])
        if (low, high) == before:
            return low
    return low
