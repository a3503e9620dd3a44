"""Sending tasks to Redis, from the API and the outbox relay.

Contract: best effort. What cannot be sent now stays pending in its outbox row, and the relay sends it later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from appliance import addresses, logs
from appliance.queue import scripts
from appliance.queue.engine import enqueue_arguments
from appliance.queue.scripts import Job
from appliance.settings import Settings

_REST = 2.0
"""Seconds without a try after Redis was away."""
_WAITING = 10_000
"""Jobs kept for the next try at most; the relay knows the rest."""

log = logs.get(__name__)


def connect(settings: Settings, most: int = 10) -> Redis:
    """Short timeouts: whoever asks Redis can do without."""
    return Redis.from_url(
        addresses.redis_url(settings), socket_timeout=1.0, socket_connect_timeout=1.0, max_connections=most
    )


class Sender:
    """Collects jobs and sends them in the background, many in one round trip."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._enqueue = scripts.script(redis, "enqueue")
        self._jobs: list[Job] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._rest_until = 0.0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="task-sender")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def offer(self, jobs: Iterable[Job]) -> None:
        """Send soon. Never fails, never waits."""
        if len(self._jobs) < _WAITING:
            self._jobs.extend(jobs)
            self._wake.set()

    async def flush(self) -> None:
        """Send what was offered, at once. Raises RedisError."""
        jobs, self._jobs = self._jobs, []
        if jobs:
            await self.send(jobs)

    async def send(self, jobs: list[Job]) -> int:
        """How many of the jobs Redis did not know yet. Raises RedisError."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for job in jobs:
                await self._enqueue(args=enqueue_arguments(job), client=pipe)
            return sum(await pipe.execute())

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            jobs, self._jobs = self._jobs, []
            if time.monotonic() < self._rest_until:
                continue
            try:
                await self.send(jobs)
            except (RedisError, OSError) as fault:
                self._rest_until = time.monotonic() + _REST
                log.warning("tasks wait for the relay", extra={"jobs": len(jobs), "error": str(fault)})
            except Exception:
                log.exception("tasks wait for the relay", extra={"jobs": len(jobs)})
