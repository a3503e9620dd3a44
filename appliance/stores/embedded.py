"""How far search by meaning has come with the responses of each form. Their vectors lie in a file
(`ai.vector_file`), which a task fills; nothing is written for it when somebody answers a form.

- `unembedded: true` in a form's counters: it may have responses without a vector. The update that numbers a
  response sets it (`reservations`), and only where the form asks for text.
- `ai_embedded`, a row a form `{_id, upto}`: all its responses with numbers up to `upto` are dealt with. Its
  row `file` is `{_id, name, inode, bytes}`: which file that is said of, and how long it was when it was last
  noted. It may be longer by now; another one, or a shorter one, was damaged, and is begun anew.
- `ai_outdated`, a row a response `{_id, form_id, revision}`: its answers changed, or it went or came back;
  written in the transaction that did so. What the file has of it is not to be shown until it is dealt with.

Why no response is missed: numbers are given out before rows are written, so a row may come after one with a
higher number. Until it has come, or never will, its reservation is open, and `upto` stays below it
(`settled`). A task reads the counters first and the rows then, so a row that is not there then will never be.
A vector is on the disk, and then noted, before `upto` moves or an outdated row goes; whatever is killed in
between is done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pymongo
from pymongo import DeleteOne, ReplaceOne

from appliance.stores import quotas
from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session

_FILE = "file"
_MARKING = 120.0
"""Seconds that it may take: some 2,000 forms are marked a second."""
_MARKED: Document = {"unembedded": True}


class File(NamedTuple):
    """What was noted of the file of vectors."""

    name: str
    inode: int
    bytes: int
    """So long it is at least."""


class Outdated(NamedTuple):
    """A response whose vector is not that of its present answers; `revision` is the state that made it so."""

    response_id: str
    form_id: str
    revision: int


# -- the file


async def find_file(db: Database, session: Session | None = None) -> File | None:
    """That all the rest is said of; None until one is begun. One that knows no inode is no file's."""
    row = await db.ai_embedded.find_one({"_id": _FILE}, session=session)
    return None if row is None else File(row["name"], row.get("inode", 0), row.get("bytes", 0))


async def begin(db: Database, file: File) -> None:
    """Nothing is embedded yet. Killed in between, what was noted does not hold still, or all that has
    responses is marked: it is begun again.
    """
    with pymongo.timeout(_MARKING):
        await db.form_counters.update_many({"seq": {"$gt": 0}}, {"$set": _MARKED})
        await db.ai_embedded.delete_many({})
        await db.ai_embedded.insert_one({"_id": _FILE, **file._asdict()})


async def note(db: Database, file: File) -> None:
    """Call after each change of the file, before `reach` and `update`: the file may be ahead of this row."""
    await db.ai_embedded.update_one({"_id": _FILE}, {"$set": file._asdict()})


async def doubt(db: Database, file: File) -> None:
    """Somebody has read this one and found less than was noted: it is begun anew, unless it was already."""
    await db.ai_embedded.update_one({"_id": _FILE, "inode": file.inode}, {"$set": {"inode": 0}})


# -- what was submitted


async def has_work(db: Database) -> bool:
    """Whether there is anything to embed or to wipe."""
    if await db.form_counters.find_one(_MARKED, {"_id": 1}) is not None:
        return True
    return await db.ai_outdated.find_one({}, {"_id": 1}) is not None


async def marked(db: Database, most: int) -> list[Document]:
    """The counters of forms that may have responses without a vector."""
    return await db.form_counters.find(_MARKED).limit(most).to_list()


async def settled(db: Database, counters: Document) -> int:
    """The number up to which every response is there by now or never will be."""
    low = int(counters["seq"])
    for entry in counters["open"]:
        before = int(entry["upto"]) - int(entry["n"])
        if before < low and await quotas.unwritten(db, counters["_id"], entry):
            low = before
    return low


async def upto(db: Database, form_id: str) -> int:
    row = await db.ai_embedded.find_one({"_id": form_id})
    return 0 if row is None else int(row["upto"])


async def reach(db: Database, form_id: str, number: int) -> None:
    await db.ai_embedded.update_one({"_id": form_id}, {"$set": {"upto": number}}, upsert=True)


async def unmark(db: Database, form_id: str, number: int) -> None:
    """All up to this number is dealt with; where more came meanwhile, the mark stays."""
    await db.form_counters.update_one({"_id": form_id, "seq": number}, {"$unset": {"unembedded": ""}})


async def pending(db: Database, form_id: str) -> int:
    """At most so many responses of a form are not yet to be found, or not as they are now."""
    counters = await db.form_counters.find_one({"_id": form_id}, {"seq": 1, "unembedded": 1})
    changed = await db.ai_outdated.count_documents({"form_id": form_id})
    if counters is None or not counters.get("unembedded"):
        return changed
    return max(0, int(counters["seq"]) - await upto(db, form_id)) + changed


async def pending_of_all(db: Database) -> int:
    """The same over all forms."""
    marks = await db.form_counters.find(_MARKED, {"seq": 1}).to_list()
    rows = await db.ai_embedded.find({"_id": {"$in": [row["_id"] for row in marks]}}).to_list()
    reached = {row["_id"]: row["upto"] for row in rows}
    waiting = sum(max(0, row["seq"] - reached.get(row["_id"], 0)) for row in marks)
    return int(waiting) + await db.ai_outdated.count_documents({})


# -- what was changed


async def outdate(db: Database, session: Session, rows: Sequence[Outdated]) -> None:
    """Call in the transaction that changes them."""
    writes = [
        ReplaceOne({"_id": one.response_id}, {"form_id": one.form_id, "revision": one.revision}, upsert=True)
        for one in rows
    ]
    if writes:
        await db.ai_outdated.bulk_write(writes, ordered=False, session=session)


async def outdated(db: Database, most: int) -> list[Outdated]:
    rows = await db.ai_outdated.find({}).limit(most).to_list()
    return [Outdated(row["_id"], row["form_id"], row["revision"]) for row in rows]


async def outdated_of(db: Database, form_id: str) -> set[str]:
    """The responses of a form that are not to be shown by what the file has of them."""
    rows = await db.ai_outdated.find({"form_id": form_id}, {"_id": 1}).to_list()
    return {row["_id"] for row in rows}


async def update(db: Database, rows: Sequence[Outdated]) -> None:
    """The file has these as they are; not what changed again meanwhile."""
    if rows:
        writes = [DeleteOne({"_id": one.response_id, "revision": one.revision}) for one in rows]
        await db.ai_outdated.bulk_write(writes, ordered=False)
