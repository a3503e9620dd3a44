"""What runs at set times, and when it was last promised: `{_id: name, last}`."""

from __future__ import annotations

import datetime as dt

from pymongo.errors import DuplicateKeyError

from appliance.queue.scripts import Job
from appliance.stores import outbox
from appliance.stores.mongo import Database
from appliance.stores.transactions import Session, together


async def last(db: Database, name: str, now: dt.datetime) -> dt.datetime:
    """When it was last promised. What is new here was so now: it waits for its next time."""
    try:
        await db.cron.insert_one({"_id": name, "last": now})
    except DuplicateKeyError:
        row = await db.cron.find_one({"_id": name})
        return row["last"] if row else now
    return now


async def promise(db: Database, name: str, tick: dt.datetime, job: Job) -> bool:
    """Promise the run of one tick; False when somebody has, or a later one."""

    async def write(session: Session) -> bool:
        done = await db.cron.update_one(
            {"_id": name, "last": {"$lt": tick}}, {"$set": {"last": tick}}, session=session
        )
        if done.modified_count == 1:
            await outbox.promise(db, session, job)
        return done.modified_count == 1

    return await together(db, write)


async def moved(db: Database, name: str, tick: dt.datetime) -> None:
    """It was done for that tick."""
    await db.cron.update_one({"_id": name, "last": {"$lt": tick}}, {"$set": {"last": tick}})
