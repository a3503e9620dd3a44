"""What lists show of a form's responses, kept beside the form so that nobody has to count."""

from __future__ import annotations

from appliance.stores.mongo import Database, Document


async def find(db: Database, form_id: str) -> Document | None:
    return await db.form_summaries.find_one({"_id": form_id})


async def refresh(db: Database, form_id: str, seq: int) -> None:
    """Count anew unless response number `seq` is counted already. Safe to repeat and to race."""
    known = await find(db, form_id)
    if known is not None and known["seq"] >= seq:
        return
    counters = await db.form_counters.find_one({"_id": form_id})
    last = await db.responses.find_one({"form_id": form_id, "seq": seq}, {"created_at": 1})
    if counters is None or last is None:
        return
    summary = {"seq": seq, "responses": counters["taken"], "last_response_at": last["created_at"]}
    await db.form_summaries.update_one({"_id": form_id}, {"$setOnInsert": {"seq": 0}}, upsert=True)
    await db.form_summaries.update_one({"_id": form_id, "seq": {"$lt": seq}}, {"$set": summary})
