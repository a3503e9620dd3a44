"""What the task `analyze` does: read responses piece by piece, keep what was found as it is found.

Contract: one piece takes a second or two, and its results are stored with how far the job is before the next
one begins; so a job that is killed goes on where it was, and what was read stays read. Between two pieces it
gives way to whatever waits for the models, and goes on behind that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from appliance.clock import parse_rfc3339, utc_now
from appliance.queue.engine import PREFIX
from appliance.queue.run import Run
from appliance.services import analysis, free_text, webhook_events
from appliance.services.context import Context
from appliance.services.free_text import Text
from appliance.stores import ai_results, forms
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session, together

PIECE = 32
"""Responses that are read together."""
LONGEST = 120.0
"""Seconds that one run goes on for when nobody else waits: well within a task's time."""


class Found(NamedTuple):
    """In one text."""

    result: dict[str, Any]
    """Has `sentiment`, `confidence` and `analysis`."""
    prompt: str
    inference_time: float


class Reader(Protocol):
    """What reads texts: the models, as the task has them."""

    made_by: str
    model: str
    model_sha256: str
    parameters: dict[str, Any]

    def read(self, texts: Sequence[Text]) -> list[Found]:
        """Raises ModelFault."""
        ...

    def usage(self) -> dict[str, float]:
        """Since it was last asked: tokens, seconds of loading."""
        ...


class GivesWay(Exception):
    """Somebody waits: the rest later."""


async def work(
    context: Context,
    run: Run,
    reader: Reader,
    form_id: str,
    response_ids: list[str] | None = None,
    since: str | None = None,
) -> dict[str, Any]:
    """The whole of it, or a part and GivesWay. Raises NotFound, ModelFault."""
    begun = time.monotonic()
    text_of = await free_text.reader(context, form_id)
    wanted = _wanted(response_ids, since)
    counters = await forms.get_counters(context.db, form_id)
    first = {"after": 0, "high": int(counters["seq"]), "done": 0, "skipped": 0, "created_at": utc_now()}
    job = await ai_results.job(context.db, run.id, first)
    while job["after"] < job["high"]:
        await _piece(context, run, reader, job, form_id, wanted, text_of)
        run.progress(job["after"], job["high"], "responses")
        if job["after"] < job["high"] and await _must_give_way(context, begun):
            raise GivesWay
    return await _conclude(context, run, reader, job, form_id)


def _wanted(response_ids: list[str] | None, since: str | None) -> Callable[[Document], bool]:
    ids = None if response_ids is None else frozenset(response_ids)
    start = None if since is None else parse_rfc3339(since)

    def is_wanted(row: Document) -> bool:
        if row["status"] == "deleted" or (ids is not None and row["_id"] not in ids):
            return False
        return start is None or row["created_at"] >= start

    return is_wanted


async def _piece(
    context: Context,
    run: Run,
    reader: Reader,
    job: Document,
    form_id: str,
    is_wanted: Callable[[Document], bool],
    text_of: Callable[[Document], str],
) -> None:
    high = min(job["after"] + PIECE, job["high"])
    query = {"form_id": form_id, "seq": {"$gt": job["after"], "$lte": high}}
    rows = [row for row in await context.db.responses.find(query).to_list() if is_wanted(row)]
    known = await ai_results.known(context.db, [row["_id"] for row in rows], reader.made_by)
    changed = [row for row in rows if known.get(row["_id"]) != row["revision"]]
    texts = [(row, text) for row in changed if (text := text_of(row))]
    found = reader.read([Text(row["_id"], text) for row, text in texts])
    usage, now = reader.usage(), utc_now()
    kept = [
        {
            "_id": row["_id"],
            "kind": "response",
            "form_id": form_id,
            "seq": row["seq"],
            "revision": row["revision"],
            "response_ids": [row["_id"]],
            "prompt": one.prompt,
            "result": one.result,
            "tokens": {name: round(count / len(found), 1) for name, count in usage.items() if name != "load"},
            "load_time": round(usage.get("load", 0.0), 3),
            "inference_time": round(one.inference_time, 4),
            "task_id": run.id,
            "created_at": now,
            **_made(reader),
        }
        for (row, _), one in zip(texts, found, strict=True)
    ]
    await ai_results.keep(context.db, kept)
    job["after"], job["done"] = high, job["done"] + len(kept)
    job["skipped"] += len(rows) - len(kept)
    await ai_results.save_job(context.db, job)


def _made(reader: Reader) -> dict[str, Any]:
    return {
        "made_by": reader.made_by,
        "model": reader.model,
        "model_sha256": reader.model_sha256,
        "parameters": reader.parameters,
    }


async def _must_give_way(context: Context, begun: float) -> bool:
    if time.monotonic() - begun > LONGEST:
        return True
    return bool(await context.redis.llen(f"{PREFIX}list:batched"))


async def _conclude(
    context: Context, run: Run, reader: Reader, job: Document, form_id: str
) -> dict[str, Any]:
    """What all results say together; whoever is interested in the form is told."""
    moods = await ai_results.counts(context.db, form_id, "sentiment")
    total, now = sum(moods.values()), utc_now()
    shares = ", ".join(f"{count} {mood}" for mood, count in sorted(moods.items(), key=lambda each: -each[1]))
    analysis_text = f"{total} responses with free text: {shares}." if total else "No free text."
    result = {
        "analysis": analysis_text,
        "confidence": 1.0 if not total else round(1 - moods.get("unsure", 0) / total, 3),
        "inference_time": round((now - job["created_at"]).total_seconds(), 3),
        "responses": total,
        "sentiment": moods,
        "read": job["done"],
        "unchanged": job["skipped"],
    }
    row = {
        "_id": ai_results.form_row(form_id),
        "kind": "form",
        "form_id": form_id,
        "seq": 0,
        "revision": job["high"],
        "response_ids": [],
        "prompt": "",
        "result": result,
        "tokens": {},
        "load_time": 0.0,
        "inference_time": result["inference_time"],
        "task_id": run.id,
        "created_at": now,
        **_made(reader),
    }
    form = (await context.forms.get(form_id)).row
    told = analysis.insights_shape(row)
    jobs: list[Any] = []

    async def write(session: Session) -> None:
        await ai_results.keep_form(context.db, session, row)
        await ai_results.end_job(context.db, session, run.id)
        jobs[:] = await webhook_events.insight_created(context, session, form, run.id, now, told)

    await together(context.db, write)
    await context.sender.send(jobs)
    return result
