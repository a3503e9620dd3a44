"""The engine's queues: how full they are, pausing and resuming, emptying.

A pause is kept in the database too, so that it outlives a Redis that was emptied.
"""

from __future__ import annotations

import time
from typing import Any, cast

from appliance.domain.access import Caller
from appliance.errors import NotFound
from appliance.queue import scripts, status
from appliance.queue.engine import PREFIX
from appliance.queue.routes import QUEUES
from appliance.services import task_shapes as shapes
from appliance.services.context import Context
from appliance.services.tasks import redis_needed
from appliance.stores import audit, pauses

_AT_ONCE = 500


async def every(context: Context) -> shapes.Queues:
    """All queues. Raises Unavailable."""
    with redis_needed():
        found = await status.queues(context.redis)
    return shapes.Queues([_shape(queue) for queue in found], None)


async def due_later(context: Context) -> int:
    """Tasks that are scheduled, or wait for their next try. Raises Unavailable."""
    with redis_needed():
        return await status.due_later(context.redis)


async def set_paused(context: Context, caller: Caller | None, queue: str, paused: bool) -> shapes.Queue:
    """What runs goes on; nothing else begins. Raises NotFound, and Unavailable before anything is changed."""
    if queue not in QUEUES:
        raise NotFound(f"There is no such queue; there are {', '.join(QUEUES)}.")
    await every(context)
    action = "queue.paused" if paused else "queue.resumed"
    deed = audit.Entry(caller.user_id if caller else None, action, queue, {})
    await pauses.write(context.db, queue, paused, deed)
    with redis_needed():
        await apply_pauses(context)
    return next(each for each in (await every(context)).queues if each.name == queue)


async def apply_pauses(context: Context) -> int:
    """Tell the engine what the database says; how many queues it held otherwise."""
    redis, key = cast(Any, context.redis), f"{PREFIX}paused"
    wanted = await pauses.paused(context.db)
    has = {name.decode() for name in await redis.smembers(key)}
    if wanted - has:
        await redis.sadd(key, *(wanted - has))
    if has - wanted:
        await redis.srem(key, *(has - wanted))
    return len(wanted ^ has)


async def purge(context: Context, caller: Caller | None, queue: str) -> int:
    """Cancel what waits on the queue; how many ids were taken off it. What runs or waits for its time stays.

    The database learns of each from the scheduler, so what was purged is not sent again. Raises NotFound,
    Unavailable.
    """
    if queue not in QUEUES:
        raise NotFound(f"There is no such queue; there are {', '.join(QUEUES)}.")
    take, total = scripts.script(context.redis, "purge"), 0
    with redis_needed():
        while taken := int(await take(args=[queue, _AT_ONCE])):
            total += taken
    deed = audit.Entry(caller.user_id if caller else None, "queue.purged", queue, {"tasks": total})
    await pauses.record(context.db, deed)
    return total


def _shape(queue: status.Queue) -> shapes.Queue:
    age = None if queue.oldest is None else max(0.0, time.time() - queue.oldest / 1000)
    return shapes.Queue(
        name=queue.name,
        depth=queue.depth,
        oldest_age=age,
        running=queue.running,
        paused=queue.is_paused,
        rate=queue.rate,
    )
