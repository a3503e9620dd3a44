"""The engine, started by itself: leases, kills, limits, weights."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from redis.exceptions import OutOfMemoryError

from appliance.queue.engine import PREFIX, orders
from appliance.queue.scripts import Claim
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
    assert not storage.commit(first, "gone", "completed", result="old")
    assert storage.commit(second, "here", "completed", result="new")
    assert storage.commit(second, "here", "completed", result="new"), "the answer to the first may be lost"
    assert json.loads(engine.task("a")["result"]) == "new"
    assert engine.redis.hget(f"{PREFIX}counts", "completed:default") == "1"


def test_a_task_that_blocks_in_c_keeps_its_lease(engine: Engine) -> None:
    engine.send("a", "block", seconds=int(3 * LEASE))
    engine.pool(1, "default")
    engine.until_state("a", "completed", 4 * LEASE)
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
    assert engine.redis.lrange(f"{PREFIX}dying", 0, -1) == ["a"]
    assert engine.redis.ttl(f"{PREFIX}task:a") == -1, "it stays until its dead letter is written"


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
    assert cancel(args=["waits", 1000]) == b"cancelled"
    engine.send("runs", "nap", seconds=60)
    engine.pool(1, "default")
    engine.until_begun("runs")
    assert cancel(args=["runs", 1000]) == b"running"
    engine.until_state("runs", "cancelled")
    assert cancel(args=["absent", 1000]) is None
    engine.send("next")
    engine.until_state("next", "completed")
    assert engine.begun("waits") == []


def test_weights_in_a_worker_that_serves_all(engine: Engine) -> None:
    for queue, task in (("default", "mark"), ("high", "mark_high"), ("batched", "mark_batched")):
        for number in range(300):
            engine.send(f"{queue}-{number}", task)
    engine.pool(1, "high", "default", "batched")
    until(lambda: engine.marks.llen("order") >= 360, 30, "360 started")
    first = [name.partition("-")[0] for name in engine.marks.lrange("order", 0, 359)]
    counted = {queue: first.count(queue) for queue in ("high", "default", "batched")}
    assert abs(counted["high"] - 180) <= 18 and abs(counted["default"] - 120) <= 12, counted
    assert abs(counted["batched"] - 60) <= 6, counted


def test_the_order_is_spread_evenly() -> None:
    looking = orders({"high": 3, "default": 2, "batched": 1})
    firsts = [next(looking)[0] for _ in range(6)]
    assert sorted(firsts) == ["batched", "default", "default", "high", "high", "high"]
    assert all(pair != ("high", "high") for pair in itertools.pairwise(firsts))


def test_batched_runs_one_at_a_time(engine: Engine) -> None:
    storage = engine.storage
    for number in range(3):
        engine.send(f"b{number}", "mark_batched")
    first = storage.claim("one", ["batched"])
    assert first is not None
    assert storage.claim("two", ["batched"]) is None
    storage.commit(first, "one", "completed")
    assert storage.claim("two", ["batched"]) is not None


def test_a_paused_queue_waits(engine: Engine) -> None:
    storage = engine.storage
    engine.send("a")
    engine.redis.sadd(f"{PREFIX}paused", "default")
    assert storage.claim("one", ["default"]) is None
    engine.redis.srem(f"{PREFIX}paused", "default")
    assert storage.claim("one", ["default"]) is not None


def test_at_its_memory_limit_redis_refuses_new_tasks_and_keeps_running_ones(engine: Engine) -> None:
    storage = engine.storage
    engine.send("a")
    claim = storage.claim("one", ["default"])
    assert claim is not None
    engine.redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(OutOfMemoryError):
            engine.send("b")
        assert [held.id for held in storage.beat(["one"])] == ["a"]
        assert storage.reap() == []
        assert storage.commit(claim, "one", "completed", result="kept")
    finally:
        engine.redis.config_set("maxmemory", "0")
    assert engine.state("b") is None


def test_after_an_outage_leases_get_their_time_anew(engine: Engine) -> None:
    storage = engine.storage
    engine.send("a")
    storage.reap()
    assert storage.claim("one", ["default"]) is not None
    engine.redis.zadd(f"{PREFIX}leases:default", {"a": 1})
    engine.redis.set(f"{PREFIX}reaped", 1)  # nobody reaped for long: Redis was away, or the clock jumped
    assert storage.reap() == []
    assert engine.state("a") == "running"
    engine.redis.zadd(f"{PREFIX}leases:default", {"a": 1})
    assert storage.reap() == [("a", "one")]


def test_a_thousand_tasks_under_fifty_kills(engine: Engine) -> None:
    """Of children, parents and Redis, at random; each effect happens once, none is lost, nobody is left."""
    chance, ids = random.Random(5), [f"t{number}" for number in range(1000)]
    for task_id in ids:
        engine.send(task_id, "nap", seconds=0.005)
    trees = [engine.pool(2, "default") for _ in range(2)]
    for turn in range(50):
        goal = len(ids) * (turn + 1) // 52
        until(lambda: engine.marks.hlen("effects") >= goal, 60, f"{goal} effects")  # noqa: B023
        victim = chance.random()
        if victim < 0.1:
            engine.kill_redis()
            engine.start_redis()
        elif victim < 0.3:
            number = chance.randrange(2)
            trees[number].kill()
            trees[number].wait()
            trees[number] = engine.pool(2, "default")
        else:
            _kill_a_child(trees[chance.randrange(2)].pid, chance)
    _resend_what_redis_lost(engine, ids)
    assert set(engine.marks.hkeys("effects")) == set(ids)
    assert all(engine.state(task_id) == "completed" for task_id in ids)
    assert engine.redis.lrange(f"{PREFIX}dying", 0, -1) == []
    for tree in trees:
        tree.terminate()
        assert tree.wait(15) == 0
    assert not any(_children(tree.pid) for tree in engine.pools)


def _kill_a_child(parent: int, chance: random.Random) -> None:
    if children := _children(parent):
        os.kill(chance.choice(children), signal.SIGKILL)


def _children(parent: int) -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    except OSError:
        return []


def _resend_what_redis_lost(engine: Engine, ids: list[str]) -> None:
    """As the outbox's relay does: all that is not done, again and again; what is known stays as it is."""
    deadline = time.monotonic() + 90
    while missing := [task_id for task_id in ids if engine.state(task_id) != "completed"]:
        assert time.monotonic() < deadline, f"{len(missing)} are not done: {missing[:3]}"
        for task_id in missing:
            if not engine.send(task_id, "nap", seconds=0.005) and engine.state(task_id) == "retrying":
                engine.as_if_due(task_id)
        time.sleep(0.2)
