"""What models have found, for good: one row a response, one a form, and how far a job is.

A row of `ai_results` is `{_id, kind, form_id, seq, revision, response_ids, made_by, model, model_sha256,
parameters, prompt, result, tokens, load_time, inference_time, task_id, created_at, changed_at}`. `kind` is
`response`, whose `_id` and `seq` are the response's, whose `revision` is the state that was read and whose
`prompt` is the text, with `{submitted_at, sentences, vectors, signature, drafted_by, draft}` beside; or
`form`, with the id `form:<form_id>` and the seq 0. `made_by` changes with whatever would make another result
of the same text.

What is found of a response goes when it is deleted or its answers change. A form's row names what it quotes
(`{response_id, revision, sentence}`) and holds no words of theirs, except in a `draft`, which goes when one
of the responses does that it rests on.

A row of `ai_jobs` is `{_id: the task's, after, high, done, skipped, drafted, undrafted, created_at}`: all up
to the number `after` is read, all up to `drafted` has its draft.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import DeleteMany, ReplaceOne, UpdateOne

from appliance.clock import utc_now
from appliance.stores.mongo import Database, Document, unsynced
from appliance.stores.transactions import Session, together


def form_row(form_id: str) -> str:
    return f"form:{form_id}"


async def known(db: Database, response_ids: Sequence[str], made_by: str) -> dict[str, int]:
    """Of which revision of these responses there is a result, made in this way."""
    query = {"_id": {"$in": list(response_ids)}}
    rows = await db.ai_results.find(query, {"revision": 1, "made_by": 1}).to_list()
    return {row["_id"]: row["revision"] for row in rows if row["made_by"] == made_by}


async def keep(db: Database, rows: Sequence[Document]) -> None:
    """In place of earlier results. Of responses that were deleted or changed meanwhile nothing is kept."""
    if not rows:
        return
    await together(db, lambda session: _write(db, session, rows))
    # With a mongod, a deletion may have been committed beside it: it found nothing to delete.
    revisions = await _revisions(db, None, rows)
    if gone := [row["_id"] for row in rows if revisions.get(row["_id"]) != row["revision"]]:
        await db.ai_results.bulk_write([DeleteMany({"_id": {"$in": gone}})])


async def _write(db: Database, session: Session, rows: Sequence[Document]) -> None:
    revisions = await _revisions(db, session, rows)
    kept = [row for row in rows if revisions.get(row["_id"]) == row["revision"]]
    if kept:
        now = {"changed_at": utc_now()}
        writes = [ReplaceOne({"_id": row["_id"]}, row | now, upsert=True) for row in kept]
        await db.ai_results.bulk_write(writes, session=session)


async def _revisions(db: Database, session: Session | None, rows: Sequence[Document]) -> dict[str, int]:
    """Of those that are not deleted."""
    query = {"_id": {"$in": [row["_id"] for row in rows]}, "status": {"$ne": "deleted"}}
    found = await db.responses.find(query, {"revision": 1}, session=session).to_list()
    return {row["_id"]: row["revision"] for row in found}


async def keep_form(db: Database, session: Session, row: Document) -> None:
    await db.ai_results.replace_one({"_id": row["_id"]}, row, upsert=True, session=session)


async def all_there(db: Database, session: Session, response_ids: Sequence[str]) -> bool:
    """Whether each of these responses has a result: it has none from its deletion or change on."""
    ids = list(response_ids)
    return await db.ai_results.count_documents({"_id": {"$in": ids}}, session=session) == len(ids)


async def find_form(db: Database, form_id: str) -> Document | None:
    return await db.ai_results.find_one({"_id": form_row(form_id)})


async def forget(db: Database, session: Session | None, form_id: str, response_ids: Sequence[str]) -> None:
    """What was found of these responses of a form, and what was written from it."""
    ids = list(response_ids)
    await db.ai_results.delete_many({"_id": {"$in": ids}}, session=session)
    await db.ai_results.update_one(
        {"_id": form_row(form_id), "result.draft.rests_on": {"$in": ids}},
        {"$unset": {"result.draft": 1}},
        session=session,
    )


async def window(db: Database, form_id: str, low: int, high: int) -> list[Document]:
    """Results of responses with numbers from `low` to `high`, the newest first."""
    query = {"form_id": form_id, "seq": {"$gte": low, "$lte": high}}
    return await db.ai_results.find(query).sort("seq", -1).to_list()


# -- all of a form


async def numbered(
    db: Database, form_id: str, after: int, high: int, fields: Sequence[str]
) -> list[Document]:
    """Results of a form's responses with numbers above `after` up to `high`, in their order.

    By what the index has alone: the embedded server looks through a whole form for anything else.
    """
    query = {"form_id": form_id, "seq": {"$gt": after, "$lte": high}}
    rows = await db.ai_results.find(query, dict.fromkeys(fields, 1)).to_list()
    return sorted(rows, key=lambda row: int(row["seq"]))


async def by_numbers(
    db: Database, form_id: str, numbers: Sequence[int], fields: Sequence[str]
) -> list[Document]:
    query = {"form_id": form_id, "seq": {"$in": list(numbers)}}
    return await db.ai_results.find(query, dict.fromkeys(fields, 1)).sort("seq", 1).to_list()


async def by_ids(db: Database, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Document]:
    rows = await db.ai_results.find({"_id": {"$in": list(ids)}}, dict.fromkeys(fields, 1)).to_list()
    return {row["_id"]: row for row in rows}


async def change(db: Database, changes: Mapping[str, Document]) -> None:
    """Set fields of some rows; those that are gone stay gone. Lost ones are simply found anew."""
    if changes:
        now = {"changed_at": utc_now()}
        updates = [UpdateOne({"_id": each}, {"$set": {**fields, **now}}) for each, fields in changes.items()]
        await unsynced(db.ai_results).bulk_write(updates, ordered=False)


# -- jobs


async def job(db: Database, task_id: str, first: Mapping[str, Any]) -> Document:
    """How far the job is; `first` where it has not begun."""
    row = await db.ai_jobs.find_one({"_id": task_id})
    return {"_id": task_id, **first, **(row or {})}


async def save_job(db: Database, row: Document) -> None:
    await db.ai_jobs.replace_one({"_id": row["_id"]}, row, upsert=True)


async def end_job(db: Database, session: Session | None, task_id: str) -> None:
    await db.ai_jobs.delete_one({"_id": task_id}, session=session)
