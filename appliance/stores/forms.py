"""Forms, their published versions, and the counters that submissions are numbered by.

Every query goes through `visible`: what a caller may not know of does not exist for them.
A form's counters lie in a document of their own (`form_counters`): `seq` numbers the responses, `taken`
counts the places, `open` holds the groups whose writing is under way, and `gate` repeats the form's `rev`:
a submission that was judged by an older state of the form is not written.
"""

from __future__ import annotations

from typing import Any

from pymongo import ReturnDocument

from appliance.clock import new_id, utc_now
from appliance.domain.access import Caller
from appliance.errors import NotFound, Stale
from appliance.stores import audit, idempotency, pages
from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session, together

NOT_DELETED: Document = {"deleted_at": None}
DEFINITION: Document = {"definition": 0, "schema": 0}
"""To hide the largest fields of a form or version."""


def visible(caller: Caller) -> Document:
    """The one filter that scopes forms to what the caller may see."""
    if caller.is_admin:
        return dict(NOT_DELETED)
    mine = [{"owner": caller.user_id}, {"shares.user_id": caller.user_id}]
    return {**NOT_DELETED, "$or": mine}


async def get(db: Database, form_id: str, *, hide: Document | None = None) -> Document:
    """The stored form, for whoever asks: the service decides what they may see. Raises NotFound."""
    form = await db.forms.find_one({"_id": form_id, **NOT_DELETED}, hide)
    if form is None:
        raise NotFound("There is no such form.")
    return form


async def get_deleted(db: Database, form_id: str) -> Document | None:
    """The form if it is deleted; None if it is there. Raises NotFound when there never was one."""
    form = await db.forms.find_one({"_id": form_id})
    if form is None:
        raise NotFound("There is no such form.")
    return form if form["deleted_at"] is not None else None


async def create(
    db: Database, fields: Document, key: idempotency.Key | None, answer: Any, deed: audit.Entry
) -> Document:
    """Store a draft and, with it, the first answer to its key. Raises DuplicateKeyError for a key in use.

    `answer` makes the document to remember from the stored form; the deed's subject is the new form.
    """
    now = utc_now()
    counter = await db.form_counters.find_one_and_update(
        {"_id": "forms"}, {"$inc": {"number": 1}}, upsert=True, return_document=ReturnDocument.AFTER
    )
    form = {
        "_id": new_id(),
        "number": counter["number"] if counter else 1,
        "status": "draft",
        "version": 0,
        "shares": [],
        "rev": 1,
        "created_at": now,
        "updated_at": now,
        "deleted_at": None,
        **fields,
    }
    start = {"_id": form["_id"], "seq": 0, "taken": 0, "open": [], "gate": 1, "at": now}

    async def write(session: Session) -> None:
        if key is not None:
            await idempotency.remember(db, session, key, answer(form))
        await db.forms.insert_one(form, session=session)
        await db.form_counters.insert_one(start, session=session)
        await audit.record(db, session, deed._replace(subject=form["_id"]))

    await together(db, write)
    return form


async def newest(db: Database, caller: Caller, query: Document, high: int | None, limit: int) -> pages.Page:
    """A page of the forms the caller may see, without their definitions."""
    if high is None:
        counter = await db.form_counters.find_one({"_id": "forms"})
        high = counter["number"] if counter else 0
    span = pages.Span(1, high)
    matching = {**visible(caller), **query}
    return await pages.newest_first(db.forms, {}, matching, "number", span, limit, hide=DEFINITION)


async def change(
    db: Database, form: Document, fields: Document, deed: audit.Entry, *, version: Document | None = None
) -> Document:
    """Write `fields` over the form as it was read, shut the gate on submissions judged by the old state,
    and store a new version with it. Raises Stale when the form was changed since it was read.
    """
    update = {**fields, "rev": form["rev"] + 1, "updated_at": utc_now()}

    async def write(session: Session) -> Document:
        # First: submissions write this row all the time, and from here on they wait for us, not we for them.
        await db.form_counters.update_one(
            {"_id": form["_id"]}, {"$set": {"gate": update["rev"]}}, session=session
        )
        done: Document | None = await db.forms.find_one_and_update(
            {"_id": form["_id"], "rev": form["rev"], "deleted_at": form["deleted_at"]},
            {"$set": update},
            session=session,
            return_document=ReturnDocument.AFTER,
        )
        if done is None:
            raise Stale("The form was changed since you read it; read it again.")
        if version is not None:
            await db.form_versions.insert_one(version, session=session)
        await audit.record(db, session, deed)
        return done

    return await together(db, write)


async def get_version(db: Database, form_id: str, version: int) -> Document:
    """Raises NotFound."""
    row = await db.form_versions.find_one({"form_id": form_id, "version": version})
    if row is None:
        raise NotFound("The form has no such version.")
    return row


async def versions(db: Database, form_id: str) -> list[Document]:
    """All versions, newest first, without their definitions."""
    rows = await db.form_versions.find({"form_id": form_id}, DEFINITION).to_list()
    return sorted(rows, key=lambda row: -int(row["version"]))


async def get_counters(db: Database, form_id: str) -> Document:
    """Raises NotFound."""
    row = await db.form_counters.find_one({"_id": form_id})
    if row is None:
        raise NotFound("There is no such form.")
    return row
