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

from appliance.stores.mongo import Database, make_durable

Session = AsyncClientSession
T = TypeVar("T")
_PATIENCE = 2.0
"""Seconds to wait for the other processes; a stopped one must not stop us."""
_LOOK = 0.003
"""Seconds between two looks whether it is our turn; a transaction takes some 20 ms."""


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


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
