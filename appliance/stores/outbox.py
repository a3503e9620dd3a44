"""The outbox: what has happened and is not worked off yet.

An event lies in the very row whose writing caused it, so it exists exactly when its cause does. It stays
`pending` until its task has finished; the worker marks it done here, durably, before it tells the engine:
what the engine knows as completed is never sent again.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from appliance.stores.mongo import Database, Document


class Pending(NamedTuple):
    """An event whose task has not finished, and the response it lies in."""

    event: Document
    form_id: str
    response_id: str


async def pending(db: Database, before: dt.datetime, limit: int) -> list[Pending]:
    """Events that have been pending since `before`, oldest first, of at most `limit` responses."""
    # Exactly this form of query uses the partial index.
    query = {"events.state": "pending", "created_at": {"$lt": before}}
    rows = (
        await db.responses.find(query, {"form_id": 1, "events": 1})
        .sort("created_at", 1)
        .limit(limit)
        .to_list()
    )
    return [
        Pending(event, row["form_id"], row["_id"])
        for row in rows
        for event in row["events"]
        if event["state"] == "pending"
    ]


async def finish(db: Database, response_id: str, event_id: str) -> None:
    """Mark the event done. Safe to repeat."""
    await _mark(db, response_id, event_id, "done")


async def give_up(db: Database, response_id: str, event_id: str) -> None:
    """Mark the event dead: its task has failed for good. Safe to repeat."""
    await _mark(db, response_id, event_id, "dead")


async def _mark(db: Database, response_id: str, event_id: str, state: str) -> None:
    await db.responses.update_one(
        {"_id": response_id},
        {"$set": {"events.$[event].state": state}},
        array_filters=[{"event.id": event_id}],
    )
