"""The engine in numbers, for Prometheus. All of them lie in Redis, counted by the scripts that make the
transitions, so whoever asks gets the same and no worker keeps files of its own.

A Redis that was emptied begins at zero, which Prometheus takes as a counter's reset.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError

from appliance.queue.engine import PREFIX
from appliance.queue.routes import QUEUES, ROUTES

TRANSITIONS = (
    "enqueued", "started", "completed", "failed", "cancelled", "retried", "crashed", "given_back",
)  # fmt: skip
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Seconds; those of `lua/common.lua`."""


class _Seen(NamedTuple):
    """What one look at Redis gave."""

    counts: dict[str, int]
    times: dict[str, int]
    queues: dict[str, tuple[float, float, float, float]]
    """By queue: depth, age of the oldest, running, paused."""
    due: int
    unsettled: int


class QueueCollector(Collector):
    """Reads Redis at each scrape. While it does not answer, `appliance_queue_up` is all there is."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis

    def describe(self) -> Iterator[Metric]:
        """Names without asking Redis: registering must not need one."""
        yield from (_up(0), *_metrics(_Seen({}, {}, {}, 0, 0)))

    def collect(self) -> Iterator[Metric]:
        try:
            seen = self._look()
        except (RedisError, OSError):
            yield _up(0)
            return
        yield _up(1)
        yield from _metrics(seen)

    def _look(self) -> _Seen:
        pipe = self._redis.pipeline(transaction=False)
        pipe.hgetall(f"{PREFIX}counts")
        pipe.hgetall(f"{PREFIX}times")
        pipe.zcard(f"{PREFIX}due")
        pipe.llen(f"{PREFIX}unsettled")
        pipe.smembers(f"{PREFIX}paused")
        pipe.time()
        for queue in QUEUES:
            pipe.llen(f"{PREFIX}list:{queue}")
            pipe.lindex(f"{PREFIX}list:{queue}", -1)
            pipe.zcard(f"{PREFIX}leases:{queue}")
        counts, times, due, unsettled, paused, (seconds, _), *rest = pipe.execute()
        queues: dict[str, tuple[float, float, float, float]] = {}
        for place, queue in enumerate(QUEUES):
            depth, oldest, running = rest[3 * place : 3 * place + 3]
            ready = self._redis.hget(f"{PREFIX}task:{oldest.decode()}", "ready") if oldest else None
            age = max(0.0, seconds - int(ready) / 1000) if ready else 0.0
            queues[queue] = (depth, age, running, int(queue.encode() in paused))
        return _Seen(_text(counts), _text(times), queues, due, unsettled)


def _up(value: int) -> Metric:
    return GaugeMetricFamily("appliance_queue_up", "1 when the queue's Redis answered", value=value)


def _metrics(seen: _Seen) -> Iterator[Metric]:
    total = CounterMetricFamily("appliance_tasks", "Transitions of tasks", labels=["queue", "transition"])
    for queue in QUEUES:
        for transition in TRANSITIONS:
            total.add_metric([queue, transition], seen.counts.get(f"{transition}:{queue}", 0))
    yield total
    about = (
        ("appliance_queue_depth", "Tasks that could begin"),
        ("appliance_queue_oldest_seconds", "How long the oldest of them has been waiting"),
        ("appliance_queue_running", "Tasks that run"),
        ("appliance_queue_paused", "1 while nothing of the queue begins"),
    )
    for place, (name, told) in enumerate(about):
        gauge = GaugeMetricFamily(name, told, labels=["queue"])
        for queue, values in seen.queues.items():
            gauge.add_metric([queue], values[place])
        yield gauge
    yield GaugeMetricFamily("appliance_tasks_due_later", "Scheduled and retrying tasks", value=seen.due)
    yield GaugeMetricFamily(
        "appliance_tasks_unsettled", "Ended tasks that the database has yet to hear of", value=seen.unsettled
    )
    yield _histogram("appliance_task_wait_seconds", "From when it could begin", "wait", "queue", seen)
    yield _histogram("appliance_task_run_seconds", "The last attempt of an ended task", "run", "task", seen)


def _histogram(name: str, told: str, what: str, label: str, seen: _Seen) -> Metric:
    family = HistogramMetricFamily(name, told, labels=[label])
    for each in QUEUES if label == "queue" else sorted(ROUTES):
        numbers = [seen.times.get(f"{what}:{each}:{place}", 0) for place in range(1, len(BOUNDS) + 2)]
        total, buckets = 0, []
        for bound, number in zip([*map(str, BOUNDS), "+Inf"], numbers, strict=True):
            total += number
            buckets.append((bound, float(total)))
        family.add_metric([each], buckets, seen.times.get(f"{what}:{each}:sum", 0) / 1000)
    return family


def _text(row: dict[bytes, bytes]) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in row.items()}
