"""Who waits for a webhook to be free, or well again, is called when it is."""

from __future__ import annotations

import contextlib

from redis.exceptions import RedisError

from appliance.clock import utc_now
from appliance.queue import scripts
from appliance.services.context import Context
from appliance.stores import deliveries

_AT_ONCE = 500
_STALE = 50
"""Calls that nobody answers, because who was in line has ended meanwhile, until the rest waits its time."""


async def wake(context: Context, webhook_id: str) -> None:
    """The webhook was changed: what was put off goes now. Never fails, for a rest ends by itself."""
    await context.gate.wake(webhook_id)
    await _hasten_all(context, webhook_id)


async def well(context: Context, webhook_id: str, seconds: float) -> None:
    """Something got through past the gate, in so many seconds: what was put off goes now. Never fails."""
    await context.gate.well(webhook_id, seconds)
    await _hasten_all(context, webhook_id)


async def call(context: Context, webhook_id: str, called: list[str]) -> None:
    """Let those begin whose turn it is, or those behind them. Raises RedisError."""
    for _ in range(_STALE):
        if not called or await _hasten(context, called) == len(called):
            return
        called = await context.gate.leave(webhook_id, "", "untried")


async def _hasten_all(context: Context, webhook_id: str) -> None:
    waiting = await deliveries.put_off(context.db, webhook_id, utc_now(), _AT_ONCE)
    with contextlib.suppress(RedisError, OSError):
        await _hasten(context, waiting)


async def _hasten(context: Context, ids: list[str]) -> int:
    return int(await scripts.script(context.redis, "hasten")(args=ids))
