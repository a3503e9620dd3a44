"""Responses: one row each, numbered per form by `seq`; reading them.

A row is `{_id, form_id, seq, revision, form_version, created_at, updated_at, submitter, status, tags, data,
meta, kv, events, task_ids}`, with `deleted_from` (its status before) once it was deleted, `key` and
`body_hash` where an Idempotency-Key came along, `person` where a form takes one answer a person, and `files`:
ids of the uploaded files that its data names or ever named, which are its own. Rows are written by
`response_writer`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from appliance.errors import NotFound
from appliance.stores import pages
from appliance.stores.mongo import Database, Document

PRIVATE: Document = {"kv": 0, "events": 0, "key": 0, "body_hash": 0, "person": 0, "files": 0}
_PROBES = 16
"""Numbers looked up for each bound in one round trip of a search by time."""
_NEAR = 24
"""Numbers that a bound may be off by: reading them along costs less than searching on."""


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


def status_term(status: str) -> str:
    """The index term of a response that is not accepted. No question's term begins so: it has a name."""
    return f"={status}"


def terms_with_status(terms: list[str], status: str) -> list[str]:
    """The `kv` of a response of that status, from what it was."""
    of_answers = [term for term in terms if not term.startswith("=")]
    return of_answers if status == "accepted" else [*of_answers, status_term(status)]


async def get(db: Database, form_id: str, response_id: str) -> Document:
    """With its index terms and files. Raises NotFound."""
    hide = {name: 0 for name in PRIVATE if name not in ("kv", "files")}
    row = await db.responses.find_one({"_id": response_id, "form_id": form_id}, hide)
    if row is None:
        raise NotFound("The form has no such response.")
    return row


async def find_by_key(db: Database, key: str) -> Document | None:
    return await db.responses.find_one({"key": key})


async def has_answered(db: Database, form_id: str, person: str) -> bool:
    """By the index of all people: the one of a form's cannot be read by (see `mongo.prepare`)."""
    rows = await db.responses.find({"person": person}, {"form_id": 1}).to_list()
    return any(row["form_id"] == form_id for row in rows)


async def owners_of_files(db: Database, ids: list[str]) -> dict[str, str]:
    """The responses that hold these files, deleted ones included, by file."""
    rows = await db.responses.find({"files": {"$in": ids}}, {"files": 1}).to_list() if ids else []
    return {file_id: row["_id"] for row in rows for file_id in row["files"] if file_id in ids}


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
    """Bounds of `seq` that hold a range of time and little more, found by search instead of by reading it.

    `created_at` and `seq` are given out by one update of the database, so they rise together; a clock
    that was set back is the exception, and near that moment the span may miss rows.
    """
    start = _Bracket(times.start, 1, high + 1, is_end=False)
    end = _Bracket(times.end, 1, high + 1, is_end=True)
    while probes := sorted({number for bracket in (start, end) for number in bracket.probes()}):
        found = db.responses.find(
            {"form_id": form_id, "seq": {"$in": probes}}, {"_id": 0, "seq": 1, "created_at": 1}
        )
        rows = await found.to_list()
        # A gap (rows that were never written, or were purged) shows nothing: what is left is read.
        if not start.narrow(rows) | end.narrow(rows):
            break
    return pages.Span(start.low, end.high - 1)


@dataclass(slots=True)
class _Bracket:
    """Where the rows reach a moment: those below `low` are before it, those from `high` on are not."""

    moment: dt.datetime | None
    low: int
    high: int
    is_end: bool
    """Rows of just that moment count as before it."""

    def probes(self) -> Iterable[int]:
        width = self.high - self.low
        if self.moment is None or width <= _NEAR:
            return ()
        step = max(1, width // (_PROBES + 1))
        return range(self.low + step - 1, self.high, step)

    def narrow(self, rows: list[Document]) -> bool:
        """True when the rows told something new."""
        before = (self.low, self.high)
        if self.moment is None:
            return False
        for row in rows:
            is_before = row["created_at"] <= self.moment if self.is_end else row["created_at"] < self.moment
            if is_before:
                self.low = max(self.low, row["seq"] + 1)
            else:
                self.high = min(self.high, row["seq"])
        return (self.low, self.high) != before
