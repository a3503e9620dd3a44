"""Places for submissions: reserved before they are written, given back when they are not.

A reservation stands in the `open` list of its form's counters, as `{id, n, upto, at, epoch, quotas?}`:
numbers `upto - n + 1 … upto`, taken at `at` by the database's clock, and the places of quotas by their ids.
It is struck once its rows are written; one whose writer died is settled by what was really written.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from pymongo.errors import WriteError

from appliance.clock import utc_now
from appliance.errors import Conflict, FieldError, FormFull, Problem, QuotaFull
from appliance.stores import quotas
from appliance.stores.mongo import Database, Document, as_problem
from appliance.stores.quotas import Quota, of_row

ABANDONED = dt.timedelta(seconds=30)
"""Age of a reservation whose writer has certainly given up (its deadline is 4 s)."""
_WRITTEN = dt.timedelta(seconds=1)
"""Age from which on it is worth a look whether a reservation's rows are there."""


class FormChanged(Exception):
    """The form is not what the submission was judged by: judge it again."""


class DuplicateKey(Exception):
    """Another row holds the submission's idempotency key."""


class FilesTaken(Conflict):
    """Another row holds one of the submission's files."""


class Undecided(Exception):
    """All places are taken or reserved, and some that are reserved may come back in a moment."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The state of a form that a submission was judged by, and what is decided at the write itself."""

    form_id: str
    gate: int
    max_responses: int | None
    closes_at: dt.datetime | None
    limits: tuple[Quota, ...] = ()
    has_text: bool = False
    """Whether its answers may be searched by meaning."""

    @property
    def is_limited(self) -> bool:
        return self.max_responses is not None or bool(self.limits)


@dataclass(slots=True, eq=False)
class Item:
    gate: Gate
    row: Document
    verdict: asyncio.Future[Document]

    quotas: tuple[str, ...] = field(init=False)
    """Ids of those that it counts towards."""

    def __post_init__(self) -> None:
        self.quotas = of_row(self.gate.limits, self.row) if self.gate.limits else ()

    def refuse(self, problem: Exception) -> None:
        if not self.verdict.done():  # the client may have hung up
            self.verdict.set_exception(problem)

    def accept(self) -> None:
        if not self.verdict.done():
            self.verdict.set_result(self.row)


@dataclass(slots=True)
class Reservation:
    """Numbers `upto - n + 1 … upto` of one form."""

    id: str
    form_id: str
    items: list[Item]
    epoch: int = 0
    refused: list[Item] = field(default_factory=list)


async def settle_refused(db: Database, reservation: Reservation) -> None:
    """Give back what the refused rows had reserved."""
    wanted = places_of(reservation.refused)
    await settle(
        db, reservation.form_id, reservation.id, len(reservation.refused), wanted, epoch=reservation.epoch
    )


async def settle(
    db: Database,
    form_id: str,
    reservation_id: str,
    places: int,
    of_quotas: Counter[str] | None = None,
    *,
    epoch: int = 0,
) -> None:
    """Strike the reservation and give back `places`, once: a second call finds nothing to strike. Places of
    quotas are given back in the epoch in which they were taken.
    """
    query: Document = {"_id": form_id, "open.id": reservation_id}
    change: Document = {"$pull": {"open": {"id": reservation_id}}, "$inc": {"taken": -places}}
    if of_quotas:
        back = {f"counts.{name}": -n for name, n in of_quotas.items()}
        done = await db.form_counters.update_one(
            {**query, "epoch": epoch or None}, {**change, "$inc": {**change["$inc"], **back}}
        )
        if done.matched_count:
            return
    await db.form_counters.update_one(query, change)


async def settle_abandoned(db: Database, now: dt.datetime) -> int:
    """Settle the reservations of writers that died midway, by what they really wrote. Returns how many."""
    settled = 0
    async for counters in db.form_counters.find({"open.at": {"$lt": now - ABANDONED}}):
        for entry in counters["open"]:
            if entry["at"] < now - ABANDONED:
                places = await quotas.unwritten(db, counters["_id"], entry)
                if places and entry.get("quotas"):
                    await db.form_counters.update_one(
                        {"_id": counters["_id"], "open.id": entry["id"]}, quotas.FORGET
                    )
                await settle(db, counters["_id"], entry["id"], places)
                settled += 1
    return settled


async def still_open(db: Database, counters: Document) -> list[Document]:
    """The reservations of which a place may come back. Not those whose rows are all there, though a writer
    that is busy with other forms has not struck them yet.
    """
    before = utc_now() - _WRITTEN
    return [
        entry
        for entry in counters["open"]
        if entry["at"] > before or await quotas.unwritten(db, counters["_id"], entry)
    ]


def places_of(items: Iterable[Item]) -> Counter[str]:
    """Places that the items need, by quota."""
    return Counter(name for item in items for name in item.quotas)


def those_with_room(gate: Gate, items: list[Item], counters: Document) -> list[Item]:
    """Those for whom there are places by now; the others are refused, or try again a moment later where a
    place that is reserved may still be given back, by a writer at work or for one that died.
    """
    left = {quota.id: quota.limit - counters.get("counts", {}).get(quota.id, 0) for quota in gate.limits}
    places = len(items) if gate.max_responses is None else max(0, gate.max_responses - counters["taken"])
    kept: list[Item] = []
    for item in items:
        full = next((quota for quota in gate.limits if quota.id in item.quotas and left[quota.id] <= 0), None)
        if full is not None:
            item.refuse(_quota_refusal(full, counters))
        elif len(kept) == places:
            item.refuse(_form_refusal(gate, counters))
        else:
            kept.append(item)
            left.update({name: left[name] - 1 for name in item.quotas})
    return kept


def _form_refusal(gate: Gate, counters: Document) -> Exception:
    reserved = sum(entry["n"] for entry in counters["open"])
    is_full = counters["taken"] - reserved >= (gate.max_responses or 0)
    return FormFull("The form has all the responses it takes.") if is_full else Undecided()


def _quota_refusal(quota: Quota, counters: Document) -> Exception:
    if counters["counts"][quota.id] - quotas.reserved(counters, quota.id) < quota.limit:
        return Undecided()
    fault = FieldError(quota.path, "the form has all the responses with this answer that it takes")
    return QuotaFull("The form has all the responses with this answer that it takes.", errors=[fault])


def reservation_update(
    reservation_id: str, n: int, wanted: Counter[str], written: list[str], *, has_text: bool = False
) -> list[Document]:
    """Take n numbers and places, and places of quotas, enter the reservation, strike the written ones, and
    mark the form for the lake and for search by meaning (`changes` and `embedded` take the marks off), in one
    step.

    $$NOW is the database's clock: numbers and times rise together, whichever process asks.
    """
    upto = {"$add": ["$seq", n]}
    entry: Document = {"id": reservation_id, "n": n, "upto": upto, "at": "$$NOW"}
    if wanted:
        entry["quotas"] = dict(wanted)
    entry["epoch"] = {"$ifNull": ["$epoch", 0]}
    unwritten = {"$not": [{"$in": ["$$entry.id", written]}]}
    still_open = {"$filter": {"input": "$open", "as": "entry", "cond": unwritten}}
    fields: Document = {"seq": upto, "taken": {"$add": ["$taken", n]}, "unlaked": True}
    if has_text:
        fields["unembedded"] = True
    fields |= {f"counts.{name}": {"$add": [f"$counts.{name}", m]} for name, m in wanted.items()}
    return [{"$set": {**fields, "open": {"$concatArrays": [still_open, [entry]]}}}]


def number(items: list[Item], entry: Document) -> None:
    first = entry["upto"] - len(items) + 1
    for offset, item in enumerate(items):
        item.row |= {"seq": first + offset, "created_at": entry["at"], "updated_at": entry["at"]}


def refuse(items: Iterable[Item], problem: Exception) -> None:
    for item in items:
        item.refuse(problem)


def write_problem(error: Document) -> Problem:
    fault = WriteError(str(error.get("errmsg")), error.get("code"), error)
    return as_problem(fault) or Problem("The response could not be stored.")
