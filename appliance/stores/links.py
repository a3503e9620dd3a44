"""Links through which a form can be answered that is not public.

A row is `{_id, form_id, number, token_hash, single_use, expires_at, note, created_at, created_by,
withdrawn_at}`. The token itself is not kept. That a single-use link was used is kept by the response alone
(its `person`), so both are one write.
"""

from __future__ import annotations

import hashlib

from appliance.clock import utc_now
from appliance.errors import NotFound
from appliance.stores import audit, pages
from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session, changed, together


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def create(db: Database, session: Session, row: Document) -> Document:
    """The row as stored. Raises NotFound when the form went away meanwhile."""
    counters = await changed(db.form_counters, {"_id": row["form_id"]}, {"$inc": {"links": 1}}, session)
    if counters is None:
        raise NotFound("There is no such form.")
    stored = {**row, "number": counters["links"], "withdrawn_at": None}
    await db.links.insert_one(stored, session=session)
    await audit.record(
        db, session, audit.Entry(row["created_by"], "link.created", row["_id"], {"form_id": row["form_id"]})
    )
    return stored


async def find_by_token(db: Database, token: str) -> Document | None:
    return await db.links.find_one({"token_hash": token_hash(token)})


async def newest(db: Database, form_id: str, high: int | None, limit: int) -> pages.Page:
    """A page of the links that were not withdrawn."""
    if high is None:
        counters = await db.form_counters.find_one({"_id": form_id}, {"links": 1})
        high = int((counters or {}).get("links", 0))
    query: Document = {"form_id": form_id, "withdrawn_at": None}
    return await pages.newest_first(db.links, {}, query, "number", pages.Span(1, high), limit)


async def withdraw(db: Database, form_id: str, link_id: str, actor: str) -> None:
    """Raises NotFound for a link that there is not (any more)."""

    async def write(session: Session) -> None:
        query = {"_id": link_id, "form_id": form_id, "withdrawn_at": None}
        done = await db.links.update_one(query, {"$set": {"withdrawn_at": utc_now()}}, session=session)
        if done.matched_count == 0:
            raise NotFound("The form has no such link.")
        await audit.record(db, session, audit.Entry(actor, "link.withdrawn", link_id, {"form_id": form_id}))

    await together(db, write)
