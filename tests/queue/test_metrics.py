"""Exact numbers, of an engine that nobody else uses."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from redis import Redis

from appliance.queue.metrics import QueueCollector
from tests.queue.conftest import Engine


def _numbers(engine: Engine) -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    registry.register(QueueCollector(Redis(unix_socket_path=str(engine.socket))))
    return {
        (sample.name, *(value for name, value in sample.labels.items() if name != "le")): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.labels.get("le") in (None, "+Inf")
    }


def test_each_transition_is_counted_once(engine: Engine) -> None:
    for number in range(3):
        engine.send(f"m{number}")
    engine.send("f", "fail")
    assert _numbers(engine)["appliance_queue_depth", "default"] == 4
    engine.pool(2, "default")
    for number in range(3):
        engine.until_state(f"m{number}", "completed")
    engine.until_state("f", "retrying")
    assert _numbers(engine)["appliance_tasks_due_later",] == 1
    engine.as_if_due("f")
    engine.until_state("f", "failed")
    told = _numbers(engine)
    counts = {
        name: told["appliance_tasks_total", "default", name]
        for name in ("enqueued", "started", "completed", "retried", "failed")
    }
    assert counts == {"enqueued": 4, "started": 5, "completed": 3, "retried": 1, "failed": 1}
    assert told["appliance_queue_depth", "default"] == told["appliance_queue_running", "default"] == 0
    assert told["appliance_tasks_due_later",] == 0
    assert (
        told["appliance_task_run_seconds_bucket", "mark"]
        == told["appliance_task_run_seconds_count", "mark"]
        == 3
    )
    assert told["appliance_task_run_seconds_count", "fail"] == 1
    assert told["appliance_task_wait_seconds_count", "default"] == 5
