"""Exports: what was asked for, and the files that came of it.

A row is `{_id, form_id, owner, wanted, state, created_at, expires_at}`, once it is ready with `name,
media_type, bytes, rows, sha256, begun_at`; `_id` is that of the task that makes it. Its file has the same
name. It is written under another one first, so what has its name is whole. The report of an import is one
too: instead of `wanted` it has `body`, the name of the file to import, and once it is ready `accepted` and
`refused`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from appliance.disk import move_durably
from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session

KEPT = dt.timedelta(hours=24)
PENDING = dt.timedelta(days=7)
"""How long an import may wait for its turn."""
_SETTLED = dt.timedelta(hours=1)
"""Age from which on a cancelled one is taken out: what is promised in this moment has no other row yet."""
_STALE = 26 * 3600
"""Seconds after which a file that no row knows is left over."""
_DRAFT = ".part"


class Finished(NamedTuple):
    """A file that is ready, as its row tells it."""

    name: str
    media_type: str
    rows: int
    bytes: int
    sha256: str
    """In hexadecimal."""


async def insert(db: Database, session: Session | None, row: Document) -> None:
    await db.exports.insert_one(row, session=session)


async def find(db: Database, export_id: str) -> Document | None:
    return await db.exports.find_one({"_id": export_id})


async def of_form(db: Database, form_id: str, before: dt.datetime) -> list[Document]:
    """Those that are ready and that were begun before, reports too, which quote lines. There are some hundred
    at most in all.
    """
    rows = await db.exports.find({}, {"form_id": 1, "state": 1, "begun_at": 1}).to_list()
    return [
        row
        for row in rows
        if row["state"] == "ready" and row["form_id"] == form_id and row.get("begun_at", before) <= before
    ]


async def remove(db: Database, export_id: str) -> None:
    await db.exports.delete_one({"_id": export_id})


async def count(db: Database, owner: str, now: dt.datetime) -> int:
    """How many exports of somebody's are kept or being made, reports left out."""
    query = {"owner": owner, "expires_at": {"$gt": now}}
    rows = await db.exports.find(query, {"wanted": 1}).to_list()
    return sum("wanted" in row for row in rows)


async def finish(
    db: Database, row: Document, done: Finished, now: dt.datetime, **more: int | dt.datetime
) -> Document:
    """The row as it is then. Safe to repeat."""
    change = {"state": "ready", "expires_at": now + KEPT, **done._asdict(), **more}
    await db.exports.update_one({"_id": row["_id"]}, {"$set": change})
    return {**row, **change}


async def prune(db: Database, exports: Path, imports: Path, now: dt.datetime, most: int) -> int:
    """Take out what has expired or was cancelled, and files that nobody knows any more; how many rows."""
    rows = await db.exports.find({"expires_at": {"$lt": now}}, {"body": 1}).limit(most).to_list()
    rows += await _cancelled(db, now - _SETTLED)
    for row in rows:
        (exports / row["_id"]).unlink(missing_ok=True)
        if "body" in row:
            (imports / row["body"]).unlink(missing_ok=True)
    if rows:
        await db.exports.delete_many({"_id": {"$in": [row["_id"] for row in rows]}})
    _sweep(exports, time.time() - _STALE)
    _sweep(imports, time.time() - PENDING.total_seconds() - _STALE)
    return len(rows)


async def _cancelled(db: Database, before: dt.datetime) -> list[Document]:
    """Those whose task nobody will ever run: the row of its promise is gone, and they are not ready."""
    rows = await db.exports.find({"state": "pending", "created_at": {"$lt": before}}, {"body": 1}).to_list()
    query = {"_id": {"$in": [row["_id"] for row in rows]}}
    promised = {row["_id"] for row in await db.outbox.find(query, {"_id": 1}).to_list()}
    return [row for row in rows if row["_id"] not in promised]


def sweep_drafts(folder: Path) -> None:
    """Remove what runs that were killed have left. Only for who is alone in the folder."""
    for path in folder.glob(f"*{_DRAFT}"):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(folder: Path, export_id: str, drafts: Path | None = None) -> Iterator[IO[bytes]]:
    """A file that has its name, durably, once the body has ended well; else nothing is left of it."""
    draft = (drafts or folder) / f"{export_id}{_DRAFT}"
    try:
        with draft.open("wb") as file:
            yield file
        move_durably(draft, folder / export_id)
    finally:
        draft.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """SHA-256, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sweep(folder: Path, before: float) -> None:
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if path.name != ".lock" and path.stat().st_mtime < before:
                path.unlink()
