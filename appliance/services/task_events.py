"""A task as it goes on: its state now, then each change of it until it has ended."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

from redis.asyncio.client import PubSub
from redis.exceptions import MaxConnectionsError, RedisError

from appliance import logs
from appliance.errors import TooMany, Unavailable
from appliance.queue import status
from appliance.queue.engine import PREFIX
from appliance.services import tasks
from appliance.services.context import Context
from appliance.services.task_shapes import Task

MayListen = Callable[[], Awaitable[bool]]
MOST_OF_ONE = 8
"""Tasks that one user listens to at a time, in each API process."""
PULSE = 3.0
"""Seconds of silence after which the line is shown to be alive, and the right to listen checked."""

_LOOK = 0.5
"""Seconds after which a stop of the process is noticed."""

log = logs.get(__name__)


async def follow(
    context: Context, user_id: str, task_id: str, may_listen: MayListen
) -> AsyncGenerator[Task | None, None]:
    """The task, again after each change; None is a sign of life. Ends with the task, or the right to listen.

    Raises Unavailable while Redis is away or when too many listen, TooMany for one who listens too often;
    all of it before the first is given.
    """
    if context.listeners[user_id] >= MOST_OF_ONE:
        told = "You listen to as many tasks as one may; end some, or ask for the status."
        raise TooMany(told, retry_after=10)
    context.listeners[user_id] += 1
    try:
        async for task in _follow(context, task_id, may_listen):
            yield task
    finally:
        context.listeners[user_id] -= 1
        if not context.listeners[user_id]:
            del context.listeners[user_id]


async def _follow(context: Context, task_id: str, may_listen: MayListen) -> AsyncGenerator[Task | None, None]:
    channel = context.listening.pubsub(ignore_subscribe_messages=True)
    try:
        try:
            await channel.subscribe(f"{PREFIX}events:{task_id}")
        except MaxConnectionsError:
            raise Unavailable("Too many listen at this moment; ask for the status.", retry_after=10) from None
        except (RedisError, OSError):
            raise Unavailable("The queue does not answer; ask again.", retry_after=5) from None
        known: status.Known | None = None
        while True:
            found = await status.find(context.redis, task_id)
            if found is None and known is not None:
                return  # Redis has lost it; whoever asks again is told what the database knows
            if found is not None and found != known:
                known = found
                yield tasks.shape(found)
                if found.is_over:
                    return
            if not await _news(context, channel):
                yield None
                if context.stopping or not await may_listen():
                    return
    except (RedisError, OSError):
        log.info("a listener lost Redis", extra={"task_id": task_id})
    finally:
        with contextlib.suppress(RedisError, OSError):
            await channel.aclose()  # type: ignore[no-untyped-call]


async def _news(context: Context, channel: PubSub) -> bool:
    """False after a while of silence, or when the process is to end."""
    for _ in range(int(PULSE / _LOOK)):
        if context.stopping:
            return False
        if await channel.get_message(timeout=_LOOK) is not None:
            return True
    return False
