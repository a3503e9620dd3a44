"""How far embedding may say that it has come: never past a response that is yet to be written."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from appliance.clock import new_id
from appliance.stores import embedded, mongo
from appliance.stores.mongo import Database
from appliance.stores.transactions import Session, together
from tests.running import Running, running


@pytest.fixture(scope="module")
def quiet() -> Iterator[Running]:
    """Without a model for vectors: it embeds nothing by itself."""
    with running(EMBEDDING_MODEL="/nonexistent.gguf") as appliance:
        yield appliance


def with_database(appliance: Running, work: Callable[[Database], Awaitable[None]]) -> None:
    async def run() -> None:
        async with mongo.connect(appliance.settings) as client:
            await work(mongo.database(client))

    asyncio.run(run())


async def _outdate(db: Database, one: embedded.Outdated, session: Session) -> None:
    await embedded.outdate(db, session, [one])


def row(form_id: str, number: int) -> dict[str, Any]:
    return {"_id": new_id(), "form_id": form_id, "seq": number, "kv": []}


def test_a_row_that_comes_late_is_waited_for(quiet: Running) -> None:
    """Numbers 4 and 5 are reserved, 6 is written before them."""
    form_id = new_id()
    late = {"id": "late", "n": 2, "upto": 5}
    written = {"id": "written", "n": 1, "upto": 6}

    async def work(db: Database) -> None:
        await db.responses.insert_many([row(form_id, number) for number in (1, 2, 3, 6)])
        counters = {"_id": form_id, "seq": 6, "open": [late, written]}
        assert await embedded.settled(db, counters) == 3
        await db.responses.insert_one(row(form_id, 5))
        assert await embedded.settled(db, counters) == 3
        await db.responses.insert_one(row(form_id, 4))
        assert await embedded.settled(db, counters) == 6
        # One that its writer has given up is struck, and will never come.
        await db.responses.delete_one({"form_id": form_id, "seq": 4})
        assert await embedded.settled(db, {**counters, "open": [written]}) == 6

    with_database(quiet, work)


def test_a_mark_stays_where_more_came_meanwhile(quiet: Running) -> None:
    form_id = new_id()

    async def work(db: Database) -> None:
        counters = {"_id": form_id, "seq": 6, "open": [], "unembedded": True}
        await db.form_counters.insert_one(counters)
        await embedded.reach(db, form_id, 4)
        assert await embedded.pending(db, form_id) == 2
        await embedded.unmark(db, form_id, 5)
        assert await embedded.pending(db, form_id) == 2
        await embedded.reach(db, form_id, 6)
        await embedded.unmark(db, form_id, 6)
        assert await embedded.pending(db, form_id) == 0

    with_database(quiet, work)


def test_what_changed_again_meanwhile_stays_outdated(quiet: Running) -> None:
    first = embedded.Outdated(new_id(), new_id(), 2)

    async def work(db: Database) -> None:
        for one in (first, first._replace(revision=3)):
            await together(db, functools.partial(_outdate, db, one))
        await embedded.update(db, [first])
        assert await embedded.outdated_of(db, first.form_id) == {first.response_id}
        await embedded.update(db, [first._replace(revision=3)])
        assert await embedded.outdated_of(db, first.form_id) == set()

    with_database(quiet, work)
