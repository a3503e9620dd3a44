"""A worker process: claims a task, runs it, commits, and so on until it is asked to end."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence

from redis.exceptions import RedisError

from appliance import logs
from appliance.queue.engine import LeasedStorage, orders, weights_of
from appliance.queue.execution import IsOutage, Runner, attempt, tell
from appliance.queue.interrupts import Interrupts
from appliance.queue.run import Run
from appliance.queue.scripts import Claim
from appliance.queue.states import Verdict

_PAUSE = 0.5
"""Seconds before Redis is asked again after it was away."""

log = logs.get(__name__)


def work(
    name: str,
    queues: Sequence[str],
    open_storage: Callable[[], LeasedStorage],
    start: Callable[[], Runner],
    is_outage: IsOutage,
    rest: Callable[[], None] = lambda: None,
) -> None:
    """Until SIGINT (finishes what runs) or SIGTERM (gives it back). `name` is what its leases carry.

    `is_outage` tells of an error that something which the task needs was away. `rest` is called each second
    without a task.
    """
    interrupts = Interrupts()
    interrupts.install()
    runner, storage = start(), open_storage()
    reporting = open_storage()  # of its own: an interrupt may break into a report, but never into a commit
    looking = orders(weights_of(queues))
    claim: Claim | None = None
    while not interrupts.stopping:
        if claim is None:
            claim = _await_task(storage, name, queues, next(looking))
            if claim is None:
                rest()
            continue
        verdict, seconds = attempt(Run(claim, reporting.report), runner, interrupts, is_outage)
        telling = functools.partial(tell, claim, verdict, seconds)
        following: Claim | None = None
        if interrupts.struck or interrupts.stopping:
            telling()
            was_ours = storage.commit(claim, name, verdict)
        else:
            was_ours, following = storage.turn(claim, name, verdict, next(looking), telling)
        if not was_ours:
            log.warning("the lease was lost; somebody else runs it", extra={"task_id": claim.id})
        if interrupts.struck:
            return  # whatever the task was in the middle of: its successor begins clean
        claim = following
    if claim is not None:  # it came with the last turn
        storage.commit(claim, name, Verdict("queued"))


def _await_task(
    storage: LeasedStorage, name: str, queues: Sequence[str], order: Sequence[str]
) -> Claim | None:
    """None when there is none for a second, or Redis is away."""
    try:
        claim = storage.claim(name, order)
        if claim is None:
            storage.wait(queues)
    except (RedisError, OSError) as fault:
        log.warning("no tasks: Redis is away", extra={"error": str(fault)[:200]})
        time.sleep(_PAUSE)
        return None
    return claim
