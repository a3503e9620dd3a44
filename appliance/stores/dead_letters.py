"""Tasks that failed for good: `{_id, number, task, queue, arguments, origin, owner, replay, state, error,
attempts, created_at, failed_at}`.

`attempts` are `{started, ended, worker, error}` with times in milliseconds since 1970, the oldest first,
those before a replay included. `state` is `dead`, or `replayed` once it was begun anew.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable

from appliance.clock import utc_now
from appliance.errors import Conflict, NotFound
from appliance.queue.redaction import last_line
from appliance.queue.scripts import Job
from appliance.stores import alerts, audit, outbox, pages
from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session, last_number, next_number, together

Tell = Callable[[Session, Document], Awaitable[None]]
"""What else is written with an alert. It must be safe to run twice."""


async def write(db: Database, letter: Document, tell: Tell | None = None) -> None:
    """Keep it, settle its event, and fire the alert that tells of it, together. Safe to repeat."""
    task_id, replay = letter["_id"], letter["replay"]

    async def write_all(session: Session) -> None:
        known = await db.dead_letters.find_one({"_id": task_id}, session=session)
        if known is not None and known["replay"] >= replay:
            return
        now = utc_now()
        number = await _number(db, session)
        row = {**letter, "number": number, "state": "dead", "failed_at": now}
        if known is not None:
            row["attempts"] = known["attempts"] + letter["attempts"]
            row["created_at"] = known["created_at"]
        await db.dead_letters.replace_one({"_id": task_id}, row, upsert=True, session=session)
        await outbox.settle(db, session, task_id, letter["origin"], "dead")
        alert = _alert(row, now)
        await alerts.write(db, session, alert)
        if tell is not None:
            await tell(session, alert)

    await together(db, write_all)


def _alert(letter: Document, now: dt.datetime) -> Document:
    told = {"alert": "dead_letter", "task_id": letter["_id"], "task": letter["task"]}
    alert_id = f"dead-letter:{letter['_id']}:{letter['replay']}"
    return alerts.row(alert_id, now, {**told, "error": last_line(letter["error"])})


async def _number(db: Database, session: Session) -> int:
    return await next_number(db, session, "dead_letters")


async def get(db: Database, task_id: str) -> Document:
    """Raises NotFound."""
    row = await find(db, task_id)
    if row is None:
        raise NotFound("There is no such dead letter.")
    return row


async def find(db: Database, task_id: str) -> Document | None:
    return await db.dead_letters.find_one({"_id": task_id})


async def newest(db: Database, query: Document, high: int | None, limit: int) -> pages.Page:
    """A page of those that are dead, the last ones to fail first."""
    if high is None:
        high = await last_number(db, "dead_letters")
    rest = {"state": "dead", **query}
    return await pages.newest_first(db.dead_letters, {}, rest, "number", pages.Span(1, high), limit)


async def count(db: Database) -> int:
    """How many are dead."""
    return await db.dead_letters.count_documents({"state": "dead"})


async def replay(db: Database, letter: Document, deed: audit.Entry) -> Job:
    """Promise its task anew; the job to send. Raises Conflict when that is done already, or cannot be."""

    async def write_all(session: Session) -> Job:
        marked = await db.dead_letters.update_one(
            {"_id": letter["_id"], "state": "dead"}, {"$set": {"state": "replayed"}}, session=session
        )
        if marked.modified_count != 1:
            raise Conflict("This task was begun anew already; look at its status.")
        job = await outbox.revive(db, session, letter["_id"], letter["origin"])
        if job is None:
            raise Conflict(
                "What caused this task is gone, so it cannot be done anew; discard the dead letter."
            )
        await audit.record(db, session, deed)
        return job

    return await together(db, write_all)


async def discard(db: Database, letter: Document, deed: audit.Entry) -> None:
    """Forget it: nobody wants the task done any more. Raises Conflict when it was begun anew."""

    async def write_all(session: Session) -> None:
        gone = await db.dead_letters.delete_one({"_id": letter["_id"], "state": "dead"}, session=session)
        if gone.deleted_count != 1:
            raise Conflict("This task was begun anew already; look at its status.")
        if not letter["origin"]:
            await outbox.settle(db, session, letter["_id"], "", "cancelled")
        await audit.record(db, session, deed)

    await together(db, write_all)


async def prune(db: Database, before: dt.datetime, limit: int) -> int:
    """Take out letters that were begun anew and are older; how many, `limit` at most."""
    old = {"state": "replayed", "failed_at": {"$lt": before}}
    rows = await db.dead_letters.find(old, {"_id": 1}).limit(limit).to_list()
    if rows:
        await db.dead_letters.delete_many({"_id": {"$in": [row["_id"] for row in rows]}})
    return len(rows)
