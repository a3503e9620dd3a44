"""Writes that belong together."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from weakref import WeakKeyDictionary

from pymongo.asynchronous.client_session import AsyncClientSession

from appliance.errors import Stale
from appliance.stores.mongo import Collection, Database, Document, make_durable

Session = AsyncClientSession
T = TypeVar("T")
_PATIENCE = 2.0
"""Seconds to wait for the other processes; a stopped one must not stop us."""
_LOOK = 0.003
"""Seconds between two looks whether it is our turn; a transaction takes some 20 ms."""


class Overtaken(Stale):
    """Somebody changed the row after it was read for this change. `services.rereading` reads it anew."""


class Turns:
    """One transaction at a time, on the whole machine.

    The head of the audit log lets only one come through anyway: meeting there costs each of them its work,
    again and again, and under load some for longer than their deadline. Only an economy: MongoDB decides.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._of_process = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        async with self._of_process:
            if self._path is None:
                yield
                return
            # Closing it gives the turn up, as does the end of the process.
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                until = time.monotonic() + _PATIENCE
                while not _locked(descriptor) and time.monotonic() < until:  # noqa: ASYNC110 - other processes
                    await asyncio.sleep(_LOOK)
                yield
            finally:
                os.close(descriptor)


_turns: WeakKeyDictionary[object, Turns] = WeakKeyDictionary()
"""By client."""


def take_turns(client: object, path: Path) -> None:
    """The client's transactions take turns with those of all processes that name the same file."""
    _turns[client] = Turns(path)


async def together(db: Database, write: Callable[[Session], Awaitable[T]]) -> T:
    """Run `write` in a transaction, again when it met another one. It must be safe to run twice."""
    turns = _turns.setdefault(db.client, Turns(None))
    async with turns.turn(), db.client.start_session() as session:
        done = await session.with_transaction(write)
    await make_durable(db)
    return done


async def changed(
    collection: Collection, query: Document, change: Document, session: Session, *, upsert: bool = False
) -> Document | None:
    """The row after the change; None when none fits. `query` names its `_id`. Only in a transaction: nobody
    comes in between.

    Not by findAndModify: for that the embedded server looks through the whole collection, also when it is
    asked for by `_id` (35 µs a row); an update and a read find their row at once.
    """
    done = await collection.update_one(query, change, upsert=upsert, session=session)
    if not done.matched_count and done.upserted_id is None:
        return None
    return await collection.find_one({"_id": query["_id"]}, session=session)


async def next_number(db: Database, session: Session, name: str) -> int:
    """The next one of the numbers of that name, from 1 on."""
    row = await changed(db.form_counters, {"_id": name}, {"$inc": {"number": 1}}, session, upsert=True)
    return int(row["number"]) if row else 1


async def last_number(db: Database, name: str) -> int:
    """The one that `next_number` gave out last; 0 before the first."""
    row = await db.form_counters.find_one({"_id": name})
    return int(row["number"]) if row else 0


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
