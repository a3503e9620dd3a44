"""The lake is what the database is after any history and a run, wherever runs before it were killed."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from appliance import settings
from appliance.addresses import Paths
from appliance.analytics import verify
from appliance.analytics.lake import Lake
from appliance.analytics.tables import TABLES
from appliance.clock import new_id, utc_now
from appliance.runtime import folders
from appliance.runtime import mongo as embedded
from appliance.services import lake_running
from appliance.services.context import Context, open_context
from appliance.services.lake_running import Summary
from appliance.settings import Settings
from appliance.stores import ai_results, audit, form_purges, mongo, partials, purges, response_edits
from appliance.stores.mongo import Document
from appliance.stores.purges import Why
from appliance.stores.reservations import Gate
from appliance.stores.response_edits import Happening
from appliance.stores.transactions import Overtaken, next_number, together
from tests.runtime.servers import operator_environ, temporary_data, until
from tests.runtime.test_stores import launched, mongo_answers

DAY = dt.datetime(2026, 3, 28, tzinfo=dt.UTC)  # the clocks go forward in Europe on the next one

RUN = """
import asyncio, os, signal, sys
from appliance import settings
from appliance.services import lake_running
from appliance.services.context import open_context

at, folder, seen = int(sys.argv[1]), sys.argv[2], 0

def look(event, arguments):
    "Files take their names and names go: what a reader sees changes at these points alone."
    global seen
    is_step = event in ("os.rename", "os.remove")
    if is_step and str(arguments[0]).startswith(folder) and "/.work" not in str(arguments[0]):
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

async def main():
    context = open_context(settings.load())
    await lake_running.run(context)
    await context.close()

sys.addaudithook(look)
asyncio.run(main())
print(seen)
"""


class World:
    """A database of its own, the lake of it, and what is done to them."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ
        self.settings = _settings(environ)
        self.lake = Lake(Paths(self.settings.data).lake)

    def run(self) -> Summary:
        async def work(context: Context) -> Summary:
            return await lake_running.run(context)

        summary: Summary = self.do(work)
        return summary

    def killed_run(self, at: int) -> int | None:
        """A run in a process of its own, killed before its nth step; how many steps it took if it ended."""
        command = [sys.executable, "-c", RUN, str(at), str(self.lake.folder)]
        ended = subprocess.run(
            command, env=self.environ, check=False, timeout=120, capture_output=True, text=True
        )
        if ended.returncode == -signal.SIGKILL:
            return None
        assert ended.returncode == 0, ended.stderr
        return int(ended.stdout)

    def do(self, work: Any) -> Any:
        async def go() -> Any:
            context = open_context(self.settings)
            context.writer.start()
            try:
                return await work(context)
            finally:
                await context.close()

        return asyncio.run(go())

    def kept(self) -> dict[str, tuple[int, str, Any]]:
        """What the lake has."""
        if self.lake.is_empty:
            return {}
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            rows = connection.execute(
                f"SELECT response_id, revision, created_at, data FROM {self.lake.source}"
            ).fetchall()
        assert len(rows) == len({row[0] for row in rows}), "a response is there twice"
        return {row[0]: (row[1], f"{row[2]:%Y-%m-%dT%H:%M}", json.loads(row[3])) for row in rows}

    def table(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = pq.ParquetFile(self.lake.table(name)).read().to_pylist()
        return found

    def digests(self) -> dict[str, str]:
        """Of all that others read."""
        files = [*self.lake.responses.glob("*/*.parquet"), *(self.lake.table(name) for name in TABLES)]
        return {
            str(file.relative_to(self.lake.folder)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
            if file.exists()
        }

    def assert_same(self) -> None:
        """The lake is what the database is."""
        truth = self.do(_truth)
        assert self.kept() == truth["responses"]
        assert all(not file.fault for file in verify.files(self.lake))
        assert {row["form_id"]: row["responses"] for row in self.table("forms")} == truth["forms"]
        assert {row["partial_id"]: (row["state"], row["page"]) for row in self.table("partials")} == truth[
            "partials"
        ]
        assert {
            row["response_id"]: (row["sentiment"], row["categories"]) for row in self.table("ai_results")
        } == truth["ai_results"]
        activity = {
            (row["user_id"], row["action"], str(row["date"])): row["count"] for row in self.table("activity")
        }
        assert activity == truth["activity"]


async def _truth(context: Context) -> dict[str, Any]:
    """By plain loops over the whole database."""
    db = context.db
    forms = {row["_id"] for row in await db.forms.find({"deleted_at": None}).to_list()}
    rows = [
        row
        for row in await db.responses.find().to_list()
        if row["form_id"] in forms and row["status"] != "deleted"
    ]
    activity: dict[tuple[str, str, str], int] = {}
    deeds = [(row["actor"], row["action"], row["at"]) for row in await db.audit.find().to_list()]
    for user, action, at in [
        *deeds,
        *((row["submitter"], "response.submitted", row["created_at"]) for row in rows),
    ]:
        if user is not None:
            key = (user, action, f"{at:%Y-%m-%d}")
            activity[key] = activity.get(key, 0) + 1
    return {
        "responses": {
            row["_id"]: (row["revision"], f"{row['created_at']:%Y-%m-%dT%H:%M}", row["data"]) for row in rows
        },
        "forms": {form: sum(row["form_id"] == form for row in rows) for form in forms},
        "partials": {
            row["_id"]: (row["state"], row.get("page"))
            for row in await db.partials.find().to_list()
            if row["form_id"] in forms
        },
        "ai_results": {
            row["_id"]: (row["result"]["sentiment"], row["result"]["categories"])
            for row in await db.ai_results.find({"kind": "response"}).to_list()
            if row["form_id"] in forms
        },
        "activity": activity,
    }


def _settings(environ: dict[str, str]) -> Settings:
    return settings.load(environ, dotenv=Path("/nonexistent"))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """No scheduler works here but the test."""
    with temporary_data() as data:
        environ = operator_environ(data)
        made = World(environ)
        paths = Paths(made.settings.data)
        folders.create(paths)
        folders.create_secrets(paths, made.settings)
        embedded.ensure_port(paths)
        with launched("mongo", environ):
            until(lambda: mongo_answers(made.settings), 60)
            made.do(lambda context: mongo.prepare(context.db))
            yield made


# -- what is done to the database: as the appliance does it, but at a time of the test's


async def new_form(context: Context) -> str:
    db, form_id = context.db, new_id()
    form = {
        "_id": form_id, "slug": form_id, "title": "Lunch", "owner": "olga", "status": "published",
        "version": 0, "settings": {"time_zone": "Europe/Berlin"}, "created_at": DAY, "updated_at": utc_now(),
        "deleted_at": None,
    }  # fmt: skip
    start = {"_id": form_id, "seq": 0, "taken": 0, "open": [], "gate": 1}

    async def write(session: Any) -> None:
        form["number"] = await next_number(db, session, "forms")
        await db.forms.insert_one(form, session=session)
        await db.form_counters.insert_one(start, session=session)
        await audit.record(db, session, audit.Entry("olga", "form.created", form_id, {}))

    await together(db, write)
    return form_id


async def submit(context: Context, form_id: str, hours: int, answer: Any, *, now: bool = False) -> None:
    """At that hour, or `now`: only then may a run be under way."""
    row = {
        "_id": new_id(), "form_id": form_id, "form_version": 1, "submitter": "sam" if hours % 2 else None,
        "status": "accepted", "data": {"answer": answer}, "tags": [], "kv": [], "revision": 1, "events": [],
        "meta": {"completion_time": 3.5, "language": "en"},
    }  # fmt: skip
    await context.writer.write(Gate(form_id, 1, None, None), row)
    if not now:
        at = DAY + dt.timedelta(hours=hours)
        await context.db.responses.update_one({"_id": row["_id"]}, {"$set": {"created_at": at}})


async def change(context: Context, row: Document, fields: Document) -> None:
    deed = audit.Entry("eve", "response.changed", row["_id"], {})
    await response_edits.change(context.db, row, fields, deed, Happening("response.updated", []))


async def analyze(context: Context, row: Document, mood: str) -> None:
    found = {"sentiment": mood, "confidence": 0.5, "language": "en", "categories": ["a"]}
    wanted = {name: row[name] for name in ("_id", "form_id", "seq", "revision")}
    result = {**wanted, "kind": "response", "created_at": utc_now(), "made_by": "m", "result": found}
    await ai_results.keep(context.db, [result])
    if mood == "negative":
        await ai_results.change(context.db, {row["_id"]: {"result.categories": ["b"]}})


async def half_fill(context: Context, form_id: str, number: int, how: str) -> None:
    now, name = utc_now(), partials.partial_id(form_id, str(number))
    fields = {"form_id": form_id, "form_version": 1, "data": "{}", "page": f"p{number}", "size": 2}
    fields |= {"updated_at": now, "expires_at": now + dt.timedelta(days=1)}
    known = await context.db.partials.find_one({"_id": name})
    if known is None or known["state"] not in ("submitted",):
        await partials.save(context.db, name, fields, None, None)
    if how == "delete":
        await partials.end(context.db, name, "withdrawn", now)
    if how == "edit":
        await partials.finish(context.db, name, new_id(), now)


async def purge(context: Context, form_id: str, chosen: slice) -> None:
    rows = await context.db.responses.find({"form_id": form_id}).to_list()
    ids = [row["_id"] for row in sorted(rows, key=lambda one: int(one["seq"]))[chosen]]
    assert await purges.purge(context.db, form_id, ids, Why("erasure")) == (len(ids), 0)


async def purge_form(context: Context, form_id: str) -> None:
    deleted = {"deleted_at": utc_now(), "updated_at": utc_now(), "purging": True}
    await context.db.forms.update_one({"_id": form_id}, {"$set": deleted})
    await purge(context, form_id, slice(None))
    await form_purges.belongings(context.db, form_id)
    assert await form_purges.end(context.db, form_id)


async def step(context: Context, forms: list[str], kind: str, number: int, hours: int) -> None:
    db, form_id = context.db, forms[number % len(forms)]
    if kind == "submit":
        await submit(context, form_id, hours, {"n": 2**53 + number, "l": [None, number / 2]})
    elif kind in ("half", "half delete", "half edit"):
        await half_fill(context, form_id, number, kind.removeprefix("half").strip())
    elif kind == "purge":
        await purge(context, form_id, slice(number // 4, number // 4 + 1 + number % 3))
    elif kind == "purge form":
        await purge_form(context, form_id)
        forms[number % len(forms)] = await new_form(context)
    elif kind in ("delete form", "restore form"):
        at = utc_now() if kind == "delete form" else None
        await db.forms.update_one({"_id": form_id}, {"$set": {"deleted_at": at, "updated_at": utc_now()}})
    else:
        rows = await db.responses.find({"form_id": form_id, "status": "accepted"}).to_list()
        if rows:
            row = sorted(rows, key=lambda one: int(one["seq"]))[number % len(rows)]
            if kind == "analyze":
                await analyze(context, row, "negative" if hours % 2 else "positive")
            else:
                fields = {"data": {"answer": hours}} if kind == "edit" else {"status": "deleted", "kv": []}
                await change(context, row, fields)


KINDS = [
    "submit", "submit", "submit", "edit", "delete", "analyze", "half", "half delete", "half edit",
    "delete form", "restore form", "purge", "purge", "purge form", "run", "kill",
]  # fmt: skip
STEPS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 30), st.integers(-40, 40)), min_size=5, max_size=18
)


@hypothesis_settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
@example([("submit", 0, 1), ("delete form", 0, 0), ("run", 0, 0), ("restore form", 0, 0), ("kill", 3, 0)])
@example([("submit", 0, 1), ("run", 0, 0), ("delete form", 0, 0), ("kill", 2, 0), ("restore form", 0, 0)])
@example([("submit", 0, 1), ("run", 0, 0), ("analyze", 0, 1), ("run", 0, 0), ("purge", 0, 0), ("kill", 4, 0)])
@example([("submit", 0, 1), ("half", 0, 0), ("run", 0, 0), ("purge form", 0, 0), ("kill", 2, 0)])
@example([("submit", 0, 1), ("run", 0, 0), ("analyze", 0, 1), ("run", 0, 0), ("edit", 0, 5), ("half", 1, 0)])
def test_the_lake_is_what_the_database_is_after_any_history(
    world: World, steps: list[tuple[str, int, int]]
) -> None:
    forms = world.do(lambda context: _forms(context, 2))
    for kind, number, hours in steps:
        if kind == "run":
            world.run()
        elif kind == "kill":
            world.killed_run(number + 1)
        else:
            world.do(lambda context, *what: step(context, forms, kind, number, hours))  # noqa: B023
    assert world.run().drift == 0
    world.assert_same()
    before = world.digests()
    assert world.run().drift == 0
    assert world.digests() == before


async def _forms(context: Context, count: int) -> list[str]:
    return [await new_form(context) for _ in range(count)]


def test_a_run_killed_at_each_step_leaves_what_was_or_what_is_to_be(world: World, tmp_path: Path) -> None:
    forms = world.do(lambda context: _forms(context, 3))
    lately = (utc_now() - DAY).days * 24 - 72  # in a month that is not joined yet

    async def before(context: Context) -> None:
        for number in range(12):
            await step(context, forms, "submit", number, lately + number * 6 - 36)
        await step(context, forms, "analyze", 0, 1)
        await step(context, forms, "half", 1, 0)

    async def after(context: Context) -> None:
        for number in range(4):
            await step(context, forms, "submit", number, lately + number * 14 - 20)
        for kind in ("edit", "delete", "half delete", "analyze"):
            await step(context, forms, kind, 1, 2)
        await step(context, forms, "delete form", 2, 0)

    world.do(before)
    world.run()
    old, kept = world.digests(), tmp_path / "kept"
    shutil.copytree(world.lake.folder, kept)
    world.do(after)
    steps = world.killed_run(0)
    new = world.digests()
    assert steps is not None and steps > 10 and len(new) > 5
    changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    assert len(changed) > 5
    seen = set()
    for at in range(1, steps + 1):
        shutil.rmtree(world.lake.folder)
        shutil.copytree(kept, world.lake.folder)
        world.do(_mark)
        assert world.killed_run(at) is None
        left = world.digests()
        for name in old.keys() | new.keys() | left.keys():
            assert left.get(name) in (old.get(name), new.get(name)), f"{name} at step {at}"
        seen.add(frozenset(name for name in changed if left.get(name) == new.get(name)))
        world.run()
        assert world.digests() == new, f"after step {at}"
        assert not [*world.lake.folder.rglob(".*.new"), *world.lake.folder.rglob("*.tmp")]
    assert len(seen) > len(changed), "it was killed between any two files"
    world.assert_same()


def test_a_run_killed_while_months_are_joined_shows_each_response_once(world: World, tmp_path: Path) -> None:
    forms = world.do(lambda context: _forms(context, 2))
    world.run()
    kept, before = tmp_path / "kept", world.kept()
    shutil.copytree(world.lake.folder, kept)

    async def fill(context: Context) -> None:
        for number in range(8):
            await step(context, forms, "submit", number, -24 * number - 2000)

    world.do(fill)
    steps = world.killed_run(0)
    new, after = world.digests(), world.kept()
    assert steps is not None and steps > 15 and len(after) == len(before) + 8
    assert {period.name for period in world.lake.periods()} >= {"2025-12", "2026-01"}
    for at in range(2, steps + 1, 4):
        shutil.rmtree(world.lake.folder)
        shutil.copytree(kept, world.lake.folder)
        world.do(_mark)
        assert world.killed_run(at) is None
        assert before.items() <= world.kept().items() <= after.items()
        world.run()
        assert world.digests() == new, f"after step {at}"
        assert not world.lake.renewed.exists()


async def _mark(context: Context) -> None:
    """As it was before the run that is killed."""
    await context.db.form_counters.update_many({"seq": {"$gt": 0}}, {"$set": {"unlaked": True}})


def test_what_is_not_as_the_database_has_it_is_found_and_mended(world: World) -> None:
    (form_id,) = world.do(lambda context: _forms(context, 1))

    async def fill(context: Context) -> None:
        for number in range(5):
            await submit(context, form_id, number, number)

    async def spoil(context: Context) -> None:
        """Behind everybody's back."""
        rows = await context.db.responses.find({"form_id": form_id}).to_list()
        await context.db.responses.delete_one({"_id": rows[0]["_id"]})
        await context.db.responses.update_one({"_id": rows[1]["_id"]}, {"$inc": {"revision": 1}})

    world.do(fill)
    assert world.run().drift == 0
    world.do(spoil)
    found = world.run()
    assert found.drift == 2 and found.compared > 2
    assert world.run().drift == 0
    world.assert_same()


def test_what_happens_during_a_run_is_no_drift(world: World) -> None:
    forms = world.do(lambda context: _forms(context, 3))

    async def busy(context: Context) -> list[Summary]:
        async def change_things(first: int) -> None:
            for number in range(first, 240, 4):
                if number % 8 < 4:
                    await submit(context, forms[number % 3], number, number, now=True)
                else:
                    with contextlib.suppress(Overtaken):
                        await step(context, forms, ("delete", "edit")[number % 2], number, number)

        work = [asyncio.create_task(change_things(first)) for first in range(4)]
        runs = []
        while not all(one.done() for one in work):
            runs.append(await lake_running.run(context))
        await asyncio.gather(*work)
        return runs

    runs = world.do(busy)
    assert len(runs) > 1 and [one.drift for one in runs] == [0] * len(runs)
    assert world.run().drift == 0
    world.assert_same()


def test_a_damaged_file_fails_the_run_and_a_lake_that_was_emptied_is_made_anew(world: World) -> None:
    (form_id,) = world.do(lambda context: _forms(context, 1))
    world.do(lambda context: submit(context, form_id, 0, 1))
    world.run()
    file = world.lake.file(world.lake.period(DAY.date()))
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(OSError, match="lake verify"):
        world.run()
    world.lake.clear()
    assert world.run().drift == 0
    world.assert_same()
