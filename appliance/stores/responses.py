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
    db: Database,
    form_id: str,
    terms: list[str],
    query: Document,
    times: TimeRange,
    span: pages.Span,
    limit: int,
) -> pages.Page:
    """A page of the responses with a `seq` in `span` that have all the index terms."""
    indexed: Document = {"form_id": form_id, **({"kv": terms[0]} if terms else {})}
    others = {"kv": {"$all": terms[1:]}} if terms[1:] else {}
    rest = {**query, **others, **times.query()}
    return await pages.newest_first(db.responses, indexed, rest, "seq", span, limit, hide=PRIVATE)


async def find_span(db: Database, form_id: str, times: TimeRange, high: int) -> pages.Span:
    """Bounds of `seq` for a range of time, found by search instead of by reading the range.

    `created_at` and `seq` are given out by one update of the database, so they rise together; a clock
    that was set back is the exception, and near that moment the span may miss rows.
    """
    low = 1
    if times.start is not None:
        low, _ = await _bracket(db, form_id, times.start, low, high + 1)
    if times.end is not None:
        _, above = await _bracket(db, form_id, times.end, low, high + 1, ends_before=False)
        high = above - 1
    return pages.Span(low, high)


async def _bracket(
    db: Database, form_id: str, moment: dt.datetime, low: int, high: int, *, ends_before: bool = True
) -> tuple[int, int]:
    """Numbers between which the rows reach `moment`: what is below the first is earlier, what is at or above
    the second is not (or, with `ends_before` false, is later). They differ where rows are missing.
    """
    while low < high:
        step = max(1, (high - low) // (_PROBES + 1))
        probes = list(range(low, high, step))[: _PROBES + 2]
        rows = await db.responses.find(
            {"form_id": form_id, "seq": {"$in": probes}}, {"_id": 0, "seq": 1, "created_at": 1}
        ).to_list()
        before = (low, high)
        for row in rows:
            is_earlier = row["created_at"] < moment if ends_before else row["created_at"] <= moment
            if is_earlier:
                low = max(low, row["seq"] + 1)
            else:
                high = min(high, row["seq"])
        if (low, high) == before:  # a gap: rows that were never written, or were purged
            break
    return low, high
