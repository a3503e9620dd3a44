"""Which queue is served how often, and how many of its tasks run at once."""

from __future__ import annotations

import itertools

import pytest

from appliance.queue.engine import orders
from appliance.queue.routes import WEIGHTS
from appliance.queue.states import Verdict
from tests.queue.conftest import Engine
from tests.runtime.servers import until

TASK_OF = {"high": "mark_high", "default": "mark", "batched": "mark_batched"}


@pytest.mark.parametrize(
    "queues", [("high", "default", "batched"), ("high", "default")], ids=["all three", "worker-default"]
)
def test_a_saturated_worker_keeps_to_the_weights(engine: Engine, queues: tuple[str, ...]) -> None:
    """Within a tenth, as long as every queue has tasks."""
    total = sum(WEIGHTS[queue] for queue in queues)
    for queue in queues:
        for number in range(320):
            engine.send(f"{queue}-{number}", TASK_OF[queue])
    engine.pool(1, *queues)
    until(lambda: engine.marks.llen("order") >= 480, 30, "480 have run")
    first = [name.partition("-")[0] for name in engine.marks.lrange("order", 0, 479)]
    for queue in queues:
        share = 480 * WEIGHTS[queue] / total
        assert abs(first.count(queue) - share) <= share / 10, (queue, first.count(queue), share)


def test_the_order_is_spread_evenly() -> None:
    looking = orders({"high": 3, "default": 2, "batched": 1})
    firsts = [next(looking)[0] for _ in range(6)]
    assert sorted(firsts) == ["batched", "default", "default", "high", "high", "high"]
    assert all(pair != ("high", "high") for pair in itertools.pairwise(firsts))


def test_batched_is_claimed_one_at_a_time(engine: Engine) -> None:
    storage = engine.storage
    for number in range(3):
        engine.send(f"b{number}", "mark_batched")
    first = storage.claim("one", ["batched"])
    assert first is not None
    assert storage.claim("two", ["batched"]) is None
    storage.commit(first, "one", Verdict("completed"))
    assert storage.claim("two", ["batched"]) is not None


def test_batched_runs_one_at_a_time_however_many_pools_serve_it(engine: Engine) -> None:
    for queues in (("batched",), ("batched",), ("high", "default", "batched")):
        engine.pool(2, *queues)
    for number in range(0, 40, 4):  # each time all that are idle are woken at once
        for more in range(4):
            engine.send(f"b{number + more}", "alone")
        engine.until_state(f"b{number + 3}", "completed")
    assert set(engine.marks.lrange("at once", 0, -1)) == {"1"}
    workers = {engine.begun(f"b{number}")[0] for number in range(40)}
    assert len(workers) > 1, "several took part, or this shows nothing"
