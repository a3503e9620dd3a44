"""Redis does what it was asked, and whoever asked never hears of it: here it stands still for too long."""

from __future__ import annotations

import signal
import threading

import pytest
from redis import Redis
from redis.exceptions import TimeoutError as Late

from appliance.queue.engine import PREFIX, LeasedStorage, open_queue
from appliance.queue.scripts import Claim
from appliance.queue.states import Verdict
from tests.queue.conftest import LEASE, Engine
from tests.runtime.servers import until


def impatient(engine: Engine) -> LeasedStorage:
    return open_queue(Redis(unix_socket_path=str(engine.socket), socket_timeout=0.3), lease=LEASE).storage


def test_a_claim_whose_answer_was_lost_is_told_again(engine: Engine) -> None:
    """Else the task would be held by a worker that does not know of it, for as long as that lives."""
    storage = impatient(engine)
    assert storage.claim("one", ["default"]) is None
    engine.send("a")
    engine.send("b")
    engine.signal_redis(signal.SIGSTOP)
    with pytest.raises(Late):
        storage.claim("one", ["default"])
    engine.signal_redis(signal.SIGCONT)
    engine.until_state("a", "running")
    other = engine.storage.claim("two", ["default"])
    assert other and other.id == "b"
    again = storage.claim("one", ["default"])
    assert again and (again.id, again.attempts) == ("a", 1)
    assert storage.commit(again, "one", Verdict("completed"))
    assert storage.claim("one", ["default"]) is None, "it is told once"


def test_a_commit_whose_answer_was_lost_is_not_done_twice_and_the_next_task_is_not_forgotten(
    engine: Engine,
) -> None:
    storage = impatient(engine)
    for task_id in ("a", "b", "c"):
        engine.send(task_id)
    claim = storage.claim("one", ["default"])
    assert claim and claim.id == "a"
    found: list[tuple[bool, Claim | None]] = []
    verdict = Verdict("completed", b'"done"')
    engine.signal_redis(signal.SIGSTOP)
    turn = threading.Thread(target=lambda: found.append(storage.turn(claim, "one", verdict, ["default"])))
    turn.start()
    until(lambda: not turn.is_alive() or storage._line._connection._sock is None, 5, "it has given up once")
    engine.signal_redis(signal.SIGCONT)
    turn.join(10)
    [(was_ours, following)] = found
    assert was_ours and following and following.id == "b"
    assert engine.redis.zrange(f"{PREFIX}leases:default", 0, -1) == ["b"]
    assert engine.redis.hgetall(f"{PREFIX}counts") == {
        "enqueued:default": "3", "started:default": "2", "completed:default": "1",
    }  # fmt: skip


def test_a_commit_waits_until_redis_can_write_again(engine: Engine) -> None:
    """As on a full disk, when it refuses every write: the effect is there, and must not come twice."""
    storage = engine.storage
    engine.send("a")
    claim = storage.claim("one", ["default"])
    assert claim is not None
    engine.redis.config_set("min-replicas-to-write", 1)
    try:
        done: list[bool] = []
        commit = threading.Thread(
            target=lambda: done.append(storage.commit(claim, "one", Verdict("completed")))
        )
        commit.start()
        commit.join(0.5)
        assert commit.is_alive() and engine.state("a") == "running"
    finally:
        engine.redis.config_set("min-replicas-to-write", 0)
    commit.join(10)
    assert done == [True]
    assert engine.state("a") == "completed"


def test_a_pool_ends_without_redis(engine: Engine) -> None:
    engine.send("a", "nap", seconds=60)
    pool = engine.pool(2, "default")
    engine.until_begun("a")
    engine.kill_redis()
    try:
        pool.terminate()
        assert pool.wait(30) == 0
    finally:
        engine.start_redis()
