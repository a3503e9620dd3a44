"""The end of an analysis: what was found is kept, whoever is interested is told, and the job is over."""

from __future__ import annotations

from typing import Any

from appliance.clock import utc_now
from appliance.queue.run import Run
from appliance.services import analysis_forms, webhook_events
from appliance.services.analysis_readers import Reader, made
from appliance.services.context import Context
from appliance.stores import ai_results
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session, together


async def conclude(
    context: Context, run: Run, reader: Reader, job: Document, form: Document, found: dict[str, Any]
) -> dict[str, Any]:
    """What all results say together is kept, and whoever is interested in the form is told.

    What the task itself ends with is counts alone: it is known for an hour, whatever is deleted meanwhile.
    """
    moods, total, now = found["sentiment"], found["responses"], utc_now()
    told = {
        "analysis": _in_a_sentence(total, moods),
        "confidence": 0.0 if not total else round(1 - moods.get("unsure", 0) / total, 3),
        "inference_time": round((now - job["created_at"]).total_seconds(), 3),
    }
    row = {
        "_id": ai_results.form_row(form["_id"]),
        "kind": "form",
        "form_id": form["_id"],
        "seq": 0,
        "revision": job["high"],
        "response_ids": [],
        "prompt": "",
        "result": {**told, **found},
        "tokens": {},
        "load_time": 0.0,
        "inference_time": told["inference_time"],
        "task_id": run.id,
        "created_at": now,
        **made(reader),
    }
    jobs: list[Any] = []

    async def write(session: Session) -> None:
        draft = row["result"].get("draft")
        if draft is not None and not await ai_results.all_there(context.db, session, draft["rests_on"]):
            del row["result"]["draft"]  # somebody took back or changed what it rests on, just now
        await ai_results.keep_form(context.db, session, row)
        await ai_results.end_job(context.db, session, run.id)
        shown = analysis_forms.without_words(row)
        jobs[:] = await webhook_events.insight_created(context, session, form, run.id, now, shown)

    await together(context.db, write)
    await context.sender.send(jobs)
    counts = {"read": job["done"], "unchanged": job["skipped"], "undrafted": job["undrafted"]}
    return {**told, "responses": total, "sentiment": moods, **counts}


def _in_a_sentence(total: int, moods: dict[str, int]) -> str:
    if not total:
        return "No free text."
    shares = ", ".join(f"{count} {mood}" for mood, count in sorted(moods.items(), key=lambda each: -each[1]))
    return f"{total} {'response' if total == 1 else 'responses'} with free text: {shares}."
