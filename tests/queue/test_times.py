"""How soon things happen, with the lease that is shipped; and what the clock may do."""

from __future__ import annotations

import os
import signal
import time

import pytest

from appliance.queue import execution
from appliance.queue.engine import LEASE, PREFIX
from appliance.queue.scripts import Claim
from tests.queue.conftest import Engine
from tests.runtime.servers import until


def test_the_task_of_a_killed_child_runs_again_within_a_second(engine: Engine) -> None:
    engine.send("a", "nap", seconds=1)
    engine.pool(2, "default", lease=LEASE)
    engine.until_begun("a")
    os.kill(engine.begun("a")[0], signal.SIGKILL)
    assert engine.until_begun("a", 2) <= 1
    engine.until_state("a", "completed")
    assert engine.task("a")["crashes"] == "1"
    assert engine.marks.hlen("effects") == 1


def test_the_task_of_a_tree_that_is_dead_runs_again_as_soon_as_another_looks(engine: Engine) -> None:
    engine.send("a", "nap", seconds=1)
    tree = engine.pool(1, "default", lease=LEASE)
    engine.until_begun("a")
    os.killpg(tree.pid, signal.SIGKILL)
    tree.wait()
    engine.pool(1, "default", lease=LEASE)
    assert engine.until_begun("a", 2) <= 4, "its owner is known to be gone: no lease has to end"


def test_the_task_of_a_machine_that_is_gone_runs_again_within_the_lease_and_a_second(engine: Engine) -> None:
    """Nothing is known of such a worker but that it beats no more."""
    engine.send("a")
    engine.pool(1, "high", lease=LEASE)  # reaps, and serves nothing that is there
    until(lambda: engine.redis.exists(f"{PREFIX}reaped"), what="the first look, which takes nothing back")
    storage = engine.storage
    storage.lease = LEASE
    assert storage.claim("elsewhere-1:0:1:1", ["default"]) is not None
    claimed = time.monotonic()
    engine.pool(1, "default", lease=LEASE)
    engine.until_begun("a", 1, LEASE + 5)
    assert LEASE - 0.1 <= time.monotonic() - claimed <= LEASE + 1


@pytest.mark.parametrize("ahead", [-7_200_000, 7_200_000], ids=["forward", "back"])
def test_a_clock_that_jumps_two_hours_costs_nobody_a_lease(engine: Engine, ahead: int) -> None:
    """The one clock is Redis'. Seen from after the jump, the last look was two hours ago, or is yet to come;
    after an outage it is the same. Leases get their time anew, once."""
    storage = engine.storage
    engine.send("a")
    storage.reap()
    assert storage.claim("one", ["default"]) is not None
    lease = engine.redis.zscore(f"{PREFIX}leases:default", "a")
    engine.redis.zadd(f"{PREFIX}leases:default", {"a": lease + ahead})
    engine.redis.incrby(f"{PREFIX}reaped", ahead)
    assert storage.reap() == []
    assert engine.state("a") == "running"
    assert abs(engine.redis.zscore(f"{PREFIX}leases:default", "a") - lease) < 2_000, "as if it had begun now"
    engine.redis.zadd(f"{PREFIX}leases:default", {"a": 1})
    assert storage.reap() == [("a", "one")], "an amnesty is not for ever"


def test_retries_wait_ten_seconds_twice_that_and_so_on_and_a_tenth_more_at_most() -> None:
    for retries in range(4):
        claim = Claim("a", "default", 1, "mark", b"{}", 1, retries, 10, 300, 0, "")
        least = execution.FIRST_WAIT * 2**retries
        before = time.time()
        waits = [execution._again(claim, "it broke").due - before for _ in range(300)]
        assert least <= min(waits) and max(waits) <= least * 1.1 + 1
        assert max(waits) - min(waits) > least * 0.05, "spread, so that not all come at once"
