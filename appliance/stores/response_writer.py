"""Group commit: submissions that arrive together are written together, each judged on its own.

Contract of `ResponseWriter.write`: when it returns a row, the row is in the database's journal and has a
number (`seq`) and a place of its own; when it raises, the row was not written, except for Unavailable,
which leaves that open (the connection was lost midway): a retry under the same key finds out.

Life of a group: *reserve* numbers and places of each form by one conditional update, insert all rows by
one `insert_many`, then *settle*: places of rows that were refused are given back. The reservation stands
in the counters' `open` list until it is settled, so that after a kill -9 in between `settle_abandoned`
(run by the scheduler) can count what was really written and give back the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import pymongo
from pymongo import ReturnDocument
from pymongo.errors import BulkWriteError, PyMongoError, WriteError

from appliance import logs
from appliance.clock import new_id
from appliance.errors import Conflict, FormClosed, FormFull, Problem, Unavailable
from appliance.stores.mongo import DEADLINE, Database, Document, as_problem, unsynced

GROUP = 64
"""Rows in one group at most."""
PATIENCE = 4.2
"""Seconds from the arrival of a submission to its verdict at most."""
ABANDONED = dt.timedelta(seconds=30)
"""Age of a reservation whose writer has certainly given up (its deadline is 4 s)."""
_DUPLICATE = 11000
_AGAIN = 0.05
"""Seconds between two looks for a place that may come back."""
_QUIET = 0.2
"""Seconds without a submission after which written reservations are struck by themselves."""

log = logs.get(__name__)


class FormChanged(Exception):
    """The form is not what the submission was judged by: judge it again."""


class DuplicateKey(Exception):
    """Another row holds the submission's idempotency key."""


class Undecided(Exception):
    """All places are taken or reserved, and some that are reserved may come back in a moment."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The state of a form that a submission was judged by, and what is decided at the write itself."""

    form_id: str
    gate: int
    max_responses: int | None
    closes_at: dt.datetime | None


@dataclass(slots=True, eq=False)
class _Item:
    gate: Gate
    row: Document
    verdict: asyncio.Future[Document]

    def refuse(self, problem: Exception) -> None:
        if not self.verdict.done():  # the client may have hung up
            self.verdict.set_exception(problem)

    def accept(self) -> None:
        if not self.verdict.done():
            self.verdict.set_result(self.row)


@dataclass(slots=True)
class _Reservation:
    """Numbers `upto - n + 1 … upto` of one form."""

    id: str
    form_id: str
    items: list[_Item]
    refused: int = 0


class ResponseWriter:
    """One a process. `start` inside the event loop, `stop` when no more submissions come."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._queue: list[_Item] = []
        self._wake = asyncio.Event()
        self._written: defaultdict[str, list[str]] = defaultdict(list)
        """Reservations by form whose rows are all written: struck along with the form's next one."""
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="response-writer")

    async def stop(self) -> None:
        """Not by cancelling: the driver turns that into an error of its own, and the task would go on."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        await self._strike_written()

    async def write(self, gate: Gate, row: Document) -> Document:
        """The row as written, with `seq` and `created_at`.

        Raises FormChanged, DuplicateKey, Conflict (a second answer of one person), FormFull (by responses
        that are there), FormClosed, Unavailable.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        try:
            async with asyncio.timeout_at(until):
                while True:
                    item = _Item(gate, row, loop.create_future())
                    self._queue.append(item)
                    self._wake.set()
                    try:
                        return await item.verdict
                    except Undecided:
                        await asyncio.sleep(_AGAIN)
        except TimeoutError:
            raise Unavailable("The response could not be written in time; send it again.") from None

    async def _run(self) -> None:
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _QUIET)
            if not self._wake.is_set():
                await self._strike_written()
                await self._wake.wait()
            self._wake.clear()
            while self._queue:
                group, self._queue = self._queue[:GROUP], self._queue[GROUP:]
                await self._commit([item for item in group if not item.verdict.done()])

    async def _commit(self, group: list[_Item]) -> None:
        """Nothing that goes wrong in one group may end the writer."""
        try:
            with pymongo.timeout(DEADLINE):
                reservations = await self._reserve_all(await self._unused(group))
                await self._insert(reservations)
        except Exception as fault:
            problem = fault if isinstance(fault, Problem) else None
            if isinstance(fault, PyMongoError):
                problem = as_problem(fault)
            if problem is None:
                log.exception("a group of responses could not be written")
            for item in [*group, *self._queue] if isinstance(problem, Unavailable) else group:
                item.refuse(problem or fault)

    async def _unused(self, group: list[_Item]) -> list[_Item]:
        """Those whose key is not used yet: a retry takes no number and no place. Of two with one key in the
        group the second waits for the next group, which finds the first one's row.
        """
        first: dict[str, _Item] = {}
        fresh: list[_Item] = []
        for item in group:
            key = item.row.get("key")
            if key is None:
                fresh.append(item)
            elif first.setdefault(key, item) is not item:
                self._queue.append(item)
        if not first:
            return fresh
        rows = await self._db.responses.find({"key": {"$in": list(first)}}, {"key": 1}).to_list()
        for row in rows:
            first.pop(row["key"]).refuse(DuplicateKey())
        return fresh + list(first.values())

    # -- reserve

    async def _reserve_all(self, group: list[_Item]) -> list[_Reservation]:
        by_gate: defaultdict[Gate, list[_Item]] = defaultdict(list)
        for item in group:
            by_gate[item.gate].append(item)
        found = await asyncio.gather(*(self._reserve(gate, items) for gate, items in by_gate.items()))
        return [reservation for reservation in found if reservation is not None]

    async def _reserve(self, gate: Gate, items: list[_Item]) -> _Reservation | None:
        """Number the items; those that find no place are refused. None when nothing is left to write."""
        while items:
            reservation = _Reservation(new_id(), gate.form_id, items)
            counters = await self._take(gate, reservation)
            if counters is None:
                items = await self._fewer(gate, items)
                continue
            entry = next(entry for entry in counters["open"] if entry["id"] == reservation.id)
            _number(items, entry)
            if gate.closes_at is not None and entry["at"] >= gate.closes_at:
                _refuse(items, FormClosed("The form has closed."))
                await settle(self._db, gate.form_id, reservation.id, len(items))
                return None
            return reservation
        return None

    async def _take(self, gate: Gate, reservation: _Reservation) -> Document | None:
        """One conditional update. None when the gate is another one or the places do not suffice.

        Naming the reservation makes it safe to repeat: after a lost connection the driver sends it again.
        """
        n, written = len(reservation.items), self._written.pop(gate.form_id, [])
        query: Document = {"_id": gate.form_id, "gate": gate.gate, "open.id": {"$ne": reservation.id}}
        if gate.max_responses is not None:
            query["taken"] = {"$lte": gate.max_responses - n}
        change = _reservation_update(reservation.id, n, written)
        counters: Document | None = None
        try:
            counters = await self._db.form_counters.find_one_and_update(
                query, change, return_document=ReturnDocument.AFTER
            )
        finally:
            if counters is None and written:  # striking twice does no harm, forgetting would
                self._written[gate.form_id] += written
        return counters or await self._db.form_counters.find_one(
            {"_id": gate.form_id, "open.id": reservation.id}
        )

    async def _fewer(self, gate: Gate, items: list[_Item]) -> list[_Item]:
        """Those of the items that may try again after a reservation was not granted."""
        await self._strike_written()  # what we have written is no reservation to wait for
        counters = await self._db.form_counters.find_one({"_id": gate.form_id})
        if counters is None or counters["gate"] != gate.gate or gate.max_responses is None:
            _refuse(items, FormChanged())
            return []
        left = max(0, gate.max_responses - counters["taken"])
        # What is reserved may still be given back, by a writer at work or for one that died.
        reserved = sum(entry["n"] for entry in counters["open"])
        is_full = counters["taken"] - reserved >= gate.max_responses
        refusal = FormFull("The form has all the responses it takes.") if is_full else Undecided()
        _refuse(items[left:], refusal)
        return items[:left]

    # -- insert

    async def _insert(self, reservations: list[_Reservation]) -> None:
        owners = [(item, reservation) for reservation in reservations for item in reservation.items]
        if not owners:
            return
        errors: dict[int, Document] = {}
        try:
            await self._db.responses.insert_many([item.row for item, _ in owners], ordered=False)
        except BulkWriteError as fault:
            if fault.details.get("writeConcernErrors"):  # written perhaps, but not in the journal
                raise Unavailable(
                    "The database could not make the response durable; send it again."
                ) from None
            errors = {error["index"]: error for error in fault.details["writeErrors"]}
        for index, (item, reservation) in enumerate(owners):
            if index in errors:
                await self._judge(item, reservation, errors[index])
            else:
                item.accept()
        for reservation in reservations:
            if reservation.refused:
                await settle(self._db, reservation.form_id, reservation.id, reservation.refused)
            else:
                self._written[reservation.form_id].append(reservation.id)

    async def _judge(self, item: _Item, reservation: _Reservation, error: Document) -> None:
        """A duplicate of our own row (the driver sent the group twice) is a success."""
        row = item.row
        if error.get("code") != _DUPLICATE:
            reservation.refused += 1
            return item.refuse(_write_problem(error))
        if await self._db.responses.find_one({"_id": row["_id"]}, {"_id": 1}) is not None:
            return item.accept()
        reservation.refused += 1
        if "key" in row and await self._db.responses.find_one({"key": row["key"]}, {"_id": 1}) is not None:
            return item.refuse(DuplicateKey())
        return item.refuse(Conflict("This person has answered already, and the form takes one answer each."))

    async def _strike_written(self) -> None:
        """When nothing follows. What cannot be struck now is settled by the scheduler."""
        written, self._written = self._written, defaultdict(list)
        try:
            for form_id, ids in written.items():
                strike = {"$pull": {"open": {"id": {"$in": ids}}}}
                await unsynced(self._db.form_counters).update_one({"_id": form_id}, strike)
        except PyMongoError as fault:
            log.warning("reservations stay open", extra={"error": str(fault)})


async def settle(db: Database, form_id: str, reservation_id: str, places: int) -> None:
    """Strike the reservation and give back `places`, once: a second call finds nothing to strike."""
    await db.form_counters.update_one(
        {"_id": form_id, "open.id": reservation_id},
        {"$pull": {"open": {"id": reservation_id}}, "$inc": {"taken": -places}},
    )


async def settle_abandoned(db: Database, now: dt.datetime) -> int:
    """Settle the reservations of writers that died midway, by what they really wrote. Returns how many."""
    settled = 0
    async for counters in db.form_counters.find({"open.at": {"$lt": now - ABANDONED}}):
        for entry in counters["open"]:
            if entry["at"] < now - ABANDONED:
                places = await unwritten(db, counters["_id"], entry)
                await settle(db, counters["_id"], entry["id"], places)
                settled += 1
    return settled


async def unwritten(db: Database, form_id: str, entry: Document) -> int:
    """Places of an open reservation that no row has taken, or not yet."""
    numbers = {"$gt": entry["upto"] - entry["n"], "$lte": entry["upto"]}
    rows = await db.responses.find({"form_id": form_id, "seq": numbers}, {"_id": 1}).to_list()
    return int(entry["n"]) - len(rows)


def _reservation_update(reservation_id: str, n: int, written: list[str]) -> list[Document]:
    """Take n numbers and places, enter the reservation, and strike the written ones, in one step.

    $$NOW is the database's clock: numbers and times rise together, whichever process asks.
    """
    upto = {"$add": ["$seq", n]}
    entry = {"id": reservation_id, "n": n, "upto": upto, "at": "$$NOW"}
    unwritten = {"$not": [{"$in": ["$$entry.id", written]}]}
    still_open = {"$filter": {"input": "$open", "as": "entry", "cond": unwritten}}
    places = {"$add": ["$taken", n]}
    return [{"$set": {"seq": upto, "taken": places, "open": {"$concatArrays": [still_open, [entry]]}}}]


def _number(items: list[_Item], entry: Document) -> None:
    first = entry["upto"] - len(items) + 1
    for offset, item in enumerate(items):
        item.row |= {"seq": first + offset, "created_at": entry["at"], "updated_at": entry["at"]}


def _refuse(items: Iterable[_Item], problem: Exception) -> None:
    for item in items:
        item.refuse(problem)


def _write_problem(error: Document) -> Problem:
    fault = WriteError(str(error.get("errmsg")), error.get("code"), error)
    return as_problem(fault) or Problem("The response could not be stored.")
