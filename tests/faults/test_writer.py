"""The group commit cut off at every step, with a real database, and what the scheduler makes of the rest."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance import settings
from appliance.addresses import Paths
from appliance.clock import new_id, utc_now
from appliance.errors import FormFull, Invalid, QuotaFull
from appliance.runtime import folders
from appliance.runtime import mongo as embedded
from appliance.settings import Settings
from appliance.stores import mongo
from appliance.stores.mongo import Database, Document
from appliance.stores.quotas import FORGET, Quota
from appliance.stores.reservations import ABANDONED, DuplicateKey, Gate, Item, settle_abandoned
from appliance.stores.response_writer import ResponseWriter
from tests.runtime.servers import operator_environ, temporary_data, until
from tests.runtime.test_stores import launched, mongo_answers

LATER = ABANDONED + dt.timedelta(seconds=1)
ROWS = 5
KEPT = 4
"""Of the rows that a child writes: one is a second answer of one person."""


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    """A database of its own: no scheduler settles here but the test."""
    with temporary_data() as data:
        environ = operator_environ(data)
        chosen = _settings(environ)
        paths = Paths(chosen.data)
        folders.create(paths)
        folders.create_secrets(paths, chosen)
        embedded.ensure_port(paths)
        with launched("mongo", environ):
            until(lambda: mongo_answers(chosen), 60)
            with asyncio.Runner() as runner:
                runner.run(_prepare(chosen))
            yield environ


def _settings(environ: dict[str, str]) -> Settings:
    return settings.load(environ, dotenv=Path("/nonexistent"))


async def _prepare(chosen: Settings) -> None:
    async with mongo.connect(chosen) as client:
        await mongo.prepare(mongo.database(client))


def _run(environ: dict[str, str], test: Callable[[Database], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(60), mongo.connect(_settings(environ)) as client:
            await test(mongo.database(client))

    asyncio.run(run())


@asynccontextmanager
async def _writer(db: Database) -> AsyncIterator[ResponseWriter]:
    writer = ResponseWriter(db)
    writer.start()
    try:
        yield writer
    finally:
        await writer.stop()


async def _new_form(db: Database) -> str:
    form_id = new_id()
    await db.form_counters.insert_one({"_id": form_id, "seq": 0, "taken": 0, "open": [], "gate": 1})
    return form_id


def _row(form_id: str, key: str | None = None, *, person: str | None = None) -> Document:
    row = {"_id": new_id(), "form_id": form_id, "status": "accepted", "data": {"words": "1,70"}}
    return row | ({"key": f"{form_id}:{key}"} if key else {}) | ({"person": person} if person else {})


async def _rows(db: Database, form_id: str) -> list[Document]:
    return await db.responses.find({"form_id": form_id}).to_list()


async def _counters(db: Database, form_id: str) -> Document:
    found = await db.form_counters.find_one({"_id": form_id})
    assert found is not None
    return found


CHILD = """
import asyncio, os, signal, sys
from appliance import settings
from appliance.stores import mongo, reservations
from appliance.stores.reservations import Gate
from appliance.stores.quotas import Quota
from appliance.stores.response_writer import ResponseWriter
from tests.faults.test_writer import _row

QUOTAS = ()

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def dies(where, name, when):
    original = getattr(where, name)
    async def step(*given, **named):
        if when == "before":
            die()
        await original(*given, **named)
        die()
    setattr(where, name, step)

STEP

async def main(form_id):
    async with mongo.connect(settings.load()) as client:
        writer = ResponseWriter(mongo.database(client))
        writer.start()
        gate = Gate(form_id, 1, 100, None, QUOTAS)
        answers = {"kv": [quota.term for quota in QUOTAS]}
        writes = [writer.write(gate, _row(form_id, person=name) | answers) for name in PEOPLE]
        await asyncio.gather(*writes, return_exceptions=True)
        die()

asyncio.run(main(sys.argv[1]))
"""

STEPS = {
    "reserved": ("dies(ResponseWriter, '_insert', 'before')", 0, 1),
    "written, one refused": ("dies(reservations, 'settle', 'before')", KEPT, 1),
    "settled": ("dies(reservations, 'settle', 'after')", KEPT, 0),
}


def _cut(environ: dict[str, str], form_id: str, step: str, people: list[str]) -> None:
    code = CHILD.replace("STEP", step).replace("PEOPLE", repr(people))
    ended = subprocess.run([sys.executable, "-c", code, form_id], env=environ, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL


@pytest.mark.parametrize("step", STEPS)
def test_places_of_a_writer_that_died_are_settled_by_what_it_wrote(
    environ: dict[str, str], step: str
) -> None:
    where, written, unsettled = STEPS[step]

    async def check(db: Database) -> None:
        form_id = await _new_form(db)
        people = ["a", "b", "c", "d", "d"]
        await asyncio.to_thread(_cut, environ, form_id, where, people)
        left = await _counters(db, form_id)
        assert len(await _rows(db, form_id)) == written
        assert len(left["open"]) == unsettled
        assert left["taken"] == (ROWS if unsettled else written)
        await settle_abandoned(db, utc_now())
        assert await _counters(db, form_id) == left, "it might still live"
        await _settles_once(db, form_id, unsettled, written)

    _run(environ, check)


OSLO = Quota("city=Oslo", 6, "/data/city")


@pytest.mark.parametrize("step", STEPS)
def test_a_quota_is_counted_anew_after_a_writer_died(environ: dict[str, str], step: str) -> None:
    """A form that takes six of one answer; a writer dies with five of them, one of which is a duplicate."""
    where, written, _ = STEPS[step]
    limited = where + f"\nQUOTAS = ({OSLO!r},)"

    async def check(db: Database) -> None:
        form_id = await _new_form(db)
        await asyncio.to_thread(_cut, environ, form_id, limited, ["a", "b", "c", "d", "d"])
        assert len(await _rows(db, form_id)) == written
        await settle_abandoned(db, utc_now() + LATER)
        async with _writer(db) as writer:
            gate = Gate(form_id, 1, None, None, (OSLO,))
            rows = [_row(form_id) | {"kv": ["city=Oslo"]} for _ in range(10)]
            found = await asyncio.gather(*(writer.write(gate, row) for row in rows), return_exceptions=True)
        assert {type(verdict) for verdict in found} == {dict, QuotaFull}
        assert len(await _rows(db, form_id)) == OSLO.limit
        counted = await _counters(db, form_id)
        assert (counted["counts"], counted["open"]) == ({OSLO.id: OSLO.limit}, [])

    _run(environ, check)


def test_a_reservation_of_before_the_quota_is_waited_for(environ: dict[str, str]) -> None:
    """Its rows may still come, and nobody knows how many of them answer so."""

    async def check(db: Database) -> None:
        form_id = await _new_form(db)
        early, before = ResponseWriter(db), Gate(form_id, 1, None, None)
        rows = [_row(form_id) | {"kv": ["city=Oslo"]} for _ in range(3)]
        items = [Item(before, row, asyncio.get_running_loop().create_future()) for row in rows]
        reservations = await early._reserve_all(items)
        changed = {"$set": {"gate": 2}, **FORGET}
        await db.form_counters.update_one({"_id": form_id}, changed)
        async with _writer(db) as writer:
            gate = Gate(form_id, 2, None, None, (OSLO,))
            later = [_row(form_id) | {"kv": ["city=Oslo"]} for _ in range(5)]
            writes = [asyncio.create_task(writer.write(gate, row)) for row in later]
            await asyncio.sleep(0.5)
            assert not any(write.done() for write in writes)
            await early._insert(reservations)
            found = await asyncio.gather(*writes, return_exceptions=True)
        assert [type(verdict) for verdict in found].count(dict) == 3
        assert len(await _rows(db, form_id)) == OSLO.limit
        await early.stop()
        assert (await _counters(db, form_id))["counts"] == {OSLO.id: OSLO.limit}

    _run(environ, check)


def test_what_a_busy_writer_has_not_struck_is_full_all_the_same(environ: dict[str, str]) -> None:
    """It strikes with the form's next submission, or when nothing comes at all; neither may ever be."""

    async def check(db: Database) -> None:
        for gate in (Gate("", 1, 3, None), Gate("", 1, None, None, (OSLO._replace(limit=3),))):
            gate = replace(gate, form_id=await _new_form(db))
            async with _writer(db) as first:
                rows = [_row(gate.form_id) | {"kv": [OSLO.term]} for _ in range(3)]
                await asyncio.gather(*(first.write(gate, row) for row in rows))
                entry = {"id": "busy", "n": 3, "upto": 3, "at": utc_now(), "quotas": {OSLO.id: 3}, "epoch": 0}
                await asyncio.sleep(0.3)
                await db.form_counters.update_one({"_id": gate.form_id}, {"$push": {"open": entry}})
            async with _writer(db) as other:
                with pytest.raises((FormFull, QuotaFull)):
                    await other.write(gate, _row(gate.form_id) | {"kv": [OSLO.term]})
            assert await settle_abandoned(db, utc_now() + LATER) == 1

    _run(environ, check)


def test_what_was_answered_but_not_struck_costs_no_place(environ: dict[str, str]) -> None:
    """The reservation of a group that was written whole stays open until the writer's next turn."""
    never = "async def nothing(self): pass\nResponseWriter._strike_written = nothing"

    async def check(db: Database) -> None:
        form_id = await _new_form(db)
        await asyncio.to_thread(_cut, environ, form_id, never, ["a", "b", "c"])
        assert len((await _counters(db, form_id))["open"]) == 1
        await _settles_once(db, form_id, 1, 3)

    _run(environ, check)


async def _settles_once(db: Database, form_id: str, unsettled: int, written: int) -> None:
    later = utc_now() + LATER
    assert await settle_abandoned(db, later) == unsettled
    settled = await _counters(db, form_id)
    assert (settled["taken"], settled["open"]) == (written, [])
    assert await settle_abandoned(db, later) == 0
    assert await _counters(db, form_id) == settled


def test_writers_together_take_exactly_what_the_form_takes(environ: dict[str, str]) -> None:
    """Four of them as in four processes, a fifth of the submissions twice under one key."""
    limit, writers, each = 150, 4, 100

    async def many(form_id: str) -> list[Document | BaseException]:
        async with mongo.connect(_settings(environ)) as client, _writer(mongo.database(client)) as writer:
            gate = Gate(form_id, 1, limit, None)
            rows = [_row(form_id, f"key-{number}" if number % 5 == 0 else None) for number in range(each)]
            return await asyncio.gather(*(writer.write(gate, row) for row in rows), return_exceptions=True)

    async def check(db: Database) -> None:
        form_id = await _new_form(db)
        found = await asyncio.gather(*(many(form_id) for _ in range(writers)))
        verdicts = [verdict for one in found for verdict in one]
        assert {type(verdict) for verdict in verdicts} == {dict, FormFull, DuplicateKey}
        # Places of refused duplicates came back when others had been turned away already: fill them.
        async with _writer(db) as writer:
            gate = Gate(form_id, 1, limit, None)
            more = await asyncio.gather(
                *(writer.write(gate, _row(form_id)) for _ in range(limit)), return_exceptions=True
            )
        accepted = [verdict for verdict in [*verdicts, *more] if isinstance(verdict, dict)]
        rows = await _rows(db, form_id)
        assert len(accepted) == len(rows) == limit
        assert {row["_id"] for row in accepted} == {row["_id"] for row in rows}
        assert len({row["seq"] for row in rows}) == limit
        counted = await _counters(db, form_id)
        assert (counted["taken"], counted["open"]) == (limit, [])

    _run(environ, check)


def test_a_reservation_that_is_sent_twice_takes_its_places_once(environ: dict[str, str]) -> None:
    """The driver sends again after a lost connection; rows that are there already are a success."""

    async def check(db: Database) -> None:
        form_id = await _new_form(db)
        writer, gate = ResponseWriter(db), Gate(form_id, 1, 10, None)
        (reservation,) = await writer._reserve_all([_item(gate, form_id) for _ in range(3)])
        first = await _counters(db, form_id)
        again = await writer._take(gate, reservation)
        assert again == first == await _counters(db, form_id)
        await writer._insert([reservation])
        assert [await item.verdict for item in reservation.items] == await _rows(db, form_id)
        for item in reservation.items:
            item.verdict = asyncio.get_running_loop().create_future()
        await writer._insert([reservation])
        assert [await item.verdict for item in reservation.items] == await _rows(db, form_id)
        await writer.stop()
        counted = await _counters(db, form_id)
        assert (counted["taken"], counted["open"]) == (3, [])

    _run(environ, check)


def _item(gate: Gate, form_id: str) -> Any:
    return Item(gate, _row(form_id), asyncio.get_running_loop().create_future())


def test_what_cannot_be_encoded_is_refused_alone(environ: dict[str, str]) -> None:
    async def test(db: Database) -> None:
        form_id = await _new_form(db)
        gate = Gate(form_id, 1, 4, None)
        rows = [_row(form_id) for _ in range(4)]
        async with _writer(db) as writer:
            spoiled = _row(form_id) | {"data": {"words": "\ud83d"}}
            writes = [writer.write(gate, row) for row in (*rows[:2], spoiled, *rows[2:])]
            found = await asyncio.gather(*writes, return_exceptions=True)
        assert [isinstance(one, Invalid) for one in found] == [False, False, True, False, False]
        assert {row["_id"] for row in await _rows(db, form_id)} == {row["_id"] for row in rows}

    _run(environ, test)
