"""What runs at set times, and when it was last promised: `{_id: name, last}`."""

from __future__ import annotations

import datetime as dt
from typing import Final

from pymongo.errors import DuplicateKeyError

from appliance.queue.scripts import Job
from appliance.stores import outbox
from appliance.stores.mongo import Database
from appliance.stores.transactions import Session, together

AHEAD: Final = dt.timedelta(hours=1)
"""What is later than now by more was noted while the clock was wrong."""


async def last(db: Database, name: str, now: dt.datetime) -> dt.datetime:
    """When it was last promised. What is new here was so now: it waits for its next time; and so does what
    was promised by a clock that was ahead.
    """
    try:
        await db.cron.insert_one({"_id": name, "last": now})
        return now
    except DuplicateKeyError:
        row = await db.cron.find_one({"_id": name})
    if row is None or not is_ahead(row["last"], now):
        return row["last"] if row else now
    await db.cron.update_one({"_id": name, "last": row["last"]}, {"$set": {"last": now}})
    return now


def is_ahead(last: dt.datetime, now: dt.datetime) -> bool:
    return last > now + AHEAD


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
