"""What the scheduler has looked at, as Prometheus is told of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

import pytest
from prometheus_client.metrics_core import Metric
from redis.exceptions import RedisError

from appliance.clock import utc_now
from appliance.services.context import Context
from appliance.tasks import watch
from appliance.tasks.relay import Relay
from appliance.tasks.watch import Watch
from tests.api.forms import publish, submit
from tests.api.tasks import paused
from tests.faults.steering import stopped, until_whole, with_context
from tests.people import People
from tests.running import Running, unique

REAL = {
    "connections": {"current": 12, "available": 51188, "totalCreated": 57, "active": 3},
    "opcounters": {"insert": 5, "query": 7, "update": 3, "delete": 1, "getmore": 2, "command": 99},
    "mem": {"bits": 64, "resident": 181, "virtual": 2714, "supported": True},
    "opLatencies": {
        "reads": {"latency": 41_000, "ops": 70},
        "writes": {"latency": 9_000, "ops": 9},
        "commands": {"latency": 3_000, "ops": 99},
        "transactions": {"latency": 0, "ops": 0},
    },
}
"""Of `serverStatus` of a mongod 7, what is read of it."""


def told(metrics: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in metrics
        for sample in metric.samples
    }


class Time:
    """Goes on when it is told to."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def without_mongo(appliance: Running) -> Iterator[None]:
    try:
        with stopped(appliance, "mongo"):
            yield
    finally:
        until_whole(appliance)


def test_what_was_not_looked_at_for_a_minute_is_down(appliance: Running) -> None:
    clock = Time()
    seen = Watch(clock)
    assert told(seen.collect())["appliance_dependency_up", "mongodb"] == 0, "nobody has looked yet"

    async def look(context: Context) -> None:
        await seen(context, utc_now)

    with_context(appliance, look)
    assert told(seen.collect())["appliance_dependency_up", "mongodb"] == 1
    assert ("mongodb_ss_connections", "current") in told(seen.collect())
    clock.now += 61
    after = told(seen.collect())
    assert [after["appliance_dependency_up", name] for name in watch.DEPENDENCIES] == [0, 0, 0]
    assert not any(name.startswith(("mongodb_", "appliance_dependency_latency")) for name, *_ in after)


@pytest.mark.usefixtures("without_mongo")
def test_a_database_that_is_away_is_told_alone(appliance: Running) -> None:
    seen = Watch()

    async def look(context: Context) -> None:
        assert await seen(context, utc_now) == 0

    with_context(appliance, look)
    after = told(seen.collect())
    assert [after["appliance_dependency_up", name] for name in watch.DEPENDENCIES] == [0, 1, 1]
    assert ("appliance_dead_letters",) not in after


def test_sizes_of_secantusdb_are_never_asked_for(appliance: Running) -> None:
    seen = Watch()

    async def look(context: Context) -> None:
        await seen(context, utc_now)

    with_context(appliance, look)
    after = told(seen.collect())
    assert after["appliance_database_disk_bytes",] > 100_000
    assert not any(name.startswith("mongodb_dbstats") for name, *_ in after)


def test_a_real_server_tells_how_long_its_operations_take() -> None:
    after = told(watch._server(REAL))
    assert after["mongodb_ss_opLatencies_latency_total", "reads"] == 41_000
    assert after["mongodb_ss_opLatencies_ops_total", "writes"] == 9
    assert after["mongodb_ss_opcounters_total", "query"] == 7
    assert after["mongodb_ss_connections", "current"] == 12


def test_what_waits_is_told_also_while_redis_is_away(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True, notify=[f"{unique('w')}@example.org"])
    clock = Time()
    relay, later = Relay(clock), dt.timedelta(hours=1)

    async def look(context: Context) -> None:
        await relay(context, lambda: utc_now() + later)

    assert told(relay.collect())["appliance_outbox_pending", "events"] == 0
    with paused(cast.admin, "default"):
        submit(cast.nobody, form_id)
        with_context(appliance, look)
        after = told(relay.collect())
        assert after["appliance_outbox_pending", "events"] >= 1
        assert 0 < after["appliance_outbox_oldest_seconds", "events"] < 300

        away = Relay(clock)

        async def look_without(context: Context) -> None:
            with pytest.raises(RedisError):
                await away(context, lambda: utc_now() + later)

        with stopped(appliance, "redis"):
            with_context(appliance, look_without)
        assert told(away.collect())["appliance_outbox_oldest_seconds", "events"] > 0
        until_whole(appliance)
