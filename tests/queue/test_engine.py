"""The engine, started by itself: leases, kills, retries, stopping, cancelling."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from appliance.queue.engine import PREFIX
from appliance.queue.scripts import Claim, Job
from appliance.queue.states import Verdict
from tests.queue.conftest import LEASE, Engine
from tests.runtime.servers import until


def test_a_task_is_made_once_and_runs_once(engine: Engine) -> None:
    assert engine.send("a")
    assert not engine.send("a"), "its id is known"
    engine.pool(2, "default")
    engine.until_state("a", "completed")
    assert not engine.send("a"), "still known after its end"
    task = engine.task("a")
    assert (task["attempts"], task["retries"], task["crashes"]) == ("1", "0", "0")
    assert json.loads(task["result"]) == "marked"
    assert 3500 < engine.redis.ttl(f"{PREFIX}task:a") <= 3600
    assert len(engine.begun("a")) == 1


def test_what_somebody_waits_for_goes_ahead_in_its_own_order(engine: Engine) -> None:
    storage = engine.storage
    for task_id, ahead in (("a", False), ("b", True), ("c", False), ("d", True), ("e", True)):
        assert storage.send(Job(task_id, "mark", {}, ahead=ahead))
    order = []
    while claim := storage.claim("me", ["default"]):
        order.append(claim.id)
        assert storage.commit(claim, "me", Verdict("completed"))
    assert order == ["b", "d", "e", "a", "c"]


def test_the_task_of_a_killed_child_runs_again_at_once(engine: Engine) -> None:
    engine.send("a", "nap", seconds=1)
    engine.pool(2, "default", lease=60)
    engine.until_begun("a")
    os.kill(engine.begun("a")[0], signal.SIGKILL)
    assert engine.until_begun("a", 2) < 1
    engine.until_state("a", "completed")
    assert engine.marks.hlen("effects") == 1


def test_the_task_of_a_killed_tree_runs_again_in_another(engine: Engine) -> None:
    engine.send("a", "nap", seconds=2)
    tree = engine.pool(1, "default")
    engine.until_begun("a")
    child = engine.begun("a")[0]
    os.kill(tree.pid, signal.SIGKILL)
    tree.wait()
    engine.pool(1, "default")
    assert engine.until_begun("a", 2) < LEASE + 1
    until(lambda: not Path(f"/proc/{child}").exists(), 5, "the child died with its parent")
    engine.until_state("a", "completed")


@pytest.mark.parametrize("whole_tree", [False, True], ids=["child", "tree"])
def test_what_is_stopped_loses_its_lease_and_may_not_commit(engine: Engine, whole_tree: bool) -> None:
    engine.send("a", "nap", seconds=1)
    tree = engine.pool(1, "default")
    engine.until_begun("a")
    stopped = tree.pid if whole_tree else engine.begun("a")[0]
    (os.killpg if whole_tree else os.kill)(stopped, signal.SIGSTOP)
    engine.pool(1, "default")
    engine.until_begun("a", 2, LEASE + 10)
    engine.until_state("a", "completed")
    fence = engine.task("a")["fence"]
    (os.killpg if whole_tree else os.kill)(stopped, signal.SIGCONT)
    until(lambda: b"the lease was lost" in engine.log.read_bytes(), 10, "the old one is refused")
    assert engine.task("a")["fence"] == fence
    assert engine.marks.hlen("effects") == 1


def test_an_old_fence_is_refused_and_a_repeated_commit_is_not_done_twice(engine: Engine) -> None:
    storage = engine.storage
    engine.send("a")
    first = storage.claim("gone", ["default"])
    assert first is not None
    storage.release(["gone"])
    second = storage.claim("here", ["default"])
    assert isinstance(second, Claim) and second.fence > first.fence
    assert not storage.commit(first, "gone", Verdict("completed", b'"old"'))
    assert storage.commit(second, "here", Verdict("completed", b'"new"'))
    assert storage.commit(second, "here", Verdict("completed", b'"new"')), (
        "the answer to the first may be lost"
    )
    assert json.loads(engine.task("a")["result"]) == "new"
    assert engine.redis.hget(f"{PREFIX}counts", "completed:default") == "1"


def test_a_holder_from_before_redis_was_emptied_is_refused(engine: Engine) -> None:
    """The relay sends the task again under its id; fences go by the clock, so that they rise all the same."""
    storage = engine.storage
    engine.send("a")
    before = storage.claim("before", ["default"])
    engine.redis.flushdb()
    engine.send("a")
    after = storage.claim("after", ["default"])
    assert before and after and after.fence > before.fence
    assert not storage.commit(before, "before", Verdict("completed"))
    assert engine.state("a") == "running"
    assert storage.commit(after, "after", Verdict("completed"))


def test_a_task_that_blocks_in_c_keeps_its_lease(engine: Engine) -> None:
    engine.send("a", "block", seconds=int(3 * LEASE))
    engine.pool(1, "default")
    engine.until_state("a", "completed", 6 * LEASE)
    assert len(engine.begun("a")) == 1


def test_a_soft_timeout_ends_a_task_and_a_hard_one_its_process(engine: Engine) -> None:
    engine.send("soft", "overrun")
    engine.send("hard", "stubborn")
    engine.pool(2, "default")
    engine.until_state("soft", "failed")
    assert "longer than the 0.5 s" in engine.task("soft")["error"]
    until(lambda: engine.task("hard").get("crashes") == "1", 10, "killed at its hard limit")
    assert b"killed at its hard limit" in engine.log.read_bytes()


def test_retries_wait_longer_each_time_and_end_in_a_dead_letter(engine: Engine) -> None:
    engine.send("a", "fail")
    engine.pool(1, "default")
    engine.until_state("a", "retrying")
    task = engine.task("a")
    assert 10_000 <= int(task["due"]) - json.loads(task["history"])[0]["ended"] <= 11_100
    engine.as_if_due("a")
    engine.until_state("a", "failed")
    history = json.loads(engine.task("a")["history"])
    assert [attempt["error"].splitlines()[-1] for attempt in history] == [
        "RuntimeError: it does not work today"
    ] * 2
    assert engine.redis.lrange(f"{PREFIX}unsettled", 0, -1) == ["a"]
    assert engine.redis.ttl(f"{PREFIX}task:a") == -1, "it stays until its dead letter is written"


def test_what_a_task_raises_is_retried_whatever_it_is(engine: Engine) -> None:
    """That a task is not known is for good; that it did not find something is not."""
    engine.send("a", "stumble")
    engine.pool(1, "default")
    engine.until_state("a", "retrying")
    assert "KeyError" in engine.task("a")["error"]


def test_a_task_that_puts_itself_off_uses_up_no_retry(engine: Engine) -> None:
    engine.pool(1, "default")
    engine.send("a", "later", times=3)
    engine.until_state("a", "completed")
    row = engine.task("a")
    assert len(engine.begun("a")) == 4
    assert (row["retries"], row.get("history"), row.get("error")) == ("0", None, None)


def test_what_cannot_be_mended_is_not_retried(engine: Engine) -> None:
    engine.send("a", "fail_for_good")
    engine.redis.hset(f"{PREFIX}task:strange", mapping={"name": "no such task", "queue": "default"})
    engine.pool(1, "default")
    engine.until_state("a", "failed")
    assert len(engine.begun("a")) == 1


def test_a_task_that_kills_its_workers_is_given_up(engine: Engine) -> None:
    engine.send("a", "die")
    engine.pool(2, "default")
    for crashes in (2, 3):
        until(lambda: engine.task("a").get("crashes") == str(crashes), 15, f"{crashes} crashes")  # noqa: B023
        engine.until_state("a", "retrying")
        engine.as_if_due("a")
    engine.until_state("a", "failed")
    assert len(engine.begun("a")) == 4
    engine.send("b")
    engine.until_state("b", "completed")


def test_a_task_that_comes_further_each_time_is_not_given_up(engine: Engine) -> None:
    engine.send("a", "march")
    engine.pool(2, "default")
    engine.until_state("a", "completed", 30)
    assert len(engine.begun("a")) == 8
    assert engine.task("a")["crashes"] == "0"


def test_sigterm_gives_back_without_charging_and_sigint_finishes(engine: Engine) -> None:
    engine.send("a", "nap", seconds=2)
    pool = engine.pool(2, "default")
    engine.until_begun("a")
    pool.terminate()
    assert pool.wait(10) == 0
    task = engine.task("a")
    assert (task["state"], task["attempts"], task["retries"], task["crashes"]) == ("queued", "0", "0", "0")
    pool = engine.pool(2, "default")
    engine.until_begun("a", 2)
    pool.send_signal(signal.SIGINT)
    assert pool.wait(10) == 0
    assert engine.state("a") == "completed"


def test_cancelling(engine: Engine) -> None:
    engine.send("waits")
    cancel = engine.storage._scripts["cancel"]
    assert cancel(args=["waits"]) == b"cancelled"
    engine.send("runs", "nap", seconds=60)
    engine.pool(1, "default")
    engine.until_begun("runs")
    assert cancel(args=["runs"]) == b"running"
    engine.until_state("runs", "cancelled")
    assert cancel(args=["absent"]) is None
    engine.send("next")
    engine.until_state("next", "completed")
    assert engine.begun("waits") == []


def test_a_paused_queue_waits(engine: Engine) -> None:
    storage = engine.storage
    engine.send("a")
    engine.redis.sadd(f"{PREFIX}paused", "default")
    assert storage.claim("one", ["default"]) is None
    engine.redis.srem(f"{PREFIX}paused", "default")
    assert storage.claim("one", ["default"]) is not None
