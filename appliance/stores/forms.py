"""Forms, their published versions, and the counters that submissions are numbered by.

Every query goes through `visible`: what a caller may not know of does not exist for them.
A form's counters lie in a document of their own (`form_counters`): `seq` numbers the responses, `taken`
counts the places, `open` holds the groups whose writing is under way, and `gate` repeats the form's `rev`:
a submission that was judged by an older state of the form is not written. `counts`, `epoch` and `moves` are
those of `quotas`, `purged` is that of `retained`. A deleted form that is `purging` cannot be restored.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from appliance.clock import new_id, utc_now
from appliance.domain.access import Caller
from appliance.errors import NotFound
from appliance.stores import audit, idempotency, pages, quotas
from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import (
    Overtaken,
    Session,
    changed,
    last_number,
    next_number,
    together,
)

Also = Callable[[Session, Document], Awaitable[None]]
"""What belongs to a change of a form: it gets the form as changed. It must be safe to run twice."""

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


async def find_id(db: Database, slug: str) -> str | None:
    """Of the form at this slug, which never changes; deleted ones are found too."""
    row = await db.forms.find_one({"slug": slug}, {"_id": 1})
    return None if row is None else str(row["_id"])


async def get_deleted(db: Database, form_id: str) -> Document | None:
    """The form if it is deleted; None if it is there. Raises NotFound when there is none (any more)."""
    form = await db.forms.find_one({"_id": form_id})
    if form is None or form.get("purging"):
        raise NotFound("There is no such form.")
    return form if form["deleted_at"] is not None else None


async def create(
    db: Database, fields: Document, key: idempotency.Key | None, answer: Any, deed: audit.Entry
) -> Document:
    """Store a draft and, with it, the first answer to its key. Raises DuplicateKeyError for a key in use.

    `answer` makes the document to remember from the stored form; the deed's subject is the new form.
    """
    now = utc_now()
    form = {
        "_id": new_id(),
        "number": 0,
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
        form["number"] = await next_number(db, session, "forms")
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
        high = await last_number(db, "forms")
    span = pages.Span(1, high)
    matching = {**visible(caller), **query}
    return await pages.newest_first(db.forms, {}, matching, "number", span, limit, hide=DEFINITION)


async def managed(db: Database, caller: Caller, most: int) -> list[str]:
    """The ids of the forms that the caller owns or was given to manage; `most` of them."""
    share = {"shares": {"$elemMatch": {"user_id": caller.user_id, "level": "manage"}}}
    query = {**NOT_DELETED, "$or": [{"owner": caller.user_id}, share]}
    return [row["_id"] for row in await db.forms.find(query, {"_id": 1}).limit(most).to_list()]


async def change(
    db: Database,
    form: Document,
    fields: Document,
    deed: audit.Entry,
    *,
    version: Document | None = None,
    also: Also | None = None,
) -> Document:
    """Write `fields` over the form as it was read, shut the gate on submissions judged by the old state,
    and with it store a new version and what `also` writes. Raises Overtaken when the form was changed since
    it was read.
    """
    update = {**fields, "rev": form["rev"] + 1, "updated_at": utc_now()}

    async def write(session: Session) -> Document:
        # First: submissions write this row all the time, and from here on they wait for us, not we for them.
        recounted = {} if fields.keys().isdisjoint({"settings", "version"}) else quotas.FORGET
        await db.form_counters.update_one(
            {"_id": form["_id"]}, {"$set": {"gate": update["rev"]}, **recounted}, session=session
        )
        query = {"_id": form["_id"], "rev": form["rev"], "deleted_at": form["deleted_at"]}
        done = await changed(db.forms, query, {"$set": update}, session)
        if done is None:
            raise Overtaken("The form was changed since you read it; read it again.")
        if version is not None:
            await db.form_versions.insert_one(version, session=session)
        if also is not None:
            await also(session, done)
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
