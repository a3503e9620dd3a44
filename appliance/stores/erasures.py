"""Erasures of what is kept of a person: one row each, which stays as a record.

    finding ──▶ found ──confirmed──▶ erasing ──▶ erased
       │          └──nobody confirms it for a week──▶ expired
       └──▶ refused (it names more than one person), or counted (dry_run)

    finding, erasing ──its task fails for good──▶ failed ──confirmed, where something was found──▶ erasing

A row is `{_id, number, state, dry_run, account, user_id, by, fingerprint, form_id, actor, asked_at, found_at,
confirmed_by, erased_at, found, error}`; `user_id` is that of an account that goes too, `fingerprint` a keyed
hash of what was asked. That itself is in `subject`, sealed, only until it was looked for; what was found is
in `finds`, as `{form_id: {responses: [ids], partials: [ids], submitted: [ids]}}`, until it is erased, and
`found` has its counts; `submitted` are the half-filled ones that these responses were before. `purged_at` is
when the last of it had gone from the database.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from appliance.errors import Conflict, NotFound
from appliance.queue.scripts import Job
from appliance.stores import audit, outbox, pages, users
from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session, last_number, next_number, together

FIND: Final = "find_subject"
ERASE: Final = "erase_subject"
KEPT: Final = dt.timedelta(days=7)
"""How long what was found waits to be confirmed."""
_NUMBER: Final = "erasures"
_CONFIRMED: Final = ("erasing", "failed")
_HIDDEN: Final[Document] = {"subject": 0, "finds": 0}


async def insert(db: Database, session: Session, row: Document, job: Job, deed: audit.Entry) -> None:
    """With the promise to look for it."""
    number = await next_number(db, session, _NUMBER)
    await db.erasures.insert_one({**row, "number": number}, session=session)
    await outbox.promise(db, session, job)
    await audit.record(db, session, deed)


async def find(db: Database, erasure_id: str) -> Document | None:
    """With what it asks for and what was found."""
    return await db.erasures.find_one({"_id": erasure_id})


async def get(db: Database, erasure_id: str) -> Document:
    """Raises NotFound."""
    row = await find(db, erasure_id)
    if row is None:
        raise NotFound("There is no such erasure.")
    return row


async def newest(db: Database, high: int | None, limit: int) -> pages.Page:
    if high is None:
        high = await last_number(db, _NUMBER)
    return await pages.newest_first(db.erasures, {}, {}, "number", pages.Span(1, high), limit, hide=_HIDDEN)


async def settle(db: Database, erasure_id: str, state: str, **fields: Any) -> None:
    """It was looked for: nobody need know any more whom it asked for. Safe to repeat."""
    change = {"$set": {"state": state, **fields}, "$unset": {"subject": ""}}
    await db.erasures.update_one({"_id": erasure_id, "state": "finding"}, change)


async def confirm(db: Database, erasure_id: str, account: str | None, job: Job, deed: audit.Entry) -> None:
    """Promise that it is erased, with the account. Raises Conflict for one that is not waiting for that, and
    for the last active admin.
    """

    async def write(session: Session) -> None:
        if account is not None:
            await users.check_erasable(db, session, account)
        told = {"state": "erasing", "confirmed_by": deed.actor, "task_id": job.id}
        query = {"_id": erasure_id, "state": {"$in": ["found", "failed"]}, "finds": {"$exists": True}}
        change = {"$set": told, "$unset": {"error": ""}}
        done = await db.erasures.update_one(query, change, session=session)
        if not done.matched_count:
            raise Conflict("Only what was found, and is not erased yet, can be erased.")
        await outbox.promise(db, session, job)
        await audit.record(db, session, deed)

    await together(db, write)


async def note_finds(db: Database, erasure_id: str, finds: Document, found: list[Document]) -> None:
    """What half-filled ones have become since. Safe to repeat."""
    change = {"$set": {"finds": finds, "found": found}, "$unset": {"purged_at": ""}}
    await db.erasures.update_one({"_id": erasure_id, "state": {"$in": [*_CONFIRMED]}}, change)


async def note_purged(db: Database, erasure_id: str, at: dt.datetime) -> dt.datetime:
    """All of it is out of the database, since then: the first time counts."""
    query = {"_id": erasure_id, "purged_at": {"$exists": False}}
    await db.erasures.update_one(query, {"$set": {"purged_at": at}})
    row = await db.erasures.find_one({"_id": erasure_id}, {"purged_at": 1})
    return row["purged_at"] if row else at


async def fail(db: Database, erasure_id: str, task: str, why: str) -> None:
    """Its task has failed for good, or was cancelled; what was found can be confirmed again. Repeatable."""
    state = "finding" if task == FIND else "erasing"
    change = {"$set": {"state": "failed", "error": why}, "$unset": {"subject": ""}}
    await db.erasures.update_one({"_id": erasure_id, "state": state}, change)


async def end(db: Database, erasure_id: str, at: dt.datetime) -> None:
    """Nothing is left of it. Safe to repeat."""
    change = {"$set": {"state": "erased", "erased_at": at}, "$unset": {"finds": "", "error": ""}}
    await db.erasures.update_one({"_id": erasure_id, "state": {"$in": [*_CONFIRMED]}}, change)


async def sealed(db: Database) -> list[Document]:
    """Those that are looked for yet, with what was asked."""
    rows = await db.erasures.find({"state": "finding"}, {"subject": 1}).to_list()
    return [row for row in rows if "subject" in row]


async def replace_sealed(db: Database, erasure_id: str, before: bytes, after: bytes) -> int:
    """The same question, sealed anew; 0 where it was changed since."""
    query = {"_id": erasure_id, "subject": before}
    return (await db.erasures.update_one(query, {"$set": {"subject": after}})).modified_count


async def expire(db: Database, now: dt.datetime) -> int:
    """Let go of what nobody has confirmed, and of what could not be looked for; of how many."""
    waiting = {"state": {"$in": ["finding", "found"]}}
    query = {"$or": [waiting, {"state": "failed", "finds": {"$exists": True}}]}
    rows = await db.erasures.find(query, {"state": 1, "asked_at": 1, "found_at": 1}).to_list()
    old = [row for row in rows if (row.get("found_at") or row["asked_at"]) < now - KEPT]
    for row in old:
        state = "failed" if row["state"] == "failed" else "expired"  # some of it may be gone
        change = {"$set": {"state": state}, "$unset": {"finds": "", "subject": ""}}
        await db.erasures.update_one({"_id": row["_id"], "state": row["state"]}, change)
    return len(old)


async def put(db: Database, row: Document) -> None:
    """One that is known from its record, where the database is older than it."""
    known = await find(db, row["_id"])
    if known is None:
        row = {**row, "number": await together(db, lambda session: next_number(db, session, _NUMBER))}
    else:
        row = {**row, "number": known["number"]}
    await db.erasures.replace_one({"_id": row["_id"]}, row, upsert=True)
