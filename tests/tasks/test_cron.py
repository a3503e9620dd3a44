"""Work at set times, chains, and the pruning that is both."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest

from appliance.clock import rfc3339, utc_now
from appliance.queue.scripts import Job
from appliance.services.context import Context
from appliance.stores import outbox
from appliance.tasks import pruning
from appliance.tasks.cron import Cron, Entry, last_tick
from tests.api.tasks import paused, until_status
from tests.faults.steering import open_redis, with_context
from tests.people import People
from tests.running import Running, unique
from tests.runtime.servers import until

DAY = dt.timedelta(days=1)
NOON = dt.datetime(2026, 3, 28, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "moment, tick",
    [
        ("2026-03-28T03:16:59.999Z", "2026-03-27T03:17:00.000Z"),
        ("2026-03-28T03:17:00.000Z", "2026-03-28T03:17:00.000Z"),
        ("2026-03-29T01:30:00.000Z", "2026-03-28T03:17:00.000Z"),
    ],
)
def test_the_last_tick(moment: str, tick: str) -> None:
    assert rfc3339(last_tick("17 3 * * *", dt.datetime.fromisoformat(moment))) == tick


def test_one_run_a_tick_whoever_asks(appliance: Running, cast: People) -> None:
    entry = Entry(unique("cron"), "0 3 * * *", "prune")

    async def ask(context: Context) -> list[list[int]]:
        several = [Cron([entry]) for _ in range(4)]

        async def all_at(moment: dt.datetime) -> list[int]:
            return list(await asyncio.gather(*(cron(context, lambda: moment) for cron in several)))

        times = (NOON, NOON + DAY / 2, NOON + DAY, NOON + DAY, NOON + 6 * DAY)
        found = [await all_at(moment) for moment in times]
        late = Cron([entry])  # a scheduler that was away for all of it
        return [*found, [await late(context, lambda: NOON + 6 * DAY)]]

    with paused(cast.admin, "default"):
        counts = [sum(each) for each in with_context(appliance, ask)]
        # New at noon: none; nor before three; then one; not again; five nights later one, not five.
        assert counts == [0, 0, 1, 0, 1, 0]
        for tick in (NOON + 15 * DAY / 24, NOON + 5 * DAY + 15 * DAY / 24):
            task = cast.admin.get(f"/api/v1/tasks/cron:{entry.name}:{rfc3339(tick)}").json()
            assert (task["status"], task["name"]) == ("queued", "prune")
    for tick in (NOON + 15 * DAY / 24, NOON + 5 * DAY + 15 * DAY / 24):
        until_status(cast.admin, f"cron:{entry.name}:{rfc3339(tick)}", "completed")


def test_a_clock_that_was_ahead_ends_no_runs(appliance: Running, cast: People) -> None:
    """For one that saw the clock be put right, and for one that has begun since."""
    entry = Entry(unique("cron"), "0 3 * * *", "prune")

    async def ask(context: Context) -> list[int]:
        async def at(cron: Cron, moment: dt.datetime) -> int:
            return await cron(context, lambda: moment)

        seeing, late = Cron([entry]), Cron([entry])
        found = [await at(seeing, NOON), await at(seeing, NOON + 1000 * DAY)]
        for moment in (NOON, NOON + DAY):
            found += [await at(late, moment), await at(seeing, moment)]
        return found

    with paused(cast.admin, "default"):
        assert with_context(appliance, ask) == [0, 1, 0, 0, 1, 0]


def test_a_promise_outlives_an_emptied_redis(appliance: Running, cast: People) -> None:
    entry = Entry(unique("cron"), "0 3 * * *", "prune")

    async def ask(context: Context) -> int:
        cron = Cron([entry])
        await cron(context, lambda: NOON)
        return await cron(context, lambda: NOON + DAY)

    task_id = f"cron:{entry.name}:{rfc3339(NOON + 15 * DAY / 24)}"
    with paused(cast.admin, "default"), open_redis(appliance) as redis:
        assert with_context(appliance, ask) == 1
        redis.flushall()
        assert cast.admin.get(f"/api/v1/tasks/{task_id}").json()["status"] == "queued", "as promised"
    until_status(cast.admin, task_id, "completed", seconds=30)


def test_a_chain_goes_on_to_its_end_whatever_is_killed(appliance: Running, cast: People) -> None:
    """1,250 old dead letters are three pieces; the workers are killed after each."""
    old, young = utc_now() - 31 * DAY, utc_now() - 29 * DAY
    rows: list[dict[str, Any]] = [
        {"_id": unique("old"), "number": -number, "state": "replayed", "failed_at": old}
        for number in range(1, 2 * pruning.PIECE + 251)
    ]
    kept = [
        {"_id": unique("young"), "number": -2001, "state": "replayed", "failed_at": young},
        {"_id": unique("dead"), "number": -2002, "state": "dead", "failed_at": old, "arguments": {}},
    ]
    task_id = unique("prune")
    with appliance.database() as client:
        letters = client.get_default_database("appliance").dead_letters
        letters.insert_many(rows + kept)
        with_context(appliance, lambda context: outbox.promise(context.db, None, Job(task_id, "prune", {})))
        left = [len(rows + kept)]

        def is_done() -> bool:
            now = letters.count_documents({"number": {"$lt": 0}})
            if now < left[-1]:
                appliance.signal("worker-default")
                left.append(now)
            return now == len(kept)

        try:
            until(is_done, 60, "all that is old is gone")
            assert left == [1252, 752, 252, 2], "piece by piece"
            assert {row["_id"] for row in letters.find({"number": {"$lt": 0}})} == {
                row["_id"] for row in kept
            }
        finally:
            letters.delete_many({"number": {"$lt": 0}})
    until(lambda: not _promised(appliance), 30, "nothing is promised any more")
    # Killed after its effect, a piece begins anew: it would take the rows of the next test.
    until(lambda: not _unfinished(cast), 30, "nothing begins anew any more")


def test_a_chain_tells_how_far_it_is(appliance: Running, cast: People) -> None:
    old = utc_now() - 31 * DAY
    rows: list[dict[str, Any]] = [
        {"_id": unique("old"), "number": -number, "state": "replayed", "failed_at": old}
        for number in range(1, pruning.PIECE + 11)
    ]
    task_id = unique("prune")
    with appliance.database() as client:
        client.get_default_database("appliance").dead_letters.insert_many(rows)
    with_context(appliance, lambda context: outbox.promise(context.db, None, Job(task_id, "prune", {})))
    first = until_status(cast.admin, task_id, "completed", seconds=30)
    assert first["result"] == {"gone": pruning.PIECE}
    assert first["progress"] == {"done": pruning.PIECE, "total": None, "unit": "rows"}
    listed = cast.admin.get("/api/v1/tasks", params={"name": "prune", "limit": 1}).json()["tasks"]
    second = until_status(cast.admin, listed[0]["task_id"], "completed")
    assert second["result"] == {"gone": pruning.PIECE + 10}


def _promised(appliance: Running) -> list[str]:
    with appliance.database() as client:
        rows = client.get_default_database("appliance").outbox.find({"state": "pending"})
        return [row["_id"] for row in rows]


def _unfinished(cast: People) -> list[str]:
    rows = cast.admin.get("/api/v1/tasks", params={"name": "prune"}).json()["tasks"]
    return [row["task_id"] for row in rows if row["status"] != "completed"]
