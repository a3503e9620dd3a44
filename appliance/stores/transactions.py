"""Writes that belong together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pymongo.asynchronous.client_session import AsyncClientSession

from appliance.stores.mongo import Database, make_durable

Session = AsyncClientSession
T = TypeVar("T")


async def together(db: Database, write: Callable[[Session], Awaitable[T]]) -> T:
    """Run `write` in a transaction, again when it met another one. It must be safe to run twice."""
    async with db.client.start_session() as session:
        done = await session.with_transaction(write)
    await make_durable(db)
    return done
