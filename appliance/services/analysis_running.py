"""What the task `analyze` does: read responses piece by piece, keep what was found as it is found.

Contract: one piece takes a second or two, and its results are stored with how far the job is before the next
one begins; so a job that is killed goes on where it was, and what was read stays read. Between two pieces it
gives way to whatever waits for the models, and goes on behind that. Then larger models write drafts
(`analysis_drafting`), and what the answers say together is settled (`analysis_settling`), in the same way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from appliance.clock import parse_rfc3339, utc_now
from appliance.queue.engine import PREFIX
from appliance.queue.run import Run
from appliance.services import analysis_ending, free_text
from appliance.services.analysis_readers import Reader, made
from appliance.services.context import Context
from appliance.stores import ai_results, forms
from appliance.stores.mongo import Document

if TYPE_CHECKING:
    from appliance.ai.reading import Reading

PIECE = 32
"""Responses that are read together."""
LONGEST = 120.0
"""Seconds that one run goes on for when nobody else waits: well within a task's time."""


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
    from appliance.services import analysis_drafting, analysis_settling  # they bring NumPy

    begun = time.monotonic()
    form = (await context.forms.get(form_id)).row
    labels: list[str] = form["settings"].get("categories", [])
    job = await _job(context, run, form_id)
    is_wanted = _wanted(response_ids, since)

    async def pause() -> None:
        if await _must_give_way(context, begun):
            raise GivesWay

    text_of = await free_text.reader(context, form_id)
    while job["after"] < job["high"]:
        await _piece(context, run, reader, job, form_id, is_wanted, text_of)
        run.progress(job["after"], job["high"], "responses")
        await pause()
    if reader.drafter is not None:
        await analysis_drafting.responses(
            context, run, reader.drafter, job, form_id, labels, is_wanted, pause
        )
    found = await analysis_settling.settle(context, form_id, reader.made_by, labels, reader.embed, pause)
    if reader.drafter is not None:
        found["draft"] = await analysis_drafting.form(context, reader.drafter, found)
    return await analysis_ending.conclude(context, run, reader, job, form, found)


async def _job(context: Context, run: Run, form_id: str) -> Document:
    counters = await forms.get_counters(context.db, form_id)
    first = {"after": 0, "high": int(counters["seq"]), "done": 0, "skipped": 0, "drafted": 0, "undrafted": 0}
    return await ai_results.job(context.db, run.id, {**first, "created_at": utc_now()})


def _wanted(response_ids: list[str] | None, since: str | None) -> Callable[[str, Any], bool]:
    """Of a response's id and when it was submitted."""
    ids = None if response_ids is None else frozenset(response_ids)
    start = None if since is None else parse_rfc3339(since)

    def is_wanted(response_id: str, submitted_at: Any) -> bool:
        return (ids is None or response_id in ids) and (start is None or submitted_at >= start)

    return is_wanted


async def _piece(
    context: Context,
    run: Run,
    reader: Reader,
    job: Document,
    form_id: str,
    is_wanted: Callable[[str, Any], bool],
    text_of: Callable[[Document], str],
) -> None:
    high = min(job["after"] + PIECE, job["high"])
    query = {"form_id": form_id, "seq": {"$gt": job["after"], "$lte": high}, "status": {"$ne": "deleted"}}
    listed = await context.db.responses.find(query).sort("seq", 1).to_list()
    rows = [row for row in listed if is_wanted(row["_id"], row["created_at"])]
    known = await ai_results.known(context.db, [row["_id"] for row in rows], reader.made_by)
    changed = [row for row in rows if known.get(row["_id"]) != row["revision"]]
    texts = [(row, text) for row in changed if (text := text_of(row))]
    found = reader.read([text for _, text in texts])
    usage = reader.usage()
    load = {"load_time": round(usage.pop("load", 0.0), 3)}
    tokens = {name: round(count / len(found), 1) for name, count in usage.items()} if found else {}
    how = {"task_id": run.id, "created_at": utc_now(), "tokens": tokens, **load, **made(reader)}
    kept = [{**_row(row, one), **how} for (row, _), one in zip(texts, found, strict=True)]
    await ai_results.keep(context.db, kept)
    job["after"], job["done"] = high, job["done"] + len(kept)
    job["skipped"] += len(rows) - len(kept)
    await ai_results.save_job(context.db, job)


def _row(response: Document, one: Reading) -> Document:
    return {
        "_id": response["_id"],
        "kind": "response",
        "form_id": response["form_id"],
        "seq": response["seq"],
        "revision": response["revision"],
        "response_ids": [response["_id"]],
        "submitted_at": response["created_at"],
        "prompt": one.text,
        "result": one.result,
        "sentences": one.sentences,
        "vectors": one.vectors,
        "signature": one.signature,
        "inference_time": round(one.inference_time, 4),
    }


async def _must_give_way(context: Context, begun: float) -> bool:
    if time.monotonic() - begun > LONGEST:
        return True
    return bool(await context.redis.llen(f"{PREFIX}list:batched"))
