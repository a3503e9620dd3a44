"""A purge that is killed, before whichever of its commands to the database, leaves each response whole or
gone, and is finished by the next one.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from appliance.addresses import Paths
from appliance.clock import new_id, utc_now
from appliance.queue.scripts import Job
from appliance.runtime import folders
from appliance.runtime import mongo as embedded
from appliance.settings import Settings
from appliance.stores import mongo, outbox, purges, quotas
from appliance.stores.mongo import Database
from appliance.stores.purges import Why
from tests.api.forms import publish
from tests.faults.steering import counters, settle_as_if_later, stored, with_context
from tests.faults.test_writer import _settings
from tests.people import People
from tests.running import Running, unique
from tests.runtime.servers import operator_environ, temporary_data, until
from tests.runtime.test_stores import launched, mongo_answers

COUNT = 5
PURGE = """
import asyncio, os, signal, sys
from pymongo import monitoring
from appliance import settings
from appliance.stores import mongo, purges
from appliance.stores.purges import Why

at, form_id, seen = int(sys.argv[1]), sys.argv[2], 0

class Killer(monitoring.CommandListener):
    def started(self, event):
        global seen
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def succeeded(self, event): ...
    def failed(self, event): ...

async def main():
    async with mongo.connect(settings.load()) as client:
        db = mongo.database(client)
        ids = [row["_id"] for row in await db.responses.find({"form_id": form_id}, {"_id": 1}).to_list()]
        for first in range(0, len(ids), 3):
            await purges.purge(db, form_id, ids[first : first + 3], Why("erasure"))

monitoring.register(Killer())
asyncio.run(main())
print(seen)
"""


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    """Of a database of its own: nobody else purges there."""
    with temporary_data() as data:
        environ = operator_environ(data)
        chosen = _settings(environ)
        folders.create(Paths(chosen.data))
        folders.create_secrets(Paths(chosen.data), chosen)
        embedded.ensure_port(Paths(chosen.data))
        with _database(environ):
            _do(chosen, mongo.prepare)
        yield environ


@contextmanager
def _database(environ: dict[str, str]) -> Iterator[None]:
    with launched("mongo", environ):
        until(lambda: mongo_answers(_settings(environ)), 60)
        yield


def _do(chosen: Settings, work: Callable[[Database], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with asyncio.timeout(120), mongo.connect(chosen) as client:
            return await work(mongo.database(client))

    return asyncio.run(run())


async def _form(db: Database) -> str:
    """With answers that were edited, read by a model and told of, and a quota that some count towards."""
    form_id, now = new_id(), utc_now()
    rows: list[dict[str, Any]] = [
        {
            "_id": new_id(), "form_id": form_id, "seq": number, "form_version": 1, "created_at": now,
            "updated_at": now, "submitter": None, "status": "accepted", "revision": 2, "tags": [],
            "data": {"words": "hers"}, "meta": {}, "events": [], "task_ids": [new_id()],
            "kv": ["a=1"] if number % 2 else [], "files": [new_id()], "key": new_id(),
        }
        for number in range(1, COUNT + 1)
    ]  # fmt: skip
    ids = [row["_id"] for row in rows]
    counts = {quotas.quota_id("a=1"): 3}
    start = {"_id": form_id, "seq": COUNT, "taken": COUNT, "open": [], "gate": 1, "counts": counts}
    await db.form_counters.insert_one(start)
    await db.responses.insert_many(rows)
    earlier = [{"_id": f"{one}/1", "response_id": one, "form_id": form_id, "revision": 1} for one in ids]
    await db.response_history.insert_many([each | {"replaced_at": now} for each in earlier])
    await db.ai_results.insert_many(
        [{"_id": one, "form_id": form_id, "seq": number} for number, one in enumerate(ids, 1)]
    )
    await db.webhook_deliveries.insert_many(
        [
            {"_id": new_id(), "about": [one], "webhook_id": form_id, "number": number, "form_id": form_id}
            for number, one in enumerate(ids)
        ]
    )
    await db.files.insert_many(
        [
            {"_id": row["files"][0], "form_id": form_id, "state": "kept", "response_id": row["_id"]}
            for row in rows
        ]
    )
    return form_id


async def _assert_whole(db: Database, form_id: str) -> int:
    """Each response with all that is its own, or with nothing; how many are left."""
    of_form = {"form_id": form_id}
    rows = await db.responses.find(of_form).to_list()
    there = {row["_id"] for row in rows}
    assert {row["response_id"] for row in await db.response_history.find(of_form).to_list()} == there
    assert {row["_id"] for row in await db.ai_results.find(of_form).to_list()} == there
    assert {row["about"][0] for row in await db.webhook_deliveries.find(of_form).to_list()} == there
    kept = await db.files.find({**of_form, "state": "kept"}).to_list()
    assert {row["response_id"] for row in kept} == there
    traces = {row["_id"] for row in await db.purged.find(of_form).to_list()}
    assert traces.isdisjoint(there) and len(traces) + len(there) == COUNT
    told = await db.audit.find({"subject": form_id}).to_list()
    assert sum(row["details"]["responses"] for row in told) == len(traces)
    found = await db.form_counters.find_one({"_id": form_id})
    assert found is not None and found["taken"] == len(there)
    assert found["counts"][quotas.quota_id("a=1")] == sum("a=1" in row["kv"] for row in rows)
    return len(there)


def test_killed_at_any_of_its_commands(environ: dict[str, str]) -> None:
    """The database begins anew after each: it would hold what the dead one had locked for a minute."""
    chosen, lefts = _settings(environ), []
    form_id = ""
    for at in (3, 9, 16, 22, 31, 40, 999):
        with _database(environ):
            if form_id:
                _do(chosen, lambda db: _finish(db, form_id))  # noqa: B023
            form_id = _do(chosen, _form)
            command = [sys.executable, "-c", PURGE, str(at), form_id]
            ended = subprocess.run(
                command, env=environ, check=False, timeout=60, capture_output=True, text=True
            )
            assert ended.returncode == (0 if at == 999 else -signal.SIGKILL), ended.stderr
            lefts.append(_do(chosen, lambda db: _assert_whole(db, form_id)))  # noqa: B023
    assert lefts == sorted(lefts, reverse=True) and set(lefts) == {5, 2, 0}, lefts


async def _finish(db: Database, form_id: str) -> None:
    await _assert_whole(db, form_id)
    await _rest(db, form_id)
    assert await _assert_whole(db, form_id) == 0


async def _rest(db: Database, form_id: str) -> None:
    ids = [row["_id"] for row in await db.responses.find({"form_id": form_id}).to_list()]
    await purges.purge(db, form_id, ids, Why("erasure"))


def test_the_task_goes_on_to_its_end_whatever_worker_is_killed(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, retention_days=1)
    lines = '{"data": {"name": "Ada"}}\n' * 800
    url = f"/api/v1/forms/{form_id}/responses/batch"
    sent = cast.alice.post(url, content=lines, headers={"content-type": "application/x-ndjson"})
    assert sent.text.count('"status":201') == 800
    settle_as_if_later(appliance)
    with appliance.database() as client:
        rows = client.get_default_database("appliance").responses
        old = {"$set": {"created_at": utc_now().replace(year=2020)}}
        assert rows.update_many({"form_id": form_id}, old).modified_count == 800
        with_context(
            appliance, lambda context: outbox.promise(context.db, None, Job(unique("purge"), "purge", {}))
        )
        left = [800]

        def is_done() -> bool:
            now = rows.count_documents({"form_id": form_id})
            if now < 700 and len(left) == 1:  # once: what it had locked stays so for a minute
                appliance.signal("worker-default")
                left.append(now)
            return now == 0

        until(is_done, 120, "all that is old is gone")
    assert len(left) == 2 and left[1], "it was killed on the way"
    until(lambda: not _untidy(appliance), 60, "what is outside of the database is told too")
    assert counters(appliance, form_id)["taken"] == 0 and stored(appliance, form_id) == []
    deeds = cast.admin.get("/api/v1/audit", params={"subject": form_id, "action": "responses.purged"}).json()
    assert sum(each["details"]["responses"] for each in deeds["audit"]) == 800


def _untidy(appliance: Running) -> int:
    with appliance.database() as client:
        return client.get_default_database("appliance").purged.count_documents({"untidy": True})
