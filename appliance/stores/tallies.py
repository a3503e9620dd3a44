"""What is dropped on purpose and told to nobody else, counted for Prometheus: in Redis, for all processes.

A Redis that was emptied begins at zero, which Prometheus takes as a counter's reset.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

_KEY = "appliance:tallies"
Name = Literal["receipts_dropped"]
_TOLD: Mapping[Name, str] = {"receipts_dropped": "Receipts not sent: their address had five within the hour"}


async def count(redis: AsyncRedis, name: Name) -> None:
    """One more. Redis being away is no matter."""
    with contextlib.suppress(RedisError, OSError):
        await redis.hincrby(_KEY, name, 1)


class TallyCollector(Collector):
    """Reads Redis at each scrape; tells nothing while it does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis

    def describe(self) -> Iterator[Metric]:
        """Names without asking Redis: registering must not need one."""
        yield from _metrics({})

    def collect(self) -> Iterator[Metric]:
        try:
            found = self._redis.hgetall(_KEY)
        except (RedisError, OSError):
            return
        yield from _metrics({name.decode(): int(value) for name, value in found.items()})


def _metrics(counts: Mapping[str, int]) -> Iterator[Metric]:
    for name, told in _TOLD.items():
        yield CounterMetricFamily(f"appliance_{name}", told, value=counts.get(name, 0))
