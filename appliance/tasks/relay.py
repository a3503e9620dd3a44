"""The relay: sends again what was promised and Redis does not know.

It walks over all that is pending, a stretch at each turn, so that a long backlog hides nothing behind it.
When Redis was emptied, or was away, it goes all the way round at once.
"""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from appliance.clock import Clock, utc_now
from appliance.queue.engine import PREFIX
from appliance.services import queues
from appliance.services.context import Context
from appliance.stores import deliveries, outbox
from appliance.stores.mongo import Database
from appliance.stores.outbox import Pending

STALE = dt.timedelta(seconds=10)
"""Age from which on what is pending is sent again."""
STRETCH = 1_000
"""Causes looked at in one turn."""
_START = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NEXT = dt.timedelta(milliseconds=1)
_EPOCH = f"{PREFIX}epoch"
_SELDOM = 60.0
"""Seconds between two looks at what is pending while Redis is away."""

Source = Callable[[Database, dt.datetime, dt.datetime, int], Awaitable[list[Pending]]]


class Relay(Collector):
    """A chore of the scheduler: call it from time to time. Prometheus is told of what its walks have seen."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._walks = [
            _Walk("events", outbox.pending_events),
            _Walk("tasks", outbox.pending_rows),
            _Walk("deliveries", deliveries.pending),
        ]
        self._monotonic = monotonic
        self._looked = float("-inf")
        self._epoch: bytes | str | None = None

    async def __call__(self, context: Context, now: Clock) -> int:
        """How many tasks Redis did not know. Raises RedisError; the next call then goes all the way round."""
        try:
            return await self._walk(context, now)
        except (RedisError, OSError):
            self._epoch = None
            await self._look(context, now)
            raise

    async def _walk(self, context: Context, now: Clock) -> int:
        may_miss = await self._is_new(context)
        age = STALE
        if may_miss:
            age = dt.timedelta()
            await queues.apply_pauses(context)  # before anything is there to begin
        sent = 0
        for walk in self._walks:
            if may_miss:
                walk.restart()
            sent += await walk.step(context, now() - age)
            while may_miss and not walk.is_at_start:
                sent += await walk.step(context, now() - age)
        return sent

    async def _look(self, context: Context, now: Clock) -> None:
        """Redis is away, so nothing is sent; what waits is told all the same."""
        if self._monotonic() - self._looked >= _SELDOM:
            self._looked = self._monotonic()
            for walk in self._walks:
                await walk.look(context, now() - STALE)

    def describe(self) -> Iterator[Metric]:
        yield from _metrics([])

    def collect(self) -> Iterator[Metric]:
        yield from _metrics(self._walks)

    async def _is_new(self, context: Context) -> bool:
        """Whether Redis has lost the mark that was left there, or was away since we saw it."""
        await context.redis.set(_EPOCH, secrets.token_hex(8), nx=True)
        epoch = await context.redis.get(_EPOCH)
        before, self._epoch = self._epoch, epoch
        return bool(epoch != before)


class _Walk:
    def __init__(self, kind: str, source: Source) -> None:
        self.kind = kind
        self._source = source
        self.oldest: dt.datetime | None = None
        """Since when the oldest is pending that was seen at the last begin."""
        self.pending = 0
        """Tasks that the last whole walk has seen."""
        self.restart()

    def restart(self) -> None:
        self._since = _START
        self._seen = 0

    @property
    def is_at_start(self) -> bool:
        return self._since == _START

    async def step(self, context: Context, before: dt.datetime) -> int:
        found = await self._source(context.db, self._since, before, STRETCH)
        if self.is_at_start:
            self.oldest = found[0].since if found else None
        self._seen += len(found)
        sent = await context.sender.send([pending.job for pending in found]) if found else 0
        if len(found) < STRETCH:
            self.pending = self._seen
            self.restart()
        else:  # rows of one moment may be split: they are looked at twice rather than never
            self._since = max(found[-1].since, self._since + _NEXT)
        return sent

    async def look(self, context: Context, before: dt.datetime) -> None:
        """At the oldest alone."""
        found = await self._source(context.db, _START, before, 1)
        self.oldest = found[0].since if found else None


def _metrics(walks: list[_Walk]) -> Iterator[Metric]:
    oldest = GaugeMetricFamily(
        "appliance_outbox_oldest_seconds", "How long the oldest promise is pending", labels=["kind"]
    )
    pending = GaugeMetricFamily(
        "appliance_outbox_pending", "Promises that are older than ten seconds", labels=["kind"]
    )
    for walk in walks:
        age = 0.0 if walk.oldest is None else (utc_now() - walk.oldest).total_seconds()
        oldest.add_metric([walk.kind], max(0.0, age))
        pending.add_metric([walk.kind], walk.pending)
    yield from (oldest, pending)
