"""Work that is longer than one request's time in the database: each piece has a deadline of its own."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable
from typing import TypeVar

import pymongo

from appliance import logs
from appliance.stores.mongo import DEADLINE

T = TypeVar("T")


def apart(work: Awaitable[T]) -> asyncio.Task[T]:
    """Begin work that no deadline bounds as a whole; each call of the database has the client's own."""
    fresh = contextvars.Context()
    fresh.run(logs.request_id.set, logs.request_id.get())

    async def run() -> T:
        return await work

    return asyncio.create_task(run(), context=fresh)


def start(piece: Awaitable[T]) -> asyncio.Task[T]:
    """Begin a piece that the deadline of the request does not bind: a nested one could only be shorter."""
    fresh = contextvars.Context()
    fresh.run(logs.request_id.set, logs.request_id.get())

    async def run() -> T:
        with pymongo.timeout(DEADLINE):
            return await piece

    return asyncio.create_task(run(), context=fresh)
