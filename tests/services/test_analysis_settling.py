"""What a form's answers say together, when it is broken off in the middle."""

from __future__ import annotations

import asyncio
import datetime as dt
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pymongo import AsyncMongoClient

from appliance import addresses
from appliance.ai import duplicates, reading
from appliance.ai.models import Models
from appliance.services import analysis_settling
from appliance.services.context import Context
from appliance.stores import mongo
from tests import models as kept
from tests.ai import test_topics
from tests.running import Running, unique

COUNT = 2_600
"""More than are changed before others are let go first."""


class _LetsGoFirst(Exception): ...


def _rows(models: Models, form_id: str) -> list[dict[str, Any]]:
    """As the pieces of an analysis leave them: every one an answer of a clinic's, some of them twice."""
    clinic = test_topics._read("clinic", models)
    day = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    rows = []
    for number in range(COUNT):
        place = number % len(clinic.sentences)
        text = f"{clinic.sentences[place].rstrip('.')} ({number % 300})"
        result = {"sentiment": "neutral", "language": "en", "suspicions": [], "categories": []}
        rows.append(
            {
                "_id": f"{form_id}/{number}",
                "form_id": form_id,
                "seq": number + 1,
                "revision": 1,
                "made_by": "test",
                "prompt": text,
                "submitted_at": day + dt.timedelta(hours=number),
                "sentences": 1,
                "vectors": reading.packed(clinic.vectors[place : place + 1]),
                "signature": duplicates.signature(text),
                "result": {**result, "duplicate_of": None},
            }
        )
    return rows


async def _settled(context: Context, models: Models, form_id: str, *, breaks: bool) -> dict[str, Any]:
    begun: list[int] = []

    async def pause() -> None:
        if breaks and len(begun) == 1:
            raise _LetsGoFirst

    while True:
        begun.append(1)
        try:
            return await analysis_settling.settle(context, form_id, "test", [], models.embed, pause)
        except _LetsGoFirst:
            changed = {"form_id": form_id, "result.categories": {"$ne": []}}
            assert 0 < await context.db.ai_results.count_documents(changed) < COUNT


async def _both(appliance: Running, models: Models) -> list[tuple[dict[str, Any], list[Any]]]:
    found = []
    uri = addresses.mongodb_uri(appliance.settings)
    async with AsyncMongoClient[dict[str, Any]](uri, tz_aware=True) as client:
        db = mongo.database(client)
        context = cast(Context, SimpleNamespace(db=db))
        for breaks in (False, True):
            form_id = unique("form")
            await db.form_counters.insert_one({"_id": form_id, "seq": COUNT})
            await db.ai_results.insert_many(_rows(models, form_id))
            whole = await _settled(context, models, form_id, breaks=breaks)
            rows = await db.ai_results.find({"form_id": form_id}).sort("seq", 1).to_list()
            results = [row["result"] for row in rows]
            found.append((_plain(whole, form_id), _plain(results, form_id)))
            await db.ai_results.delete_many({"form_id": form_id})
            await db.form_counters.delete_one({"_id": form_id})
    return found


def _plain(value: Any, form_id: str) -> Any:
    """Without the form's own name in ids."""
    if isinstance(value, dict):
        return {name: _plain(each, form_id) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, form_id) for each in value]
    return value.removeprefix(form_id) if isinstance(value, str) else value


@pytest.fixture
def models() -> Any:
    with kept.opened(chat=None) as held:
        yield held


def test_broken_off_it_goes_on_and_says_the_same(appliance: Running, models: Models) -> None:
    undisturbed, broken_off = asyncio.run(_both(appliance, models))
    assert broken_off == undisturbed
    whole, results = undisturbed
    assert whole["responses"] == COUNT
    assert {"parking", "doctor"} <= {topic["name"] for topic in whole["topics"]}
    assert whole["duplicates"] == sum(result["duplicate_of"] is not None for result in results) > 0
    assert {row["bucket"] for row in whole["sentiment_over_time"]} == {"week"}
    assert whole["sentiment_over_time"][0]["from"] == "2026-10-26", "a Monday"
