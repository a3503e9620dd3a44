"""The outbox: what was promised and is not worked off yet.

An event of a response lies in the very row whose writing caused it (`events`), so it exists exactly when its
cause does; every other task that somebody was promised (a 202, the next one of a chain) is a row of the
collection `outbox`, written in the transaction of its cause: `{_id, task, arguments, owner, replay, state,
created_at}`, with `webhook_url` where its end is to be told. Both stay `pending` until their task has
finished: the worker settles them here, durably, before it tells the engine, so what the engine knows as
completed is never sent again. `replay` counts how often one was begun anew after it had failed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, NamedTuple

from appliance.clock import utc_now
from appliance.queue.scripts import Job
from appliance.stores.mongo import Database, Document, unsynced
from appliance.stores.transactions import Session, together

Also = Callable[[Session], Awaitable[None]]
"""What else is written in a transaction. It must be safe to run twice."""
Ending = Literal["done", "dead", "cancelled"]


class Pending(NamedTuple):
    """A task that has not finished, and since when it has been promised."""

    since: dt.datetime
    job: Job


def jobs_of(response: Document) -> list[Job]:
    """The tasks of a response's events that have not finished."""
    return [_job(event, response) for event in response["events"] if event["state"] == "pending"]


def _job(event: Document, response: Document) -> Job:
    arguments = {"form_id": response["form_id"], "response_id": response["_id"], "to": event["to"]}
    return Job(
        event["id"], event["task"], arguments, origin=response["_id"], replay=int(event.get("replay", 0))
    )


async def pending_events(db: Database, since: dt.datetime, before: dt.datetime, limit: int) -> list[Pending]:
    """Events of the oldest `limit` responses that were written in [since, before), oldest first."""
    # Exactly this form of query uses the partial index.
    query = {"events.state": "pending", "created_at": {"$gte": since, "$lt": before}}
    fields = {"form_id": 1, "events": 1, "created_at": 1}
    rows = await db.responses.find(query, fields).sort("created_at", 1).limit(limit).to_list()
    return [Pending(row["created_at"], job) for row in rows for job in jobs_of(row)]


async def pending_rows(db: Database, since: dt.datetime, before: dt.datetime, limit: int) -> list[Pending]:
    """Rows of the outbox that were written in [since, before), oldest first."""
    query = {"state": "pending", "created_at": {"$gte": since, "$lt": before}}
    rows = await db.outbox.find(query).sort("created_at", 1).limit(limit).to_list()
    return [Pending(row["created_at"], job_of(row)) for row in rows]


def job_of(row: Document) -> Job:
    """The task of a row of the outbox."""
    return Job(row["_id"], row["task"], row["arguments"], owner=row["owner"] or "", replay=int(row["replay"]))


async def promise(
    db: Database, session: Session | None, job: Job, *, now: dt.datetime | None = None, **more: Any
) -> None:
    """Write the row of a task. `more` are fields such as `webhook_url`."""
    row = {
        "_id": job.id,
        "task": job.task,
        "arguments": job.arguments,
        "owner": job.owner or None,
        "replay": job.replay,
        "state": "pending",
        "created_at": now or utc_now(),
        **{name: value for name, value in more.items() if value is not None},
    }
    await db.outbox.insert_one(row, session=session)


async def find(db: Database, task_id: str) -> Document | None:
    return await db.outbox.find_one({"_id": task_id})


async def finish(
    db: Database, job_id: str, origin: str, follows: Sequence[Job] = (), also: Also | None = None
) -> None:
    """The task is done, what follows is promised, and `also` is written, in one step. Safe to repeat."""
    if not follows and also is None:
        await settle(db, None, job_id, origin, "done")
        return

    async def write(session: Session) -> None:
        known = await db.outbox.find({"_id": {"$in": [job.id for job in follows]}}, session=session).to_list()
        if not known and await settle(db, session, job_id, origin, "done"):
            for job in follows:
                await promise(db, session, job)
            if also is not None:
                await also(session)

    await together(db, write)


async def settle(db: Database, session: Session | None, job_id: str, origin: str, ending: Ending) -> bool:
    """Tell how the task has ended, once: False when that was known. Rows are kept only of what died: it may
    be replayed.
    """
    if origin:
        done = await db.responses.update_one(
            {"_id": origin, "events": {"$elemMatch": {"id": job_id, "state": "pending"}}},
            {"$set": {"events.$[event].state": ending}},
            array_filters=[{"event.id": job_id}],
            session=session,
        )
        return done.modified_count == 1
    if ending == "dead":
        marked = await db.outbox.update_one({"_id": job_id}, {"$set": {"state": "dead"}}, session=session)
        return marked.modified_count == 1
    gone = await db.outbox.delete_one({"_id": job_id}, session=session)
    return gone.deleted_count == 1


async def take_out(db: Database, response_id: str, event_id: str) -> bool:
    """The event has a row of its own by now, so the response need not keep it. Safe to repeat. False when
    there is no such response: it was purged.
    """
    done = {"$pull": {"events": {"id": event_id}}}
    return (await unsynced(db.responses).update_one({"_id": response_id}, done)).matched_count == 1


async def revive(db: Database, session: Session, job_id: str, origin: str) -> Job | None:
    """The task is to be done anew: the job to send, or None when its event is gone or was not dead."""
    if not origin:
        query = {"_id": job_id, "state": "dead"}
        change = {"$set": {"state": "pending", "created_at": utc_now()}, "$inc": {"replay": 1}}
        await db.outbox.update_one(query, change, session=session)
        row = await db.outbox.find_one({"_id": job_id, "state": "pending"}, session=session)
        return None if row is None else job_of(row)
    await db.responses.update_one(
        {"_id": origin, "events": {"$elemMatch": {"id": job_id, "state": "dead"}}},
        {"$set": {"events.$[event].state": "pending"}, "$inc": {"events.$[event].replay": 1}},
        array_filters=[{"event.id": job_id}],
        session=session,
    )
    response = await db.responses.find_one({"_id": origin}, session=session)
    return next((job for job in jobs_of(response) if job.id == job_id), None) if response else None
