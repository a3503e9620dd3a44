"""Runs that bring the lake up to date: asked for, under way, ended.

A row is `{_id, asked_at, state, begun_at, ended_at, done, total, result, error}`. `_id` is the id of the
task that asked, or `cron:<time>`; `state` is `asked`, `running`, `completed` or `failed`; `done` of `total`
responses have been read. One process runs them, one after the other, so what is `running` when that process
begins was broken off, and is run again.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from pymongo.errors import DuplicateKeyError

from appliance.stores.mongo import Database, Document

KEPT = dt.timedelta(days=90)
_OPEN = ["asked", "running"]


async def ask(db: Database, run_id: str, now: dt.datetime) -> bool:
    """False when it was asked for before."""
    row = {"_id": run_id, "asked_at": now, "state": "asked", "begun_at": None, "ended_at": None}
    try:
        await db.lake_runs.insert_one(row | {"done": 0, "total": None, "result": None, "error": None})
    except DuplicateKeyError:
        return False
    return True


async def find(db: Database, run_id: str) -> Document | None:
    return await db.lake_runs.find_one({"_id": run_id})


async def waiting(db: Database) -> list[Document]:
    """Those that are to be run, the oldest first."""
    rows = await db.lake_runs.find({"state": {"$in": _OPEN}}).to_list()
    return sorted(rows, key=lambda row: row["asked_at"])


async def newest(db: Database, limit: int) -> list[Document]:
    """The newest first."""
    rows = await db.lake_runs.find().to_list()
    return sorted(rows, key=lambda row: row["asked_at"], reverse=True)[:limit]


async def note(db: Database, ids: list[str], **fields: Any) -> None:
    await db.lake_runs.update_many({"_id": {"$in": ids}}, {"$set": fields})


async def prune(db: Database, now: dt.datetime) -> None:
    await db.lake_runs.delete_many({"asked_at": {"$lt": now - KEPT}, "state": {"$nin": _OPEN}})
