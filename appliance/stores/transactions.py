"""Writes that belong together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from pymongo.asynchronous.client_session import AsyncClientSession

from appliance.stores.mongo import Database, make_durable

Session = AsyncClientSession
T = TypeVar("T")


_turns: WeakKeyDictionary[object, asyncio.Lock] = WeakKeyDictionary()
"""One a client. The head of the audit log lets only one transaction at a time come through anyway: those of
one process take turns here, since meeting there would cost each of them its work, again and again.
"""


async def together(db: Database, write: Callable[[Session], Awaitable[T]]) -> T:
    """Run `write` in a transaction, again when it met another one. It must be safe to run twice."""
    async with _turns.setdefault(db.client, asyncio.Lock()):
        async with db.client.start_session() as session:
            done = await session.with_transaction(write)
    await make_durable(db)
    return done
