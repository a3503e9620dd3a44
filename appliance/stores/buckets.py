"""Token buckets and waits after failures: what they are, and how one process keeps them by itself.

The arithmetic is that of `lua/take.lua` and `lua/fail.lua`, which keep them for all processes.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

_KEPT = 20_000
_MICRO = 1_000_000


class Bucket(NamedTuple):
    """`limit` tokens, all of them back after `window` seconds, one after `window / limit`."""

    name: str
    limit: int
    window: float


class Backoff(NamedTuple):
    """Waits in seconds after failures in a row: none for the first few, then doubling."""

    free: int = 5
    first: int = 15
    longest: int = 900
    forget: int = 1800


class State(NamedTuple):
    """Of one bucket: had it a token, how many are left, µs until it has one, µs until it is full."""

    has: bool
    left: int
    wait: int
    full: int


class Keeper(Protocol):
    async def take(self, buckets: Sequence[Bucket]) -> list[State]: ...
    async def fail(self, name: str, backoff: Backoff) -> None: ...
    async def blocked(self, name: str) -> float: ...
    async def clear(self, name: str) -> None: ...


class InProcess:
    """Keeps the newest 20,000 names. `now` gives seconds that only grow."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._full: OrderedDict[str, float] = OrderedDict()
        self._failures: OrderedDict[str, tuple[int, float, float]] = OrderedDict()

    async def take(self, buckets: Sequence[Bucket]) -> list[State]:
        now = self._now()
        fulls = [max(self._full.get(bucket.name, now), now) for bucket in buckets]
        costs = [bucket.window / bucket.limit for bucket in buckets]
        has = [
            full + cost <= now + bucket.window + 1e-6
            for bucket, full, cost in zip(buckets, fulls, costs, strict=True)
        ]
        if all(has):
            fulls = [full + cost for full, cost in zip(fulls, costs, strict=True)]
            self._full.update({bucket.name: full for bucket, full in zip(buckets, fulls, strict=True)})
            _trim(self._full)
        return [
            State(
                had,
                int((now + bucket.window - full + 1e-6) / cost),
                max(0, round((full + cost - now - bucket.window) * _MICRO)),
                round((full - now) * _MICRO),
            )
            for had, bucket, full, cost in zip(has, buckets, fulls, costs, strict=True)
        ]

    async def fail(self, name: str, backoff: Backoff) -> None:
        now = self._now()
        failures, until, forgotten = self._failures.pop(name, (0, 0.0, 0.0))
        failures = failures + 1 if now < forgotten else 1
        over = failures - backoff.free
        if over >= 0:
            until = now + min(backoff.first * 2 ** min(over, 20), backoff.longest)
        self._failures[name] = (failures, until, now + backoff.forget)
        _trim(self._failures)

    async def blocked(self, name: str) -> float:
        return max(0.0, self._failures.get(name, (0, 0.0, 0.0))[1] - self._now())

    async def clear(self, name: str) -> None:
        self._failures.pop(name, None)


def _trim(kept: OrderedDict[str, float] | OrderedDict[str, tuple[int, float, float]]) -> None:
    while len(kept) > _KEPT:
        kept.popitem(last=False)
