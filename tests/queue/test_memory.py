"""A Redis at its memory limit, with the policy that is shipped: what goes, what stays, what is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from redis.exceptions import OutOfMemoryError

from appliance.queue.engine import PREFIX
from appliance.queue.scripts import Claim
from appliance.queue.states import Verdict
from tests.queue.conftest import LEASE, Engine

BODY = "x" * 10_000
DONE = [f"done-{number}" for number in range(30)]


@pytest.fixture
def small(engine: Engine) -> Iterator[Engine]:
    """Room for three megabytes more, with results of the last hour and one task that runs."""
    storage = engine.storage
    for task_id in DONE:
        engine.send(task_id)
        claim = storage.claim("one", ["default"])
        assert claim and storage.commit(claim, "one", Verdict("completed", b'"kept"'))
    used = int(engine.redis.info("memory")["used_memory"])
    engine.redis.config_set("maxmemory-policy", "volatile-ttl")
    engine.redis.config_set("maxmemory", used + 3_000_000)
    yield engine
    engine.redis.config_set("maxmemory", 0)
    engine.redis.config_set("maxmemory-policy", "noeviction")


def running(engine: Engine, task_id: str) -> Claim:
    engine.send(task_id)
    claim = engine.storage.claim("one", ["default"])
    assert claim is not None
    return claim


def send_until_refused(engine: Engine) -> str:
    """The last small gaps fill up too. The id of the refused one."""
    for number in range(10_000):
        try:
            engine.send(f"more-{number}")
        except OutOfMemoryError:
            return f"more-{number}"
    raise AssertionError("nothing was refused")


def results(engine: Engine) -> set[str | None]:
    return {engine.redis.hget(f"{PREFIX}task:{task_id}", "result") for task_id in DONE}


def test_cache_bodies_go_before_results_and_tasks(small: Engine) -> None:
    claim = running(small, "a")
    for number in range(2_000):
        small.redis.set(f"cache:{number}", BODY, ex=60)
    assert small.redis.info("stats")["evicted_keys"] > 1_000
    assert results(small) == {'"kept"'}
    assert small.send("b"), "there is always room for a task as long as a cache body can go"
    assert small.storage.commit(claim, "one", Verdict("completed"))


def test_a_full_redis_refuses_new_tasks_and_keeps_running_ones(small: Engine) -> None:
    claim, storage = running(small, "a"), small.storage
    waits = small.send("waits")
    with contextlib.suppress(OutOfMemoryError):
        for number in range(2_000):
            small.redis.set(f"blob:{number}", BODY)
    refused = send_until_refused(small)
    assert small.state(refused) is None, "a refused task leaves nothing behind"
    lease = small.redis.zscore(f"{PREFIX}leases:default", "a")
    assert [held.id for held in storage.beat(["one"])] == ["a"]
    seconds, _ = small.redis.time()
    assert lease < small.redis.zscore(f"{PREFIX}leases:default", "a") <= 1000 * (seconds + 1 + LEASE)
    assert storage.reap() == []
    done, following = storage.turn(claim, "one", Verdict("completed", b'"kept"'), ["default"])
    assert done and waits and following and following.id == "waits"
    assert storage.commit(following, "one", Verdict("failed", error="it broke"))
    assert small.state("waits") == "failed"
    assert small.redis.hget(f"{PREFIX}counts", "completed:default") == str(len(DONE) + 1)
    small.redis.delete(*(f"blob:{number}" for number in range(2_000)))
    assert small.send("b"), "and all is well again"
    assert small.state("b") == "queued"
