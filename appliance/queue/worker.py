"""A worker process: claims a task, runs it, commits, and so on until it is asked to end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from redis.exceptions import RedisError

from appliance import logs
from appliance.queue.engine import LeasedStorage, orders, weights_of
from appliance.queue.execution import Runner, attempt
from appliance.queue.interrupts import Interrupts

_PAUSE = 0.5
"""Seconds before Redis is asked again after it was away."""

log = logs.get(__name__)


def work(
    name: str,
    queues: Sequence[str],
    open_storage: Callable[[], LeasedStorage],
    start: Callable[[], Runner],
    is_outage: Callable[[BaseException], bool],
) -> None:
    """Until SIGINT (finishes what runs) or SIGTERM (gives it back). `name` is what its leases carry.

    `is_outage` tells of an error that something which the task needs was away.
    """
    interrupts = Interrupts()
    interrupts.install()
    runner, storage = start(), open_storage()
    looking = orders(weights_of(queues))
    while not interrupts.stopping:
        try:
            claim = storage.claim(name, next(looking))
            if claim is None:
                storage.wait(queues)
                continue
        except (RedisError, OSError) as fault:
            log.warning("no tasks: Redis is away", extra={"error": str(fault)[:200]})
            time.sleep(_PAUSE)
            continue
        verdict = attempt(claim, runner, interrupts, is_outage)
        if not storage.commit(claim, name, **verdict._asdict()):
            log.warning("the lease was lost; somebody else runs it", extra={"task_id": claim.id})
        if interrupts.struck:
            return  # whatever the task was in the middle of: its successor begins clean
