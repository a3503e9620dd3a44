"""The relay: sends again what was promised and Redis does not know.

It walks over all that is pending, a stretch at each turn, so that a long backlog hides nothing behind it.
When Redis was emptied, or was away, it goes all the way round at once.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from appliance.clock import Clock
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

Source = Callable[[Database, dt.datetime, dt.datetime, int], Awaitable[list[Pending]]]


class Relay:
    """A chore of the scheduler: call it from time to time."""

    def __init__(self) -> None:
        self._walks = [_Walk(outbox.pending_events), _Walk(outbox.pending_rows), _Walk(deliveries.pending)]
        self._epoch: bytes | str | None = None

    async def __call__(self, context: Context, now: Clock) -> int:
        """How many tasks Redis did not know. Raises RedisError; the next call then goes all the way round."""
        try:
            return await self._walk(context, now)
        except (RedisError, OSError):
            self._epoch = None
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

    async def _is_new(self, context: Context) -> bool:
        """Whether Redis has lost the mark that was left there, or was away since we saw it."""
        await context.redis.set(_EPOCH, secrets.token_hex(8), nx=True)
        epoch = await context.redis.get(_EPOCH)
        before, self._epoch = self._epoch, epoch
        return bool(epoch != before)


class _Walk:
    def __init__(self, source: Source) -> None:
        self._source = source
        self.restart()

    def restart(self) -> None:
        self._since = _START

    @property
    def is_at_start(self) -> bool:
        return self._since == _START

    async def step(self, context: Context, before: dt.datetime) -> int:
        found = await self._source(context.db, self._since, before, STRETCH)
        sent = await context.sender.send([pending.job for pending in found]) if found else 0
        if len(found) < STRETCH:
            self.restart()
        else:  # rows of one moment may be split: they are looked at twice rather than never
            self._since = max(found[-1].since, self._since + _NEXT)
        return sent
