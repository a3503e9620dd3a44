"""Commands that work with the same services as the API, so that its processes see the change at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pymongo.errors import PyMongoError

from appliance import settings
from appliance.addresses import Paths
from appliance.errors import CannotStart, Problem
from appliance.services.context import Context, open_context
from appliance.settings import Settings
from appliance.stores import mongo

T = TypeVar("T")


def run(work: Callable[[Context], Awaitable[T]]) -> T:
    """What `work` gives. Raises CannotStart with what is wrong."""
    try:
        return asyncio.run(_within(load_started(), work))
    except Problem as fault:
        reasons = [f"{error.path.removeprefix('/')}: {error.message}" for error in fault.errors]
        raise CannotStart(" ".join([fault.detail, *reasons])) from None
    except PyMongoError as fault:
        raise CannotStart(mongo.told(fault)) from None


def load_started() -> Settings:
    """Raises CannotStart before the first start; nothing is created here."""
    chosen = settings.load()
    if not Paths(chosen.data).run.is_dir():
        raise CannotStart(f"{chosen.data} is no data folder of an appliance yet; next: ./scripts/up")
    return chosen


async def _within(chosen: Settings, work: Callable[[Context], Awaitable[T]]) -> T:
    context = open_context(chosen)
    try:
        return await work(context)
    finally:
        await context.close()
