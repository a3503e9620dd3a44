"""The context of this worker process, and the event loop that its tasks run on."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import pymongo

from appliance.queue import registry
from appliance.queue.run import Run
from appliance.services import background, deadlines
from appliance.services.context import Context, open_context
from appliance.settings import Settings
from appliance.stores.mongo import DEADLINE

_runner: asyncio.Runner | None = None
_context: Context | None = None


def task(name: str) -> Callable[[registry.Function], registry.Function]:
    """Register the function as a task whose event is done when it returns."""

    def register(function: registry.Function) -> registry.Function:
        @functools.wraps(function)
        async def whole(run: Run, **arguments: Any) -> Any:
            result = await function(run, **arguments)
            await background.complete(context(), run, result)
            return result

        return registry.task(name)(whole)

    return register


def long_task(name: str) -> Callable[[registry.Function], registry.Function]:
    """As `task`, for what takes minutes: no deadline bounds the whole of its work in the database."""

    def register(function: registry.Function) -> registry.Function:
        @functools.wraps(function)
        async def whole(run: Run, **arguments: Any) -> Any:
            result = await deadlines.apart(function(run, **arguments))
            await deadlines.start(background.complete(context(), run, result))
            return result

        return registry.task(name)(whole)

    return register


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
    return _runner.get_loop().run_until_complete(
        _bounded(work)
    )  # a third of what the runner's own `run` costs


def context() -> Context:
    if _context is None:
        raise RuntimeError("process.start was not called")
    return _context


async def _open(asked: Settings) -> Context:
    return open_context(asked)


async def _bounded(work: Awaitable[Any]) -> Any:
    with pymongo.timeout(DEADLINE * 5):
        return await work
