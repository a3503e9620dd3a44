"""Taking whole forms out for good, once they have been deleted for long.

    deleted ──`begin`──▶ purging, not to be restored ──its responses, then `belongings`──▶ `end`: gone

Contract: each step may be done again, and a form that is purging is purged further by whoever looks at it
next. It is there, for nobody to see, until the last of its files has gone.
"""

from __future__ import annotations

from appliance.clock import utc_now
from appliance.stores import ai_results, audit, files, purged
from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session, together

_PIECE = 200


async def window(db: Database, low: int, high: int) -> list[Document]:
    """Forms with numbers above `low` up to `high`, in their order: when they were deleted, what they keep."""
    shown = {"number": 1, "rev": 1, "deleted_at": 1, "purging": 1, "settings.retention_days": 1}
    rows = await db.forms.find({"number": {"$gt": low, "$lte": high}}, shown).to_list()
    return sorted(rows, key=lambda row: int(row["number"]))


async def begin(db: Database, form: Document) -> bool:
    """From now on it cannot be restored. False when it was, just now."""
    if form.get("purging"):
        return True
    query = {"_id": form["_id"], "rev": form["rev"], "deleted_at": form["deleted_at"]}
    change = {"$set": {"purging": True}, "$inc": {"rev": 1}}
    return (await db.forms.update_one(query, change)).matched_count == 1


async def belongings(db: Database, form_id: str) -> None:
    """All but its responses and itself."""
    await _delete(db, "partials", form_id)
    await _delete(db, "links", form_id)
    await _delete(db, "form_versions", form_id)
    await _delete(db, "webhooks", form_id)
    await db.ai_results.delete_one({"_id": ai_results.form_row(form_id)})
    await db.ai_embedded.delete_one({"_id": form_id})
    await files.let_go_of_form(db, form_id)


async def _delete(db: Database, name: str, form_id: str) -> None:
    """Some at a time: a form may have 20,000 half-filled responses."""
    rows = db[name]
    while found := await rows.find({"form_id": form_id}, {"_id": 1}).limit(_PIECE).to_list():
        await rows.delete_many({"_id": {"$in": [row["_id"] for row in found]}})


async def end(db: Database, form_id: str) -> bool:
    """Take the form itself out. False while there is a response or a file of it."""
    if await files.any_of_form(db, form_id) or await _any_response(db, form_id):
        return False

    async def write(session: Session) -> None:
        gone = await db.forms.delete_one({"_id": form_id}, session=session)
        await db.form_counters.delete_one({"_id": form_id}, session=session)
        await db.form_storage.delete_one({"_id": form_id}, session=session)
        await purged.note_form(db, session, form_id, utc_now())
        if gone.deleted_count:
            await audit.record(db, session, audit.Entry(None, "form.purged", form_id, {"because": "deleted"}))

    await together(db, write)
    return True


async def _any_response(db: Database, form_id: str) -> bool:
    return await db.responses.find_one({"form_id": form_id}, {"_id": 1}) is not None
