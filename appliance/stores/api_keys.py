"""API keys, found by their id; of the secret only a hash is kept."""

from __future__ import annotations

from appliance.clock import utc_now
from appliance.stores import audit, pages
from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session, last_number, next_number

_NUMBER = "api_keys"


def key(key_id: str) -> str:
    """The name of a key among the generations."""
    return f"key:{key_id}"


async def find(db: Database, key_id: str) -> Document | None:
    return await db.api_keys.find_one({"_id": key_id})


async def insert(db: Database, session: Session, fields: Document, actor: str) -> Document:
    number = await next_number(db, session, _NUMBER)
    row = {**fields, "number": number, "created_at": utc_now()}
    await db.api_keys.insert_one(row, session=session)
    details = {"name": row["name"], "scopes": row["scopes"]}
    await audit.record(db, session, audit.Entry(actor, "key.created", row["_id"], details))
    return row


async def delete(db: Database, session: Session, row: Document, actor: str) -> None:
    """Safe to repeat: only the first time is told."""
    done = await db.api_keys.delete_one({"_id": row["_id"]}, session=session)
    if done.deleted_count:
        details = {"name": row["name"], "user_id": row["user_id"]}
        await audit.record(db, session, audit.Entry(actor, "key.deleted", row["_id"], details))


async def delete_of(db: Database, session: Session, user_id: str) -> None:
    """All keys of one account."""
    await db.api_keys.delete_many({"user_id": user_id}, session=session)


async def newest(db: Database, user_id: str | None, high: int | None, limit: int) -> pages.Page:
    """A page of the keys of one account, or of all, newest first."""
    if high is None:
        high = await last_number(db, _NUMBER)
    query: Document = {} if user_id is None else {"user_id": user_id}
    return await pages.newest_first(
        db.api_keys, {}, query, "number", pages.Span(1, high), limit, hide={"hash": 0}
    )
