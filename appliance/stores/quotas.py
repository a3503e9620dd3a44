"""How many responses of a form have an answer that is limited: `counts` in the form's counters, by quota.

Contract: `counts[quota]`, where it is there, is the number of rows that hold the quota's term, deleted ones
included, and of the open reservations for more. Where it is not there, no row with the term can be written
(see `response_writer`), and `recount` makes it. It goes whenever it might be wrong: with each change of the
form's settings and questions, and when a writer died midway. `epoch` tells those times apart; `moves` counts
the edits that changed answers.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session

FORGET: Document = {"$unset": {"counts": ""}, "$inc": {"epoch": 1}}
"""The update of a form's counters after which its answers are counted anew."""
_WINDOW = 5_000
"""Numbers of responses that are counted in one query."""


class Quota(NamedTuple):
    """At most `limit` responses with this index term; `path` is where the answer stands in the data."""

    term: str
    limit: int
    path: str

    @property
    def id(self) -> str:
        return quota_id(self.term)


def quota_id(term: str) -> str:
    """A name that the database takes for that of a field, whatever the answer is."""
    return "q" + hashlib.blake2b(term.encode(), digest_size=8).hexdigest()


def of_row(quotas: Iterable[Quota], row: Mapping[str, Any]) -> tuple[str, ...]:
    """Ids of the quotas that a row counts towards."""
    return tuple(quota.id for quota in quotas if quota.term in row.get("kv", ()))


def room_for(quotas: Iterable[Quota], wanted: Counter[str]) -> Document:
    """The condition under which a form's counters have all the places that are wanted."""
    limits = {quota.id: quota.limit for quota in quotas}
    return {f"counts.{name}": {"$lte": limits[name] - n} for name, n in wanted.items()}


def reserved(counters: Document, name: str) -> int:
    """Places that are reserved, and may still come back."""
    return sum(entry.get("quotas", {}).get(name, 0) for entry in counters["open"])


async def move(
    db: Database, session: Session, form_id: str, before: Collection[str], after: Collection[str]
) -> None:
    """An edit has changed a response's index terms. Nobody is refused for it: editors may go past a limit."""
    gone, come = set(before) - set(after), set(after) - set(before)
    if not gone and not come:
        return
    await db.form_counters.update_one({"_id": form_id}, {"$inc": {"moves": 1}}, session=session)
    counters = await db.form_counters.find_one({"_id": form_id}, {"counts": 1}, session=session)
    known = (counters or {}).get("counts", {})
    steps = {quota_id(term): -1 for term in gone} | {quota_id(term): 1 for term in come}
    change = {f"counts.{name}": step for name, step in steps.items() if name in known}
    if change:
        await db.form_counters.update_one({"_id": form_id}, {"$inc": change}, session=session)


async def recount(db: Database, form_id: str, quota: Quota, since: dt.datetime) -> bool:
    """Count a quota that is not counted. False when it must be tried again: a row of a reservation before
    this epoch may still come (until its writer has given up, at `since`), or something changed meanwhile.
    """
    counters = await db.form_counters.find_one({"_id": form_id})
    if counters is None or quota.id in counters.get("counts", {}):
        return True
    for entry in counters["open"]:
        is_older = entry.get("epoch", 0) != counters.get("epoch", 0)
        if is_older and entry["at"] > since and await unwritten(db, form_id, entry):
            return False
    count = 0
    for low in range(1, counters["seq"] + 1, _WINDOW):
        numbers = {"$gte": low, "$lt": low + _WINDOW}
        count += await db.responses.count_documents({"form_id": form_id, "kv": quota.term, "seq": numbers})
    unchanged: Document = {name: counters.get(name) for name in ("_id", "epoch", "moves")}
    done = await db.form_counters.update_one(
        {**unchanged, f"counts.{quota.id}": {"$exists": False}}, {"$set": {f"counts.{quota.id}": count}}
    )
    return done.matched_count == 1


async def unwritten(db: Database, form_id: str, entry: Document) -> int:
    """Places of an open reservation that no row has taken, or not yet."""
    numbers = {"$gt": entry["upto"] - entry["n"], "$lte": entry["upto"]}
    rows = await db.responses.find({"form_id": form_id, "seq": numbers}, {"_id": 1}).to_list()
    return int(entry["n"]) - len(rows)
