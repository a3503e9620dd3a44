"""The context of this worker process, and the event loop that its tasks run on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pymongo

from appliance.services.context import Context, open_context
from appliance.settings import Settings
from appliance.stores.mongo import DEADLINE

_runner: asyncio.Runner | None = None
_context: Context | None = None


def start(asked: Settings) -> Callable[[Awaitable[Any]], Any]:
    """Call once, after the fork: connections and loops do not survive one. How coroutines are run here."""
    global _runner, _context
    _runner = asyncio.Runner()
    _context = _runner.run(_open(asked))
    return run


def run(work: Awaitable[Any]) -> Any:
    """Run a task's coroutine to its end. Raises what it raises."""
    if _runner is None:
        raise RuntimeError("process.start was not called")
    return _runner.run(_bounded(work))


def context() -> Context:
    if _context is None:
        raise RuntimeError("process.start was not called")
    return _context


async def _open(asked: Settings) -> Context:
    return open_context(asked)


async def _bounded(work: Awaitable[Any]) -> Any:
    with pymongo.timeout(DEADLINE * 5):
        return await work
