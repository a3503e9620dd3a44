"""Rate limits: token buckets and waits after failures, one for all processes, in Redis.

Contract: one atomic script a decision, so no number of parallel requests gets past a limit. While Redis is
away each process limits by itself. With RATE_LIMIT=off everything is allowed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from appliance import logs
from appliance.stores.buckets import Backoff, Bucket, InProcess, Keeper, State

_LUA = Path(__file__).parent / "lua"
_REST = 2.0
"""Seconds without a try after Redis was away."""
_PATIENCE = 0.5
"""Seconds that Redis has to answer."""
_MICRO = 1_000_000

log = logs.get(__name__)
T = TypeVar("T")


class Verdict(NamedTuple):
    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int
    """Until the next one is allowed, when this one was not; else until the whole limit is there again."""


class Limiter:
    """`take` for buckets; `fail`, `blocked`, `clear` for waits after failures."""

    def __init__(self, redis: Redis, *, enabled: bool) -> None:
        self._shared: Keeper = _Shared(redis)
        self._local: Keeper = InProcess()
        self._enabled = enabled
        self._rest_until = 0.0

    async def take(self, name: str, limit: int, window_seconds: float) -> Verdict:
        """One token out of the bucket `name`, if there is one."""
        return await self.take_each([Bucket(name, limit, window_seconds)])

    async def take_each(self, buckets: Sequence[Bucket]) -> Verdict:
        """One token out of each, or out of none; the verdict is that of the emptiest."""
        if not self._enabled:
            return Verdict(True, buckets[0].limit, buckets[0].limit, 0)
        states = await self._ask(lambda keeper: keeper.take(buckets))
        found = [_verdict(bucket, state) for bucket, state in zip(buckets, states, strict=True)]
        return min(found, key=lambda each: (each.allowed, each.remaining, -each.reset_seconds))

    async def fail(self, name: str, backoff: Backoff) -> None:
        """One more failure in a row."""
        if self._enabled:
            await self._ask(lambda keeper: keeper.fail(name, backoff))

    async def blocked(self, name: str) -> float:
        """Seconds that are still to wait after failures; 0 when none."""
        return await self._ask(lambda keeper: keeper.blocked(name)) if self._enabled else 0.0

    async def clear(self, name: str) -> None:
        """Forget the failures: it went well."""
        if self._enabled:
            await self._ask(lambda keeper: keeper.clear(name))

    async def _ask(self, question: Callable[[Keeper], Awaitable[T]]) -> T:
        now = time.monotonic()
        if now >= self._rest_until:
            if self._rest_until:
                self._rest_until = now + _REST  # it was away: one request finds out, the others do not wait
            try:
                async with asyncio.timeout(_PATIENCE):
                    answer = await question(self._shared)
                self._rest_until = 0.0
                return answer
            except (RedisError, OSError) as fault:  # a timeout is an OSError
                self._rest_until = time.monotonic() + _REST
                log.warning("limits are per process", extra={"error": str(fault)[:200]})
        return await question(self._local)


def origin(address: str | None) -> str:
    """What a limit by address counts as one: an IPv4 address, or the /64 that one IPv6 customer has."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


class _Shared:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._take = redis.register_script((_LUA / "take.lua").read_text())
        self._fail = redis.register_script((_LUA / "fail.lua").read_text())

    async def take(self, buckets: Sequence[Bucket]) -> list[State]:
        keys = [_key("bucket", bucket.name) for bucket in buckets]
        bounds = [part for bucket in buckets for part in (bucket.limit, int(bucket.window * _MICRO))]
        rows: list[list[int]] = await self._take(keys=keys, args=bounds)
        return [State(bool(has), left, wait, full) for has, left, wait, full in rows]

    async def fail(self, name: str, backoff: Backoff) -> None:
        await self._fail(keys=[_key("failures", name)], args=list(backoff))

    async def blocked(self, name: str) -> float:
        until: Any = await cast(Awaitable[Any], self._redis.hget(_key("failures", name), "until"))
        return max(0.0, float(until) - time.time()) if until is not None else 0.0

    async def clear(self, name: str) -> None:
        await self._redis.delete(_key("failures", name))


def _key(kind: str, name: str) -> str:
    return f"appliance:{kind}:{name}"


def _verdict(bucket: Bucket, state: State) -> Verdict:
    micros = state.full if state.has else state.wait
    seconds = max(1, math.ceil(micros / _MICRO)) if micros else 0
    return Verdict(state.has, bucket.limit, state.left, seconds)
