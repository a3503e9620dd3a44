"""Half-filled responses, kept until they are submitted, withdrawn, or nobody came back for them.

A row is `{_id, form_id, form_version, state, revision, data, page, size, files?, origin?, created_at,
updated_at, expires_at}`. `_id` is a hash of the form and the secret token, which is not kept; `data` is JSON
as text, for its names are whatever a client says; `files` are the ids of uploaded files that it names;
`origin` is whose share of the form's room it takes (see `storage.Share`). A row that has ended (`submitted`,
`expired`, `withdrawn`) keeps no more than when it began and what became of it (`ended_at`; `noted_at` is when
that was written), and the `page` where it was left unless it was submitted; `expires_at` is then when it goes
too.

That a partial response was submitted is written with the response (its `key`), so it becomes one response,
whatever dies in between; the row here follows.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Any, Literal

from pymongo.errors import DuplicateKeyError

from appliance.clock import utc_now
from appliance.errors import Conflict, Stale, StorageFull
from appliance.stores import storage
from appliance.stores.mongo import Database, Document
from appliance.stores.storage import Share

KEPT = dt.timedelta(days=400)
"""How long it is known when one began and what became of it."""
_CONTENT: Document = {"data": "", "files": "", "origin": ""}
_TRIES = 20
_PIECE = 500

End = Literal["submitted", "expired", "withdrawn"]
ENDS: tuple[End, ...] = ("submitted", "expired", "withdrawn")


def partial_id(form_id: str, token: str) -> str:
    return hashlib.sha256(f"{form_id}\0{token}".encode()).hexdigest()


def submit_key(partial_id: str) -> str:
    """The key of the response that comes of it. Others begin with the id of a form."""
    return f"partial:{partial_id}"


async def find(db: Database, partial_id: str, now: dt.datetime) -> Document | None:
    """The row while it is open: not submitted, expired or withdrawn."""
    row = await db.partials.find_one({"_id": partial_id})
    if row is None or not _is_open(row, now) or await _settled(db, partial_id):
        return None
    return row


async def save(
    db: Database, partial_id: str, fields: Document, if_match: int | None, share: Share | None
) -> tuple[Document, bool]:
    """Write `fields` over it, or begin it (revision 1): the row, and whether it was begun. Raises Stale,
    Conflict when it was submitted, StorageFull.
    """
    if await _settled(db, partial_id):
        raise Conflict("This response was submitted already.")
    now = fields["updated_at"]
    for _ in range(_TRIES):
        known = await db.partials.find_one({"_id": partial_id})
        if known is not None and known["state"] == "submitted":
            raise Conflict("This response was submitted already.")
        is_open = known is not None and _is_open(known, now)
        if if_match is not None and (known is None or not is_open or known["revision"] != if_match):
            raise Stale("The half-filled response was changed on another device; read it again.")
        if known is not None and is_open:
            done, begun = await _write_over(db, known, fields, share), False
        else:
            done, begun = await _begin(db, partial_id, known, fields, share), True
        if done is not None:
            return done, begun
    raise Conflict("The half-filled response is changing all the time; send it again.")


async def _write_over(
    db: Database, known: Document, fields: Document, share: Share | None
) -> Document | None:
    """None when somebody else was first. It stays in the share in which it was begun."""
    grown = fields["size"] - known["size"]
    kept = {"created_at": known["created_at"], "revision": known["revision"] + 1, "state": "open"}
    if "origin" in known:
        kept["origin"] = known["origin"]
    if grown > 0:
        await _reserve(db, known, share, 0, grown)
    row = {"_id": known["_id"], **fields, **kept}
    done = await db.partials.replace_one(
        {"_id": known["_id"], "state": "open", "revision": known["revision"]}, row
    )
    if not done.matched_count:
        await storage.give_back_partials(db, known, 0, max(0, grown))
        return None
    await storage.give_back_partials(db, known, 0, max(0, -grown))
    return row


async def _begin(
    db: Database, partial_id: str, ended: Document | None, fields: Document, share: Share | None
) -> Document | None:
    kept = {"created_at": fields["updated_at"], "revision": 1, "state": "open"}
    if share is not None:
        kept["origin"] = share.origin
    row = {"_id": partial_id, **fields, **kept}
    await _reserve(db, row, share, 1, row["size"])
    if ended is None:
        try:
            await db.partials.insert_one(row)
            return row
        except DuplicateKeyError:
            pass
    else:
        row["revision"] = ended["revision"] + 1  # what a device holds of the earlier one is stale
        query = {"_id": partial_id, "state": ended["state"], "revision": ended["revision"]}
        if (await db.partials.replace_one(query, row)).matched_count:
            if ended["state"] == "open":  # expired, but not yet seen to
                await storage.give_back_partials(db, ended, 1, ended["size"])
            return row
    await storage.give_back_partials(db, row, 1, row["size"])
    return None


async def _reserve(db: Database, row: Document, share: Share | None, partials: int, size: int) -> None:
    """Room in the form, and in the share of whoever began it. Raises StorageFull."""
    if share is None or "origin" not in row:
        return await storage.reserve_partials(db, row["form_id"], partials, size)
    mine = share._replace(origin=row["origin"])
    await storage.reserve_share(db, mine, partials, size)
    try:
        await storage.reserve_partials(db, row["form_id"], partials, size)
    except StorageFull:
        await storage.give_back_share(db, mine.origin, partials, size)
        raise


async def end(db: Database, partial_id: str, how: End, at: dt.datetime, **more: Any) -> bool:
    """Take its content out. False when there is none (any more)."""
    row = await db.partials.find_one({"_id": partial_id})
    if row is None or row["state"] != "open":
        return False
    change = {"state": how, "ended_at": at, "noted_at": utc_now(), "expires_at": at + KEPT, "size": 0, **more}
    content = _CONTENT | {"page": ""} if how == "submitted" else _CONTENT
    done = await db.partials.update_one(
        {"_id": partial_id, "state": "open", "revision": row["revision"]},
        {"$set": change, "$unset": content, "$inc": {"revision": 1}},
    )
    if not done.matched_count:  # written over at this moment
        return await end(db, partial_id, how, at, **more)
    await storage.give_back_partials(db, row, 1, row["size"])
    return True


async def finish(db: Database, partial_id: str, response_id: str, at: dt.datetime) -> None:
    """It became this response. Safe to repeat."""
    await end(db, partial_id, "submitted", at, response_id=response_id)


async def holding(db: Database, ids: Sequence[str]) -> dict[str, dt.datetime]:
    """Of these files, those that a half-filled response names, and until when it may."""
    rows = await db.partials.find({"files": {"$in": list(ids)}}, {"files": 1, "expires_at": 1}).to_list()
    found: dict[str, dt.datetime] = {}
    for row in rows if ids else ():
        for file_id in set(row["files"]).intersection(ids):
            found[file_id] = max(found.get(file_id, row["expires_at"]), row["expires_at"])
    return found


# -- pruning


async def expire(db: Database, now: dt.datetime, limit: int) -> int:
    """End those that nobody came back for, `limit` at most."""
    old = {"state": "open", "expires_at": {"$lt": now}}
    rows = await db.partials.find(old, {"_id": 1}).limit(limit).to_list()
    return sum([await end(db, row["_id"], "expired", now) for row in rows])


async def forget(db: Database, now: dt.datetime, limit: int) -> int:
    """Take out rows of those that ended long ago, `limit` at most."""
    gone = 0
    for how in ENDS:
        old = {"state": how, "expires_at": {"$lt": now}}
        rows = await db.partials.find(old, {"_id": 1}).limit(limit - gone).to_list() if gone < limit else []
        if rows:
            await db.partials.delete_many({"_id": {"$in": [row["_id"] for row in rows]}})
        gone += len(rows)
    return gone


async def follow_up(db: Database, start: dt.datetime, stop: dt.datetime) -> int:
    """Finish those last changed between the two of which a response came, though its writer died before it
    said so here. How many.
    """
    query = {"state": "open", "updated_at": {"$gte": start, "$lt": stop}}
    ids = [row["_id"] for row in await db.partials.find(query, {"_id": 1}).to_list()]
    done = 0
    for first in range(0, len(ids), _PIECE):
        keys = [submit_key(each) for each in ids[first : first + _PIECE]]
        shown = {"_id": 1, "key": 1, "created_at": 1}
        for row in await db.responses.find({"key": {"$in": keys}}, shown).to_list():
            await finish(db, row["key"].removeprefix(submit_key("")), row["_id"], row["created_at"])
            done += 1
    return done


async def _settled(db: Database, partial_id: str) -> bool:
    """Whether a response has come of it; what is left here is cleared then."""
    query = {"key": submit_key(partial_id)}
    response = await db.responses.find_one(query, {"_id": 1, "created_at": 1})
    if response is None:
        return False
    await finish(db, partial_id, response["_id"], response["created_at"])
    return True


def _is_open(row: Document, now: dt.datetime) -> bool:
    return bool(row["state"] == "open" and row["expires_at"] > now)
