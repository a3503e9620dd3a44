"""Drafts by models that are large enough to write: one response at a time, each stored as it is written."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from appliance.ai.drafts import Drafted
from appliance.queue.run import Run
from appliance.services import analysis_quotes
from appliance.services.analysis_readers import Drafter
from appliance.services.context import Context
from appliance.stores import ai_results
from appliance.stores.mongo import Document

_WINDOW = 50


async def responses(
    context: Context,
    run: Run,
    drafter: Drafter,
    job: Document,
    form_id: str,
    labels: Sequence[str],
    is_wanted: Callable[[str, Any], bool],
    pause: Callable[[], Awaitable[None]],
) -> None:
    """A draft for each result that has none by this model. Raises what `pause` raises, between two."""
    made_by = f"{drafter.made_by}/{hashlib.sha256('|'.join(labels).encode()).hexdigest()[:8]}"
    fields = ("seq", "prompt", "submitted_at", "drafted_by")
    while (after := job["drafted"]) < job["high"]:
        for row in await ai_results.numbered(context.db, form_id, after, after + _WINDOW, fields):
            is_new = "submitted_at" in row and row.get("drafted_by") != made_by
            if is_new and is_wanted(row["_id"], row["submitted_at"]):
                drafted = drafter.of_answer(row["prompt"], labels)
                await ai_results.change(context.db, {row["_id"]: {"drafted_by": made_by, **_fields(drafted)}})
                job["drafted"], job["undrafted"] = row["seq"], job["undrafted"] + (drafted.found is None)
                await ai_results.save_job(context.db, job)
                run.progress(row["seq"], job["high"], "drafts")
                await pause()
        job["drafted"] = after + _WINDOW


def _fields(drafted: Drafted) -> Document:
    return {
        "result.draft": drafted.found is not None,
        "result.drafted": drafted.found,
        "result.undrafted": drafted.fault,
        "draft": {"tokens": drafted.usage._asdict(), "inference_time": round(drafted.inference_time, 3)},
    }


async def form(context: Context, drafter: Drafter, found: dict[str, Any]) -> Document:
    """A summary of the form's quotes in the model's words, with the responses that it rests on."""
    quotes = [*found["quotes"], *(quote for topic in found["topics"] for quote in topic["quotes"])]
    words = await analysis_quotes.words(context, quotes)
    drafted = drafter.of_form(list(dict.fromkeys(words.values())))
    return {
        "summary": (drafted.found or {}).get("summary"),
        "undrafted": drafted.fault,
        "rests_on": sorted({key.response_id for key in words}),
    }
