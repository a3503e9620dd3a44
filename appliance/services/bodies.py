"""Cache-aside: answers kept as the bytes that go out, in the process and in Redis.

Contract of `Bodies.get`: the body is never older than the last acknowledged change of anything it was made
of (`made_of`, names among the generations), whichever process wrote it. Whoever calls it has checked before
that the caller may see the body.

Redis holds a body under its generations, so there is nothing to invalidate there: a change makes the old key
unreachable, and its TTL takes it away. Without Redis the process's own copies serve.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError

from appliance import logs
from appliance.stores.generations import Generations

LIFE = 60
"""Seconds that a body is kept at most."""
_PATIENCE = 0.05
"""Seconds that Redis has to answer."""
_REST = 2.0
"""Seconds without asking after it did not."""
_KEPT = 4_000
_LARGEST = 256 * 1024

log = logs.get(__name__)


class Body(NamedTuple):
    """JSON, and its entity tag with quotes."""

    content: bytes
    etag: str


class Cached(NamedTuple):
    body: Body
    hit: bool


class _Kept(NamedTuple):
    generations: tuple[int, ...]
    until: float
    cached: Cached


class Bodies:
    """One a process."""

    def __init__(self, redis: Redis, generations: Generations) -> None:
        self._redis = redis
        self._generations = generations
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._rest_until = 0.0

    def find(self, key: str, made_of: tuple[str, ...]) -> Cached | None:
        """The process's own copy."""
        kept = self._kept.get(key)
        if kept is None or kept.until < time.monotonic():
            return None
        return kept.cached if kept.generations == self._numbers(made_of) else None

    async def get(self, key: str, made_of: tuple[str, ...], make: Callable[[], Awaitable[bytes]]) -> Cached:
        """`make` gives the JSON. What it raises is raised, and nothing is kept."""
        if (found := self.find(key, made_of)) is not None:
            return found
        numbers = self._numbers(made_of)  # before anything is read
        shared = f"cache:{key}:{'-'.join(f'{number:x}' for number in numbers)}"
        content = await self._read(shared)
        body = Body(content, etag(content)) if content is not None else None
        if body is None:
            made = await make()
            body = Body(made, etag(made))
            self._keep(key, numbers, body)
            await self._write(shared, made)
            return Cached(body, hit=False)
        self._keep(key, numbers, body)
        return Cached(body, hit=True)

    def _numbers(self, made_of: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(map(self._generations.get, made_of))

    def _keep(self, key: str, numbers: tuple[int, ...], body: Body) -> None:
        if len(body.content) > _LARGEST:
            return
        self._kept[key] = _Kept(numbers, time.monotonic() + LIFE, Cached(body, hit=True))
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    async def _read(self, key: str) -> bytes | None:
        found = await self._ask(lambda: self._redis.get(key))
        return found if isinstance(found, bytes) else None

    async def _write(self, key: str, content: bytes) -> None:
        if len(content) <= _LARGEST:
            await self._ask(lambda: self._redis.set(key, content, ex=LIFE))

    async def _ask(self, command: Callable[[], Awaitable[object]]) -> object:
        """None when Redis is away or slow: then it is left alone for a moment."""
        if time.monotonic() < self._rest_until:
            return None
        try:
            return await asyncio.wait_for(command(), _PATIENCE)
        except (RedisError, OSError, TimeoutError) as fault:
            self._rest_until = time.monotonic() + _REST
            log.warning("the cache is away", extra={"error": str(fault)[:200]})
            return None


def etag(content: bytes) -> str:
    return f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
