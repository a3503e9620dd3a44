"""Deliveries of events to webhooks: `{_id, number, webhook_id, form_id, type, url, body, state, reason,
attempts, tries, next_attempt_at, created_at}`, with `about` where its body holds responses: their ids.

A row is its own outbox: while `state` is pending, the relay sends its task again whenever Redis does not
know it. `_id` is the event's and the task's id and the header `webhook-id`; `body` is the very text that is
sent, so what happens to its subject later changes nothing; `url` is set where it is not the webhook's;
`tries` counts the attempts of the schedule, `attempts` (`{at, status, seconds, answer, error}`) also holds
those that somebody asked for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from appliance.clock import new_id, utc_now
from appliance.queue.scripts import Job
from appliance.stores import pages
from appliance.stores.mongo import Database, Document, unsynced
from appliance.stores.outbox import Pending
from appliance.stores.transactions import Session

TASK = "deliver_webhook"
_LOGGED = 50
"""Attempts that a row keeps."""

State = Literal["pending", "delivered", "failed", "cancelled"]


class Event(NamedTuple):
    """What one webhook is to be told."""

    webhook_id: str
    type: str
    body: str
    form_id: str | None = None
    url: str | None = None
    id: str = ""
    """Empty: a new one."""


class Attempt(NamedTuple):
    """What came of one request. `status` is None when there was no answer; then `error` says why."""

    at: dt.datetime
    status: int | None
    seconds: float
    answer: str
    error: str | None

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


async def insert(db: Database, session: Session | None, event: Event, **more: Any) -> Document:
    """The row as stored, or as it was stored before; `more` are fields other than those of a new one."""
    now = utc_now()
    row = {
        "_id": event.id or new_id(),
        "number": await _number(db, session, event.webhook_id),
        "webhook_id": event.webhook_id,
        "form_id": event.form_id,
        "type": event.type,
        "url": event.url,
        "body": event.body,
        "state": "pending",
        "reason": None,
        "attempts": [],
        "tries": 0,
        "next_attempt_at": now,
        "created_at": now,
        **more,
    }
    try:
        await db.webhook_deliveries.insert_one(row, session=session)
    except DuplicateKeyError:
        if session is not None:
            raise
        return await find(db, row["_id"]) or row
    return row


async def _number(db: Database, session: Session | None, webhook_id: str) -> int:
    # A collection of their own, for the embedded server looks through all of it. The row's own write syncs
    # what came before it.
    counters = db.delivery_counters if session else unsynced(db.delivery_counters)
    counter = await counters.find_one_and_update(
        {"_id": webhook_id},
        {"$inc": {"number": 1}},
        upsert=True,
        session=session,
        return_document=ReturnDocument.AFTER,
    )
    return int(counter["number"]) if counter else 1


def jobs_of(rows: Sequence[Document]) -> list[Job]:
    return [Job(row["_id"], TASK, {"to": row["webhook_id"]}) for row in rows]


async def pending(db: Database, since: dt.datetime, before: dt.datetime, limit: int) -> list[Pending]:
    """Those that are due since a time in [since, before), the longest due first."""
    query = {"state": "pending", "next_attempt_at": {"$gte": since, "$lt": before}}
    fields = {"webhook_id": 1, "next_attempt_at": 1}
    found = db.webhook_deliveries.find(query, fields).sort("next_attempt_at", 1).limit(limit)
    rows = await found.to_list()
    return [Pending(row["next_attempt_at"], job) for row, job in zip(rows, jobs_of(rows), strict=True)]


async def put_off(db: Database, webhook_id: str, now: dt.datetime, most: int) -> list[str]:
    """Ids of the webhook's deliveries that are due and wait all the same."""
    query = {"state": "pending", "next_attempt_at": {"$lte": now}}
    found = await db.webhook_deliveries.find(query, {"webhook_id": 1}).to_list()
    return [row["_id"] for row in found if row["webhook_id"] == webhook_id][:most]


async def find(db: Database, delivery_id: str, session: Session | None = None) -> Document | None:
    return await db.webhook_deliveries.find_one({"_id": delivery_id}, session=session)


async def peek(db: Database, delivery_id: str) -> Document | None:
    """How it stands, without its body and attempts."""
    shown = {"webhook_id": 1, "form_id": 1, "state": 1, "next_attempt_at": 1, "created_at": 1}
    return await db.webhook_deliveries.find_one({"_id": delivery_id}, shown)


async def record(
    db: Database, delivery_id: str, attempt: Attempt, fields: Document, *, counts: bool = True
) -> None:
    """One attempt more, and what follows from it. `counts`: it is one of the schedule."""
    change: Document = {"$push": {"attempts": {"$each": [attempt._asdict()], "$slice": -_LOGGED}}}
    if fields:
        change["$set"] = fields
    if counts:
        change["$inc"] = {"tries": 1}
    await db.webhook_deliveries.update_one({"_id": delivery_id}, change)


async def end(db: Database, delivery_id: str, state: State, reason: str) -> None:
    """It is over without another attempt. Safe to repeat."""
    await db.webhook_deliveries.update_one(
        {"_id": delivery_id, "state": "pending"},
        {"$set": {"state": state, "reason": reason, "next_attempt_at": None}},
    )


async def drop(db: Database, delivery_id: str) -> None:
    """The response that it tells of was purged. Safe to repeat."""
    await db.webhook_deliveries.delete_one({"_id": delivery_id})


async def newest(db: Database, webhook_id: str, high: int | None, limit: int) -> pages.Page:
    """A page of one webhook's, without their bodies."""
    if high is None:
        counter = await db.delivery_counters.find_one({"_id": webhook_id})
        high = counter["number"] if counter else 0
    span = pages.Span(1, high)
    mine = {"webhook_id": webhook_id}
    return await pages.newest_first(db.webhook_deliveries, mine, {}, "number", span, limit, hide={"body": 0})


async def prune(db: Database, before: dt.datetime, limit: int) -> int:
    """Take out what has ended and was made before this; how many, `limit` at most."""
    old = {"created_at": {"$lt": before}}
    rows = await db.webhook_deliveries.find(old, {"state": 1}).sort("created_at", 1).limit(limit).to_list()
    ended = [row["_id"] for row in rows if row["state"] != "pending"]
    if ended:
        await db.webhook_deliveries.delete_many({"_id": {"$in": ended}})
    return len(ended)
