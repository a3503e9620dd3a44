"""What models have found, for good: one row a response, one a form, and how far a job is.

A row of `ai_results` is `{_id, kind, form_id, seq, revision, response_ids, made_by, model, model_sha256,
parameters, prompt, result, tokens, load_time, inference_time, task_id, created_at}`. `kind` is
`response`, whose `_id` and `seq` are the response's and whose `revision` is the state that was read, or
`form`, with the id `form:<form_id>` and the seq 0. `made_by` changes with whatever would make another
result of the same text. What is found of a response goes when the response is deleted.

A row of `ai_jobs` is `{_id: the task's, after, high, done, skipped, created_at}`: all up to the number
`after` is dealt with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import DeleteMany, ReplaceOne

from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session


def form_row(form_id: str) -> str:
    return f"form:{form_id}"


async def known(db: Database, response_ids: Sequence[str], made_by: str) -> dict[str, int]:
    """Of which revision of these responses there is a result, made in this way."""
    query = {"_id": {"$in": list(response_ids)}, "made_by": made_by}
    rows = await db.ai_results.find(query, {"revision": 1}).to_list()
    return {row["_id"]: row["revision"] for row in rows}


async def keep(db: Database, rows: Sequence[Document]) -> None:
    """In place of earlier results. Of responses that were deleted meanwhile nothing is kept."""
    if not rows:
        return
    ids = [row["_id"] for row in rows]
    await db.ai_results.bulk_write([ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])
    living = await db.responses.find(
        {"_id": {"$in": ids}, "status": {"$ne": "deleted"}}, {"_id": 1}
    ).to_list()
    if gone := set(ids) - {row["_id"] for row in living}:
        await db.ai_results.bulk_write([DeleteMany({"_id": {"$in": sorted(gone)}})])


async def keep_form(db: Database, session: Session, row: Document) -> None:
    await db.ai_results.replace_one({"_id": row["_id"]}, row, upsert=True, session=session)


async def find_form(db: Database, form_id: str) -> Document | None:
    return await db.ai_results.find_one({"_id": form_row(form_id)})


async def forget(db: Database, session: Session | None, response_ids: Sequence[str]) -> None:
    await db.ai_results.delete_many({"_id": {"$in": list(response_ids)}}, session=session)


async def window(db: Database, form_id: str, low: int, high: int) -> list[Document]:
    """Results of responses with numbers from `low` to `high`, the newest first."""
    query = {"form_id": form_id, "seq": {"$gte": low, "$lte": high}}
    return await db.ai_results.find(query).sort("seq", -1).to_list()


async def counts(db: Database, form_id: str, field: str) -> dict[str, int]:
    """How many results of a form have each value of a field of the result."""
    found: dict[str, int] = {}
    query = {"form_id": form_id, "seq": {"$gte": 1}}
    async for row in db.ai_results.find(query, {f"result.{field}": 1}):
        value = str(row["result"].get(field))
        found[value] = found.get(value, 0) + 1
    return found


# -- jobs


async def job(db: Database, task_id: str, first: Mapping[str, Any]) -> Document:
    """How far the job is; `first` where it has not begun."""
    row = await db.ai_jobs.find_one({"_id": task_id})
    return row or {"_id": task_id, **first}


async def save_job(db: Database, row: Document) -> None:
    await db.ai_jobs.replace_one({"_id": row["_id"]}, row, upsert=True)


async def end_job(db: Database, session: Session | None, task_id: str) -> None:
    await db.ai_jobs.delete_one({"_id": task_id}, session=session)
