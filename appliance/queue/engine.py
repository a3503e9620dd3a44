"""The task engine: Huey whose storage leases tasks instead of handing them out for good.

Stock Huey pops a task and forgets it: kill -9, or a SIGTERM, loses it. Here a claimed task stays in Redis
under a lease that somebody must lengthen; what nobody lengthens runs again. See `states` for a task's life,
`scripts` and the Lua files for its steps. Messages are JSON: a pickle would let whoever
writes to Redis run code.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from huey import Huey
from huey.storage import BaseStorage
from redis import Redis
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import TimeoutError as Late

from appliance import addresses
from appliance.queue import scripts
from appliance.queue.routes import AT_ONCE, QUEUES, ROUTES, WEIGHTS
from appliance.queue.scripts import Claim, Held, Job
from appliance.queue.states import Outcome
from appliance.settings import Settings

PREFIX = "appliance:queue:"
LEASE = 15.0
"""Seconds that a task stays with a worker of which nothing is heard."""
KEEP = 3600.0
"""Seconds that a task that has ended is known."""
CRASHES = 3
"""Workers that may die over one task; it is a dead letter after one more."""
BACKOFF = 10.0
"""Seconds before the second retry of a crash; doubled for each further one."""
_WAIT = 1
"""Seconds to wait for work in one go: how long a stop may go unnoticed."""

log = logging.getLogger(__name__)


class LeasedStorage(BaseStorage):  # type: ignore[misc]
    """One connection to Redis, of one process. Methods raise RedisError, `commit` alone waits instead."""

    blocking = True

    def __init__(self, name: str = "appliance", *, redis: Redis, lease: float = LEASE, **more: Any) -> None:
        super().__init__(name, **more)
        self.redis: Any = redis
        self.lease = lease
        self._scripts = scripts.registered(redis)

    def send(self, job: Job) -> bool:
        """False when the task is known already."""
        return bool(self._scripts["enqueue"](args=enqueue_arguments(job)))

    def claim(self, worker: str, order: Sequence[str]) -> Claim | None:
        """The next task, looked for in this order of queues."""
        arguments: list[Any] = [worker, _ms(self.lease)]
        for queue in order:
            arguments += [queue, AT_ONCE.get(queue, 0)]
        row = self._scripts["claim"](args=arguments)
        return None if row is None else _claim(row)

    def wait(self, queues: Sequence[str]) -> None:
        """Until one of the queues may have a task, a second at most."""
        self.redis.blpop([f"{PREFIX}wake:{queue}" for queue in queues], timeout=_WAIT)

    def beat(self, workers: Sequence[str]) -> list[Held]:
        """Lengthen the leases of these workers; what they hold."""
        rows = self._scripts["beat"](args=[_ms(self.lease), len(QUEUES), *QUEUES, *workers])
        return [
            Held(task_id.decode(), queue.decode(), worker.decode(), ran / 1000, hard / 1000, bool(cancelled))
            for task_id, queue, worker, ran, hard, cancelled in rows
        ]

    def release(self, workers: Sequence[str]) -> list[str]:
        """These workers have died: what they held runs again. The ids."""
        rows = self._scripts["release"](args=[CRASHES, _ms(BACKOFF), len(QUEUES), *QUEUES, *workers])
        return [task_id.decode() for task_id in rows]

    def reap(self) -> list[tuple[str, str]]:
        """Take back expired leases and put what is due on its queue. Ids taken back, and their owners."""
        rows = self._scripts["reap"](args=[_ms(self.lease), CRASHES, _ms(BACKOFF), *QUEUES])
        return [(task_id.decode(), owner.decode()) for task_id, owner in rows]

    def owners(self) -> set[str]:
        """The workers that hold a lease."""
        ids = [each for queue in QUEUES for each in self.redis.zrange(f"{PREFIX}leases:{queue}", 0, -1)]
        found = [self.redis.hget(f"{PREFIX}task:{each.decode()}", "worker") for each in ids]
        return {owner.decode() for owner in found if owner}

    def commit(
        self,
        claim: Claim,
        worker: str,
        outcome: Outcome,
        *,
        result: Any = None,
        error: str = "",
        due: float = 0,
        counts: bool = True,
    ) -> bool:
        """End the attempt; False when the task was not ours any more. Waits as long as Redis is away."""
        arguments = [
            claim.id, claim.queue, claim.fence, outcome, _ms(KEEP), msgspec.json.encode(result), error,
            _ms(due), worker, int(counts),
        ]  # fmt: skip
        pause = 0.05
        while True:
            try:
                return bool(self._scripts["commit"](args=arguments))
            except (Lost, Late) as fault:
                log.warning("a commit waits for Redis", extra={"task_id": claim.id, "error": str(fault)})
                time.sleep(pause)
                pause = min(2 * pause, 2.0)


class LeasedHuey(Huey):  # type: ignore[misc]
    """Huey over the leased storage."""

    storage_class = LeasedStorage
    storage: LeasedStorage


def connect(settings: Settings) -> Redis:
    return Redis.from_url(
        addresses.redis_url(settings), socket_timeout=5.0, socket_connect_timeout=2.0, retry_on_timeout=False
    )


def open_queue(redis: Redis, *, lease: float = LEASE) -> LeasedHuey:
    """For one process: connections do not survive a fork."""
    return LeasedHuey("appliance", storage_kwargs={}, redis=redis, lease=lease)


def enqueue_arguments(job: Job) -> list[Any]:
    """What `enqueue.lua` takes. Raises LookupError for a task without a route."""
    try:
        route = ROUTES[job.task]
    except KeyError:
        raise LookupError(f"there is no task called {job.task}") from None
    return [
        job.id, job.task, route.queue, msgspec.json.encode(job.arguments), route.retries,
        _ms(route.soft), _ms(route.hard), _ms(job.due),
    ]  # fmt: skip


def orders(weights: dict[str, int]) -> Iterator[list[str]]:
    """Orders to look at the queues in, for ever: each queue comes first as often as its weight says, evenly
    spread (smooth weighted round robin); the others follow by weight, so that nobody idles.
    """
    current = dict.fromkeys(weights, 0)
    total = sum(weights.values())
    by_weight = sorted(weights, key=lambda queue: -weights[queue])
    while True:
        for queue in current:
            current[queue] += weights[queue]
        first = max(current, key=lambda queue: current[queue])
        current[first] -= total
        yield [first, *(queue for queue in by_weight if queue != first)]


def weights_of(queues: Sequence[str]) -> dict[str, int]:
    return {queue: WEIGHTS[queue] for queue in queues}


def _claim(row: list[Any]) -> Claim:
    task_id, queue, fence, task, arguments, attempts, retries, most, soft, waited = row
    return Claim(
        task_id.decode(), queue.decode(), int(fence), task.decode(), msgspec.json.decode(arguments),
        int(attempts), int(retries), int(most), int(soft) / 1000, int(waited) / 1000,
    )  # fmt: skip


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
