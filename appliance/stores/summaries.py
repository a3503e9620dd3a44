"""What lists show of a form's responses, kept beside the form so that nobody has to count."""

from __future__ import annotations

from appliance.stores.mongo import Database, Document
from appliance.stores.response_writer import unwritten


async def find(db: Database, form_id: str) -> Document | None:
    return await db.form_summaries.find_one({"_id": form_id})


async def refresh(db: Database, form_id: str, seq: int) -> None:
    """Count anew unless response number `seq` is counted already. Safe to repeat and to race.

    Each value only grows, so the newest wins; whoever purges rows must write the summary himself.
    `seq` is the number up to which all is decided: lower ones are neither missing nor under way.
    """
    known = await find(db, form_id)
    if known is not None and known["seq"] >= seq:
        return
    counters = await db.form_counters.find_one({"_id": form_id})
    last = await db.responses.find_one({"form_id": form_id, "seq": seq}, {"created_at": 1})
    if counters is None or last is None:
        return
    responses, decided = counters["taken"], counters["seq"]
    for entry in counters["open"]:
        # Places may be given back later: those of refused rows, and of writers that died.
        if empty := await unwritten(db, form_id, entry):
            responses, decided = responses - empty, min(decided, entry["upto"] - entry["n"])
    summary = {"seq": decided, "responses": responses, "last_response_at": last["created_at"]}
    await db.form_summaries.update_one({"_id": form_id}, {"$max": summary}, upsert=True)
