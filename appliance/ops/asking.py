"""What the servers say when doctor asks them: read only, and never longer than a moment.

Not by a context of the services: that makes keys where there are none, and doctor touches nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple

from appliance.errors import CannotStart, Problem
from appliance.settings import Settings

SECONDS: Final = 8.0
"""For all questions together."""


class Seen(NamedTuple):
    """None where a server did not answer: `readiness` and `programs` tell that."""

    paused: list[tuple[str, int]] | None
    """Queues, and how many tasks wait there."""
    redis: dict[str, Any] | None
    """Of INFO: how it keeps its data."""
    letters: int | None
    unwanted: int | None
    """Webhooks whose receivers want no more."""
    indexes: list[str] | None
    """Faults of indexes."""


def ask(settings: Settings) -> Seen:
    return asyncio.run(_ask(settings))


async def _ask(settings: Settings) -> Seen:
    (paused, redis), (letters, unwanted, indexes) = await asyncio.gather(_redis(settings), _mongo(settings))
    return Seen(paused, redis, letters, unwanted, indexes)


async def _redis(settings: Settings) -> tuple[list[tuple[str, int]] | None, dict[str, Any] | None]:
    from redis.exceptions import RedisError

    from appliance.queue import sender, status

    try:
        client = sender.connect(settings)
    except CannotStart:
        return None, None
    try:
        async with asyncio.timeout(SECONDS):
            told = await client.info()
            found = await status.queues(client)
    except (RedisError, OSError, TimeoutError):
        return None, None
    finally:
        await client.aclose()
    return [(queue.name, queue.depth) for queue in found if queue.is_paused], told


async def _mongo(settings: Settings) -> tuple[int | None, int | None, list[str] | None]:
    from pymongo.errors import PyMongoError  # doctor also runs where the drivers cannot be read

    from appliance.stores import dead_letters, indexes, mongo, webhooks

    try:
        client = mongo.connect(settings)
    except (CannotStart, PyMongoError):
        return None, None, None
    try:
        async with asyncio.timeout(SECONDS):
            db = mongo.database(client)
            return (
                await dead_letters.count(db),
                await webhooks.count_unwanted(db),
                await indexes.faults(db),
            )
    except (PyMongoError, Problem, TimeoutError):
        return None, None, None
    finally:
        await client.close()
