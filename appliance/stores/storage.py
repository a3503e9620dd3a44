"""How much of the disk each form takes: `{_id: form_id, files, file_bytes, partials, partial_bytes}`; and how
much each origin has of a form's half-filled responses: `{_id: origin, partials, partial_bytes, at}`.

Those of files are exact: they are written with the files' rows. Those of half-filled responses are written
beside them, for a transaction at each save would cost too much; a process that dies in between leaves them
too high, and `recount_partials` and `recount_shares` mend that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple

from appliance.clock import utc_now
from appliance.errors import StorageFull
from appliance.metrics import counts
from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session, changed

MOST_PARTIALS = 20_000
"""Half-filled responses of one form at a time."""
MOST_PARTIAL_BYTES = 1024 * 1024 * 1024
"""Bytes of their data, of one form."""
_UNTOUCHED = dt.timedelta(hours=1)


class Share(NamedTuple):
    """What one origin may take of a form's room with what waits to be submitted."""

    origin: str
    """A name for an address in a form. Rows have it only as long as they wait."""
    most: int
    most_bytes: int

    def check(self, count: int, size: int) -> None:
        """Raises StorageFull when so many, of so many bytes together, are too much."""
        if count > self.most or size > self.most_bytes:
            raise self.full()

    def full(self) -> StorageFull:
        return StorageFull(
            "What came from your address and is not submitted yet takes all the room that one address has in "
            "this form; submit it or take it back first."
        )


async def file_bytes(db: Database, form_id: str) -> int:
    row = await db.form_storage.find_one({"_id": form_id})
    return int((row or {}).get("file_bytes", 0))


async def add_file(db: Database, session: Session, form_id: str, size: int, most_bytes: int) -> None:
    """Raises StorageFull."""
    step = {"$inc": {"files": 1, "file_bytes": size}}
    row = await changed(db.form_storage, {"_id": form_id}, step, session, upsert=True)
    if row is not None and row["file_bytes"] > most_bytes:
        raise StorageFull("The files of this form have reached what they may take on the disk.")


async def remove_file(db: Database, session: Session, form_id: str, size: int) -> None:
    step = {"$inc": {"files": -1, "file_bytes": -size}}
    await db.form_storage.update_one({"_id": form_id}, step, session=session)


async def reserve_partials(db: Database, form_id: str, partials: int, size: int) -> None:
    """Room for so many more, and so many bytes. Raises StorageFull."""
    await db.form_storage.update_one({"_id": form_id}, {"$setOnInsert": {"file_bytes": 0}}, upsert=True)
    room: Document = {
        "partials": {"$not": {"$gt": MOST_PARTIALS - partials}},
        "partial_bytes": {"$not": {"$gt": MOST_PARTIAL_BYTES - size}},
    }
    step = {"$inc": {"partials": partials, "partial_bytes": size}}
    done = await db.form_storage.update_one({"_id": form_id, **room}, step)
    if not done.matched_count:
        raise StorageFull("This form holds as many half-filled responses as it may; submit without saving.")


async def reserve_share(db: Database, share: Share, partials: int, size: int) -> None:
    """The same of what one origin may have. Raises StorageFull."""
    nothing = {"partials": 0, "partial_bytes": 0}
    now = {"$set": {"at": utc_now()}}
    await db.form_storage.update_one({"_id": share.origin}, {"$setOnInsert": nothing, **now}, upsert=True)
    room: Document = {"partial_bytes": {"$lte": share.most_bytes - size}}
    if partials:
        room["partials"] = {"$lte": share.most - partials}
    step = {"$inc": {"partials": partials, "partial_bytes": size}}
    done = await db.form_storage.update_one({"_id": share.origin, **room}, step)
    if not done.matched_count:
        raise share.full()


async def give_back_share(db: Database, origin: str, partials: int, size: int) -> None:
    step = {"$inc": {"partials": -partials, "partial_bytes": -size}}
    await db.form_storage.update_one({"_id": origin}, step)


async def give_back_partials(db: Database, of: Document, partials: int, size: int) -> None:
    """`of` is the half-filled response's row."""
    if partials or size:
        step = {"$inc": {"partials": -partials, "partial_bytes": -size}}
        await db.form_storage.update_one({"_id": of["form_id"]}, step)
        if "origin" in of:
            await give_back_share(db, of["origin"], partials, size)


async def recount_partials(db: Database) -> int:
    """Count anew where the counters say that hardly any room is left. How many forms."""
    nearly = {"partials": MOST_PARTIALS * 9 // 10, "partial_bytes": MOST_PARTIAL_BYTES * 9 // 10}
    query: Document = {"at": None, "$or": [{name: {"$gte": most}} for name, most in nearly.items()]}
    forms = await db.form_storage.find(query).to_list()
    for form in forms:
        rows = await db.partials.find({"form_id": form["_id"]}, {"state": 1, "size": 1}).to_list()
        sizes = [row["size"] for row in rows if row["state"] == "open"]
        found = {"partials": len(sizes), "partial_bytes": sum(sizes)}
        _note(form, found)
        await db.form_storage.update_one({"_id": form["_id"]}, {"$set": found})
    return len(forms)


async def recount_shares(db: Database, now: dt.datetime, limit: int) -> int:
    """Count those anew that nothing was added to for an hour, `limit` at most, and forget the empty ones."""
    query = {"at": {"$lt": now - _UNTOUCHED}}
    shares = await db.form_storage.find(query).limit(limit).to_list()
    for share in shares:
        rows = await db.partials.find({"origin": share["_id"]}, {"size": 1}).to_list()
        same = {"_id": share["_id"], "at": share["at"]}
        _note(share, {"partials": len(rows), "partial_bytes": sum(row["size"] for row in rows)})
        if rows:
            found = {"partials": len(rows), "partial_bytes": sum(row["size"] for row in rows), "at": now}
            await db.form_storage.update_one(same, {"$set": found})
        else:
            await db.form_storage.delete_one(same)
    return len(shares)


def _note(counted: Document, found: Mapping[str, int]) -> None:
    """Whether the counters were what there is."""
    if any(counted.get(name, 0) != number for name, number in found.items()):
        counts.add("invariants_mended", "shares" if counted.get("at") else "partials")
