"""What models have done, counted for Prometheus: in Redis, so that no process's end loses any of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

_KEY = "appliance:ai:counts"
_LOADED = "appliance:ai:loaded"
_PENDING = "appliance:ai:pending"
_COUNTERS = {
    "loads": "Models loaded",
    "load_seconds": "What loading them took",
    "prompt_tokens": "Tokens of prompts, cached ones included",
    "cached_tokens": "Tokens of prompts that were in the cache from before",
    "generated_tokens": "Tokens generated",
    "prompt_seconds": "What working on prompts took",
    "generate_seconds": "What generating took",
    "scored": "Texts whose labels were scored",
    "embedded": "Texts whose vectors were made",
    "responses_embedded": "Responses whose vectors were put into the file of search by meaning",
    "searches": "Searches by meaning that were answered",
    "search_seconds": "What they took, the database included",
    "refused": "Questions that were told to come back, since too many waited",
    "hung_up": "Answers that were broken off because nobody waited for them any more",
}
_ALIVE = 90
"""Seconds that a worker counts as having a model loaded, after it last said so."""


async def add(redis: AsyncRedis, counts: Mapping[str, float]) -> None:
    """Redis being away is no matter."""
    with contextlib.suppress(RedisError, OSError):
        async with redis.pipeline(transaction=False) as pipe:
            for name, count in counts.items():
                if count:
                    pipe.hincrbyfloat(_KEY, name, count)
            await pipe.execute()


async def set_loaded(redis: AsyncRedis, loaded: bool) -> None:
    """Whether a model is in memory; to be said again within a minute."""
    with contextlib.suppress(RedisError, OSError):
        await redis.set(_LOADED, int(loaded), ex=_ALIVE)


async def set_pending(redis: AsyncRedis, count: int) -> None:
    """How many responses have no vector yet; to be said again within a minute."""
    with contextlib.suppress(RedisError, OSError):
        await redis.set(_PENDING, count, ex=_ALIVE)


class AiCollector(Collector):
    """Reads Redis at each scrape; tells nothing while it does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis

    def describe(self) -> Iterator[Metric]:
        """Names without asking Redis: registering must not need one."""
        yield from _metrics({}, 0, 0)

    def collect(self) -> Iterator[Metric]:
        try:
            found, (loaded, pending) = self._redis.hgetall(_KEY), self._redis.mget(_LOADED, _PENDING)
        except (RedisError, OSError):
            return
        counts = {name.decode(): float(value) for name, value in found.items()}
        yield from _metrics(counts, int(loaded or 0), None if pending is None else int(pending))


def _metrics(counts: Mapping[str, float], loaded: int, pending: int | None) -> Iterator[Metric]:
    for name, told in _COUNTERS.items():
        yield CounterMetricFamily(f"appliance_ai_{name}", told, value=counts.get(name, 0))
    yield GaugeMetricFamily("appliance_ai_loaded", "1 while a model is in memory", value=loaded)
    if pending is not None:
        told = "Responses that search by meaning does not find yet, or not as they are now"
        yield GaugeMetricFamily("appliance_ai_pending", told, value=pending)
