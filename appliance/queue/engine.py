"""The task engine: Huey whose storage leases tasks instead of handing them out for good.

Stock Huey pops a task and forgets it: kill -9, or a SIGTERM, loses it. Here a claimed task stays in Redis
under a lease that somebody must lengthen; what nobody lengthens runs again. See `states` for a task's life,
`scripts` and the Lua files for its steps. Messages are JSON: a pickle would let whoever
writes to Redis run code.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from huey import Huey
from huey.storage import BaseStorage
from redis import Redis
from redis.exceptions import RedisError

from appliance import addresses
from appliance.queue import scripts
from appliance.queue.line import Line
from appliance.queue.routes import AT_ONCE, QUEUES, ROUTES, WEIGHTS
from appliance.queue.run import Progress
from appliance.queue.scripts import Claim, Held, Job
from appliance.queue.states import Verdict
from appliance.settings import Settings

PREFIX = "appliance:queue:"
LEASE = 15.0
"""Seconds that a task stays with a worker of which nothing is heard."""
KEEP = 3600.0
"""Seconds that a task that has ended is known."""
INDEXED = 100_000
"""Tasks that a list of tasks goes back over at most."""
CRASHES = 3
"""Workers that may die over one task; it is a dead letter after one more."""
BACKOFF = 10.0
"""Seconds before the second retry of a crash; doubled for each further one."""
_WAIT = 1
"""Seconds to wait for work in one go: how long a stop may go unnoticed."""

log = logging.getLogger(__name__)


class LeasedStorage(BaseStorage):  # type: ignore[misc]
    """One connection to Redis, of one process. Methods raise RedisError or OSError; commits wait."""

    blocking = True

    def __init__(self, name: str = "appliance", *, redis: Redis, lease: float = LEASE, **more: Any) -> None:
        super().__init__(name, **more)
        self.lease = lease
        self._line = Line(redis)
        self._scripts = {each: self._line.script(scripts.text(each)) for each in scripts.NAMES}
        self._is_unsure = False

    def send(self, job: Job) -> bool:
        """False when the task is known already."""
        return bool(self._scripts["enqueue"](args=enqueue_arguments(job)))

    def claim(self, worker: str, order: Sequence[str]) -> Claim | None:
        """The next task, looked for in this order of queues; after a failure, what was claimed unheard."""
        was_unsure, self._is_unsure = self._is_unsure, True
        row = self._scripts["claim"](args=[worker, _ms(self.lease), int(was_unsure), *_limits(order)])
        self._is_unsure = False
        return None if row is None else _claim(row)

    def wait(self, queues: Sequence[str]) -> None:
        """Until one of the queues may have a task, a second at most."""
        self._line.call("BLPOP", *(f"{PREFIX}wake:{queue}" for queue in queues), _WAIT)

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
        ids = [
            each for queue in QUEUES for each in self._line.call("ZRANGE", f"{PREFIX}leases:{queue}", 0, -1)
        ]
        found = [self._line.call("HGET", f"{PREFIX}task:{each.decode()}", "worker") for each in ids]
        return {owner.decode() for owner in found if owner}

    def commit(self, claim: Claim, worker: str, verdict: Verdict) -> bool:
        """End the attempt; False when the task was not ours any more. Waits as long as Redis is away."""
        done: int = self._insist("commit", claim, lambda: _commit_arguments(claim, worker, verdict))
        return bool(done)

    def turn(
        self,
        claim: Claim,
        worker: str,
        verdict: Verdict,
        order: Sequence[str],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> tuple[bool, Claim | None]:
        """`commit` and `claim` in one go, so a busy worker asks once; `meanwhile` is done as Redis works."""
        arguments, tries, to_do = _commit_arguments(claim, worker, verdict), itertools.count(), [meanwhile]
        done, row = self._insist(
            "turn",
            claim,
            lambda: [*arguments, _ms(self.lease), int(next(tries) > 0), *_limits(order)],
            lambda: to_do.pop()() if to_do else None,
        )
        return bool(done), None if row is None else _claim(row)

    def _insist(
        self,
        script: str,
        claim: Claim,
        arguments: Callable[[], list[Any]],
        meanwhile: Callable[[], None] | None = None,
    ) -> Any:
        pause = 0.05
        while True:
            try:
                return self._scripts[script](arguments(), meanwhile)
            except (RedisError, OSError) as fault:  # also one that cannot write: a full disk, say
                log.warning("a commit waits for Redis", extra={"task_id": claim.id, "error": str(fault)})
                time.sleep(pause)
                pause = min(2 * pause, 2.0)

    def report(self, claim: Claim, progress: Progress) -> None:
        """Tell how far a task is. What is not ours any more is told by nobody."""
        self._scripts["report"](args=[claim.id, claim.queue, claim.fence, msgspec.json.encode(progress)])


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
        _ms(route.soft), _ms(route.hard), _ms(job.due), job.origin, job.owner, job.replay, INDEXED,
        int(job.ahead),
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


def _limits(order: Sequence[str]) -> list[Any]:
    return [each for queue in order for each in (queue, AT_ONCE.get(queue, 0))]


def _commit_arguments(claim: Claim, worker: str, verdict: Verdict) -> list[Any]:
    return [
        claim.id, claim.queue, claim.fence, verdict.outcome, _ms(KEEP), verdict.result, verdict.error,
        _ms(verdict.due), worker, int(verdict.counts), int(claim.queue in AT_ONCE),
    ]  # fmt: skip


def _claim(row: list[Any]) -> Claim:
    task_id, queue, fence, task, arguments, attempts, retries, most, soft, waited, origin = row
    return Claim(
        task_id.decode(), queue.decode(), fence, task.decode(), arguments,
        attempts, int(retries), int(most), int(soft) / 1000, waited / 1000,
        origin.decode(),
    )  # fmt: skip


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
