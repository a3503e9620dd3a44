"""Uploaded files: what is known of each. Their bytes lie on the disk (see `file_area`).

A row is `{_id, form_id, question, name, type, size, state, check_at, created_at}`, with `origin` (see
`storage.Share`) until it is kept, and with `response_id` from then on. Whose a file is, the response alone
says (its `files`): that is written with the response itself, so a file is taken or not, whatever dies when.
`state` only saves the pruning work:

    loose ──no response names it after a day──▶ doomed ──nor an hour later──▶ gone
      │  ◀──────────a partial response names it────┘
      └──a response names it──▶ kept ──the response is purged──▶ loose

A doomed file is refused by new responses, and the hour is longer than a submission can be under way.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from pymongo import UpdateOne

from appliance.errors import NotFound
from appliance.stores import partials, responses, storage
from appliance.stores.mongo import Database, Document
from appliance.stores.storage import Share
from appliance.stores.transactions import Session, together

LOOSE = dt.timedelta(hours=24)
"""How long a file waits for a response that names it."""
DOOMED = dt.timedelta(hours=1)
_PIECE = 100
_LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


async def add(db: Database, row: Document, most_bytes: int, share: Share | None) -> None:
    """Store the row of a file that lies on the disk. Raises StorageFull."""

    async def write(session: Session) -> None:
        # All that is added to a form meets here, so what is read below nobody changes meanwhile.
        await storage.add_file(db, session, row["form_id"], row["size"], most_bytes)
        stored = {**row, "state": "loose", "check_at": row["created_at"] + LOOSE}
        if share is not None:
            stored["origin"] = share.origin
        await db.files.insert_one(stored, session=session)
        if share is not None:
            share.check(*await _waiting(db, share, session))

    await together(db, write)


async def check_share(db: Database, share: Share, size: int) -> None:
    """Before a file of at most `size` bytes comes; those that were submitted make room for it. Raises
    StorageFull when there is none for the smallest one.
    """
    count, taken = await _waiting(db, share)
    if count + 1 > share.most or taken + size > share.most_bytes:
        rows = await db.files.find({"origin": share.origin, "state": "loose"}, {"_id": 1}).to_list()
        await _keep(db, await responses.owners_of_files(db, [row["_id"] for row in rows]))
        count, taken = await _waiting(db, share)
    share.check(count + 1, taken + 1)


async def _waiting(db: Database, share: Share, session: Session | None = None) -> tuple[int, int]:
    """How many files of the origin no response has taken, as far as that is known, and their bytes."""
    rows = await db.files.find({"origin": share.origin}, {"size": 1}, session=session).to_list()
    return len(rows), sum(row["size"] for row in rows)


async def _keep(db: Database, owners: Mapping[str, str]) -> None:
    """Loose files, by the responses that name them. Safe to repeat."""
    if owners:
        await db.files.bulk_write([_keeping(*each) for each in owners.items()])


def _keeping(file_id: str, response_id: str) -> UpdateOne:
    change = {"$set": {"state": "kept", "response_id": response_id}, "$unset": {"origin": ""}}
    return UpdateOne({"_id": file_id, "state": "loose"}, change)


async def get(db: Database, form_id: str, file_id: str) -> Document:
    """Raises NotFound."""
    row = await db.files.find_one({"_id": file_id})
    if row is None or row["form_id"] != form_id:
        raise NotFound("The form has no such file.")
    return row


async def exists(db: Database, file_id: str) -> bool:
    return await db.files.find_one({"_id": file_id}, {"_id": 1}) is not None


async def find_many(db: Database, form_id: str, ids: Sequence[str]) -> dict[str, Document]:
    """Those of the form that are there and stay there, by id."""
    rows = await db.files.find({"_id": {"$in": list(ids)}}).to_list()
    return {row["_id"]: row for row in rows if row["form_id"] == form_id and row["state"] != "doomed"}


async def let_go(
    db: Database, session: Session | None, response_ids: Sequence[str], file_ids: Sequence[str] = ()
) -> None:
    """For whoever purges responses, with the purge: their files go with the next pruning. `file_ids`: those
    that they name, of which pruning may not know yet whose they are.
    """
    change = {"$set": {"state": "loose", "check_at": _LONG_AGO}, "$unset": {"response_id": ""}}
    await db.files.update_many({"response_id": {"$in": list(response_ids)}}, change, session=session)
    for first in range(0, len(file_ids), _PIECE):
        some = list(file_ids[first : first + _PIECE])
        await db.files.update_many({"_id": {"$in": some}}, change, session=session)


async def let_go_of_form(db: Database, form_id: str) -> None:
    """All that wait for a response: none comes any more."""
    soon = {"$set": {"check_at": _LONG_AGO}}
    await db.files.update_many({"form_id": form_id, "state": "loose"}, soon)


async def any_of_form(db: Database, form_id: str) -> bool:
    return await db.files.find_one({"form_id": form_id}, {"_id": 1}) is not None


# -- pruning


async def sort_out(db: Database, now: dt.datetime, limit: int) -> int:
    """Look at files that are due, `limit` at most: keep or doom them. How many."""
    rows = await _due(db, "loose", now, limit)
    ids = [row["_id"] for row in rows]
    owners = await responses.owners_of_files(db, ids)
    held = await partials.holding(db, [each for each in ids if each not in owners])
    await _keep(db, owners)
    for file_id in ids:
        change: Document
        if file_id in owners:
            continue
        if file_id in held:
            change = {"check_at": max(held[file_id], now) + DOOMED}
        else:
            change = {"state": "doomed", "check_at": now + DOOMED}
        await db.files.update_one({"_id": file_id, "state": "loose"}, {"$set": change})
    return len(rows)


async def forgotten(db: Database, now: dt.datetime, limit: int) -> list[Document]:
    """Doomed files that nothing has come to name; those that something did are loose again."""
    rows = await _due(db, "doomed", now, limit)
    ids = [row["_id"] for row in rows]
    named = await responses.owners_of_files(db, ids) | await partials.holding(db, ids)
    for file_id in named:
        again = {"$set": {"state": "loose", "check_at": now}}
        await db.files.update_one({"_id": file_id, "state": "doomed"}, again)
    return [row for row in rows if row["_id"] not in named]


async def remove(db: Database, row: Document) -> None:
    """The row of a doomed file. Safe to repeat."""

    async def write(session: Session) -> None:
        gone = await db.files.delete_one({"_id": row["_id"], "state": "doomed"}, session=session)
        if gone.deleted_count:
            await storage.remove_file(db, session, row["form_id"], row["size"])

    await together(db, write)


async def _due(db: Database, state: str, now: dt.datetime, limit: int) -> list[Document]:
    query = {"state": state, "check_at": {"$lt": now}}
    return await db.files.find(query).sort("check_at", 1).limit(limit).to_list()
