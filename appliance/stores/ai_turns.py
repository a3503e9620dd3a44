"""What goes on between those who ask the model something and the worker that runs it, in Redis.

Contract: few wait at a time (`Turns`), the others are told to come back. Whoever waits listens to a
channel of its own, where the worker says what it has so far. A channel that nobody listens to any more is
how the worker learns that nobody waits.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from appliance.ai.engine import Usage

_LUA = Path(__file__).parent / "lua"
_WAITING = "appliance:ai:waiting"
LEASE = 20.0
"""Seconds that one counts as waiting that does not say so again."""


class Said(msgspec.Struct, array_like=True):
    """A part of the answer. `attempt` tells one run of the task from the next, after a worker has died."""

    attempt: int
    text: str
    usage: Usage


def channel(task_id: str) -> str:
    return f"appliance:ai:said:{task_id}"


async def say(redis: Redis, task_id: str, said: Said) -> bool:
    """Whether somebody listens. True while Redis is away: it will be back before anybody has given up."""
    with contextlib.suppress(RedisError, OSError):
        return bool(await redis.publish(channel(task_id), msgspec.json.encode(said)))
    return True


class Turns:
    """`take` a place to wait in, again every few seconds; then `leave`. `take` raises RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._take = redis.register_script((_LUA / "turn_take.lua").read_text())

    async def take(self, task_id: str, most: int) -> bool:
        return bool(await self._take(keys=[_WAITING], args=[task_id, most, int(LEASE * 1000)]))

    async def leave(self, task_id: str) -> None:
        with contextlib.suppress(RedisError, OSError):
            await self._redis.zrem(_WAITING, task_id)
