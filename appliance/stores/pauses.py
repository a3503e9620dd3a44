"""Which queues are paused: `{_id: queue, paused}`."""

from __future__ import annotations

from appliance.stores import audit
from appliance.stores.mongo import Database
from appliance.stores.transactions import Session, together


async def paused(db: Database) -> set[str]:
    """The names of the paused queues."""
    return {row["_id"] for row in await db.queues.find({}).to_list() if row["paused"]}


async def write(db: Database, queue: str, is_paused: bool, deed: audit.Entry) -> None:
    """The same again is no deed."""

    async def write_all(session: Session) -> None:
        known = await db.queues.find_one({"_id": queue}, session=session)
        if bool(known and known["paused"]) == is_paused:
            return
        await db.queues.update_one(
            {"_id": queue}, {"$set": {"paused": is_paused}}, upsert=True, session=session
        )
        await audit.record(db, session, deed)

    await together(db, write_all)


async def record(db: Database, deed: audit.Entry) -> None:
    """What was done to a queue, where nothing else is written."""

    async def write_all(session: Session) -> None:
        await audit.record(db, session, deed)

    await together(db, write_all)
