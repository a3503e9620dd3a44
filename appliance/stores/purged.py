"""What is left of a response that was purged, until everybody has heard of it: `{_id, form_id, created_at,
seq, at, tasks?, untidy?}`, of a whole form `{_id: form:<id>, form_id, at}`. No word of an answer is in it.

Written in the transaction of the purge. The lake reads it as a last state of the response, deleted, and when
a run has taken it in the row goes. `untidy` is there until what lies outside of the database is gone too: the
arguments of the response's `tasks` in Redis.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

from pymongo import ReplaceOne

from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session

LAST: Final = 2**31 - 1
"""The revision of such a state: above any that a response can have had."""
FORM: Final = "form:"


async def note(
    db: Database, session: Session, rows: Sequence[Document], tasks: dict[str, list[str]], now: dt.datetime
) -> None:
    """`rows` are the responses, `tasks` the ids of their tasks."""
    traces = [
        {
            "_id": row["_id"],
            "form_id": row["form_id"],
            "created_at": row["created_at"],
            "seq": row["seq"],
            "at": now,
            "tasks": tasks[row["_id"]],
            "untidy": True,
        }
        for row in rows
    ]
    writes = [ReplaceOne({"_id": trace["_id"]}, trace, upsert=True) for trace in traces]
    await db.purged.bulk_write(writes, ordered=False, session=session)


async def note_form(db: Database, session: Session, form_id: str, now: dt.datetime) -> None:
    row = {"form_id": form_id, "at": now}
    await db.purged.replace_one({"_id": f"{FORM}{form_id}"}, row, upsert=True, session=session)


async def untidy(db: Database, most: int) -> list[Document]:
    return await db.purged.find({"untidy": True}).limit(most).to_list()


async def tidied(db: Database, ids: Sequence[str]) -> None:
    if ids:
        gone = {"$unset": {"untidy": "", "tasks": ""}}
        await db.purged.update_many({"_id": {"$in": list(ids)}}, gone)


async def traces(db: Database, moment: Document, most: int) -> list[Document]:
    """Of a condition on when they were purged, so many at most."""
    return await db.purged.find({"at": moment}).limit(most).to_list()


def is_form(trace: Document) -> bool:
    return str(trace["_id"]).startswith(FORM)


def as_deleted(trace: Document) -> Document:
    """As a document of `responses`, after which nobody takes an earlier state for the last one."""
    return {
        "_id": trace["_id"],
        "form_id": trace["form_id"],
        "form_version": 0,
        "created_at": trace["created_at"],
        "updated_at": trace["at"],
        "submitter": None,
        "status": "deleted",
        "data": {},
        "meta": {},
        "tags": [],
        "seq": trace["seq"],
        "revision": LAST,
    }


async def forget(db: Database, before: dt.datetime) -> None:
    """What the lake has taken in."""
    await db.purged.delete_many({"at": {"$lt": before}})
