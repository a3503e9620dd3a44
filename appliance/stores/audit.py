"""The audit log: who changed what and when, written in the transaction of the change.

Append-only and chained: each entry holds the hash of the one before, so that an entry cannot be changed or
taken out without breaking every later one. `verify` finds the first break.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import msgspec

from appliance.clock import rfc3339, utc_now
from appliance.stores import pages
from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session, changed

_HEAD = "audit"
FIRST = "0" * 64
_AT_ONCE = 1000


class Entry(NamedTuple):
    """One deed. `action` is past tense (`form.published`); `details` are small and hold no secret."""

    actor: str | None
    """The user's id; None for the operator's command line."""
    action: str
    subject: str
    """The id of what was changed."""
    details: dict[str, Any]


async def record(db: Database, session: Session, entry: Entry) -> None:
    """Append. The head of the chain makes audited writes queue up behind each other."""
    head = await changed(db.form_counters, {"_id": _HEAD}, {"$inc": {"number": 1}}, session, upsert=True)
    number = head["number"] if head else 1
    row = {
        "number": number,
        "at": utc_now(),
        **entry._asdict(),
        "previous": (head or {}).get("hash", FIRST),
    }
    row["hash"] = digest(row)
    await db.audit.insert_one({"_id": number, **row}, session=session)
    await db.form_counters.update_one({"_id": _HEAD}, {"$set": {"hash": row["hash"]}}, session=session)


def digest(row: Document) -> str:
    """SHA-256 over all fields of an entry but its own hash."""
    fields = {name: value for name, value in row.items() if name not in ("_id", "hash")}
    fields["at"] = rfc3339(fields["at"])
    return hashlib.sha256(msgspec.json.encode(fields, order="deterministic")).hexdigest()


async def newest(db: Database, query: Document, high: int | None, limit: int) -> pages.Page:
    """A page of entries, newest first."""
    if high is None:
        high = await count(db)
    return await pages.newest_first(db.audit, {}, query, "number", pages.Span(1, high), limit)


async def count(db: Database) -> int:
    """How many entries there should be."""
    head = await db.form_counters.find_one({"_id": _HEAD})
    return head["number"] if head else 0


async def verify(db: Database) -> int | None:
    """The number of the first entry that does not follow from those before; None when all do."""
    head = await db.form_counters.find_one({"_id": _HEAD})
    previous, last = FIRST, head["number"] if head else 0
    for low in range(1, last + 1, _AT_ONCE):
        high = min(low + _AT_ONCE - 1, last)
        found = await db.audit.find({"number": {"$gte": low, "$lte": high}}).to_list()
        rows = {row["number"]: row for row in found}
        for number in range(low, high + 1):
            row = rows.get(number)
            if row is None or row["previous"] != previous or row["hash"] != digest(row):
                return number
            previous = row["hash"]
    if head is not None and head["hash"] != previous:
        return last
    # Entries beyond the head were not written by `record`.
    return None if await db.audit.find_one({"number": last + 1}) is None else last + 1
