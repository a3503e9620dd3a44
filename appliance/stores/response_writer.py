"""Group commit: submissions that arrive together are written together, each judged on its own.

Contract of `ResponseWriter.write`: when it returns a row, the row is in the database's journal and has a
number (`seq`) and a place of its own; when it raises, the row was not written, except for Unavailable,
which leaves that open (the connection was lost midway): a retry under the same key finds out.

Life of a group: *reserve* numbers and places of each form, and places of its quotas, by one conditional
update, insert all rows by one `insert_many`, then *settle*: places of rows that were refused are given back.
The reservation stands in the counters' `open` list until it is settled, so that after a kill -9 in between
`settle_abandoned` (run by the scheduler) can count what was really written and give back the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections import defaultdict

import bson
import pymongo
from bson.errors import BSONError
from pymongo.errors import BulkWriteError, PyMongoError

from appliance import logs
from appliance.clock import new_id, utc_now
from appliance.errors import Conflict, FormClosed, Invalid, Problem, Unavailable
from appliance.stores import quotas
from appliance.stores.mongo import DEADLINE, Database, Document, as_problem, unsynced
from appliance.stores.reservations import (
    ABANDONED,
    DuplicateKey,
    FilesTaken,
    FormChanged,
    Gate,
    Item,
    Reservation,
    Undecided,
    number,
    places_of,
    refuse,
    reservation_update,
    settle_refused,
    still_open,
    those_with_room,
    write_problem,
)

GROUP = 64
"""Rows in one group at most."""
PATIENCE = 4.2
"""Seconds from the arrival of a submission to its verdict at most."""
_DUPLICATE = 11000
_AGAIN = 0.05
"""Seconds between two looks for a place that may come back."""
_QUIET = 0.2
"""Seconds without a submission after which written reservations are struck by themselves."""
_COUNTING = 60.0
"""Seconds that counting a quota may take; some 10,000 responses with its answer are counted a second."""

log = logs.get(__name__)


def _check_encodable(row: Document) -> None:
    try:
        bson.encode(row)
    except (BSONError, UnicodeEncodeError, OverflowError, RecursionError):
        raise Invalid("The response holds what cannot be stored.") from None


class ResponseWriter:
    """One a process. `start` inside the event loop, `stop` when no more submissions come."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._queue: list[Item] = []
        self._wake = asyncio.Event()
        self._written: defaultdict[str, list[str]] = defaultdict(list)
        """Reservations by form whose rows are all written: struck along with the form's next one."""
        self._counting: dict[tuple[str, str], asyncio.Task[None]] = {}
        """By form and quota."""
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
        await asyncio.gather(*self._counting.values())
        await self._strike_written()

    async def write(self, gate: Gate, row: Document) -> Document:
        """The row as written, with `seq` and `created_at`.

        Raises FormChanged, DuplicateKey, Conflict (a second answer of one person), FilesTaken, FormFull and
        QuotaFull (by responses that are there), FormClosed, Unavailable; Invalid for what BSON cannot hold,
        before it is in a group: the driver would refuse the whole of it.
        """
        _check_encodable(row)
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        try:
            async with asyncio.timeout_at(until):
                while True:
                    item = Item(gate, row, loop.create_future())
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

    async def _commit(self, group: list[Item]) -> None:
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

    async def _unused(self, group: list[Item]) -> list[Item]:
        """Those whose key is not used yet: a retry takes no number and no place. Of two with one key in the
        group the second waits for the next group, which finds the first one's row.
        """
        first: dict[str, Item] = {}
        fresh: list[Item] = []
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

    async def _reserve_all(self, group: list[Item]) -> list[Reservation]:
        by_gate: defaultdict[Gate, list[Item]] = defaultdict(list)
        for item in group:
            by_gate[item.gate].append(item)
        found = await asyncio.gather(*(self._reserve(gate, items) for gate, items in by_gate.items()))
        return [reservation for reservation in found if reservation is not None]

    async def _reserve(self, gate: Gate, items: list[Item]) -> Reservation | None:
        """Number the items; those that find no place are refused. None when nothing is left to write."""
        while items:
            reservation = Reservation(new_id(), gate.form_id, items)
            counters = await self._take(gate, reservation)
            if counters is None:
                items = await self._fewer(gate, items)
                continue
            entry = next(entry for entry in counters["open"] if entry["id"] == reservation.id)
            reservation.epoch = entry.get("epoch", 0)
            number(items, entry)
            if gate.closes_at is not None and entry["at"] >= gate.closes_at:
                refuse(items, FormClosed("The form has closed."))
                reservation.refused = items
                await settle_refused(self._db, reservation)
                return None
            return reservation
        return None

    async def _take(self, gate: Gate, reservation: Reservation) -> Document | None:
        """One conditional update. None when the gate is another one or the places do not suffice.

        Naming the reservation makes it safe to repeat, and its entry tells its numbers afterwards: not by
        findAndModify, for which the embedded server looks through the counters of all forms.
        """
        n, written = len(reservation.items), self._written.pop(gate.form_id, [])
        query: Document = {"_id": gate.form_id, "gate": gate.gate, "open.id": {"$ne": reservation.id}}
        if gate.max_responses is not None:
            query["taken"] = {"$lte": gate.max_responses - n}
        wanted = places_of(reservation.items)
        query |= quotas.room_for(gate.limits, wanted)
        change = reservation_update(reservation.id, n, wanted, written, has_text=gate.has_text)
        counters: Document | None = None
        try:
            await self._db.form_counters.update_one(query, change)
            counters = await self._db.form_counters.find_one({"_id": gate.form_id, "open.id": reservation.id})
        finally:
            if counters is None and written:  # striking twice does no harm, forgetting would
                self._written[gate.form_id] += written
        return counters

    async def _fewer(self, gate: Gate, items: list[Item]) -> list[Item]:
        """Those of the items that may try again after a reservation was not granted."""
        await self._strike_written()  # what we have written is no reservation to wait for
        counters = await self._db.form_counters.find_one({"_id": gate.form_id})
        if counters is None or counters["gate"] != gate.gate or not gate.is_limited:
            refuse(items, FormChanged())
            return []
        if uncounted := self._count(gate, items, counters):
            waiting = [item for item in items if not uncounted.isdisjoint(item.quotas)]
            refuse(waiting, Undecided())
            return [item for item in items if item not in waiting]
        counters["open"] = await still_open(self._db, counters)
        return those_with_room(gate, items, counters)

    def _count(self, gate: Gate, items: list[Item], counters: Document) -> set[str]:
        """Ids of the quotas that the items count towards and that are not counted yet: that has begun now."""
        known = counters.get("counts", {})
        missing = set(places_of(items)) - set(known)
        for quota in gate.limits:
            key = (gate.form_id, quota.id)
            if quota.id in missing and key not in self._counting:
                work = self._recount(key, quota)
                # Without the deadline of the group, which cannot wait for it.
                self._counting[key] = asyncio.create_task(work, context=contextvars.Context())
        return missing

    async def _recount(self, key: tuple[str, str], quota: quotas.Quota) -> None:
        try:
            with pymongo.timeout(_COUNTING):
                await quotas.recount(self._db, key[0], quota, utc_now() - ABANDONED)
        except PyMongoError as fault:  # whoever waits asks for it again
            log.warning("a quota could not be counted", extra={"form": key[0], "error": str(fault)[:200]})
        finally:
            del self._counting[key]

    # -- insert

    async def _insert(self, reservations: list[Reservation]) -> None:
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
                await settle_refused(self._db, reservation)
            else:
                self._written[reservation.form_id].append(reservation.id)

    async def _judge(self, item: Item, reservation: Reservation, error: Document) -> None:
        """A duplicate of our own row (the driver sent the group twice) is a success."""
        row = item.row
        if error.get("code") != _DUPLICATE:
            reservation.refused.append(item)
            return item.refuse(write_problem(error))
        if await self._db.responses.find_one({"_id": row["_id"]}, {"_id": 1}) is not None:
            return item.accept()
        reservation.refused.append(item)
        if "key" in row and await self._db.responses.find_one({"key": row["key"]}, {"_id": 1}) is not None:
            return item.refuse(DuplicateKey())
        if "files" in row and await self._db.responses.find_one({"files": {"$in": row["files"]}}, {"_id": 1}):
            return item.refuse(FilesTaken("A file in it belongs to another response by now."))
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
