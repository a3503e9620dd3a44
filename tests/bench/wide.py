"""A form of 33 questions and many answers to it, written straight into the store."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pymongo

from appliance.clock import new_id, rfc3339, utc_now
from appliance.domain.answer import check_answers
from appliance.domain.form import compile_definition
from appliance.stores.mongo import Document
from tests.running import Running

QUESTIONS = 33
_PIECE = 2_000
_KINDS = 2_000
"""Different answers: judged once, then repeated, for judging 348,000 would take longer than measuring."""
_TOPICS = [f"topic {number}" for number in range(12)]
_CITIES = [f"City {number}" for number in range(60)]
_DISHES = ["soup", "salad", "fish", "pasta", "cake"]
_WORDS = (
    "the staff was kind but we waited long for a table near the window, music too loud — crème brûlée".split()
)

DEFINITION: dict[str, Any] = {
    "elements": [
        *({"type": "text", "name": f"text_{number}"} for number in range(6)),
        *({"type": "text", "name": f"number_{number}", "inputType": "number"} for number in range(6)),
        *({"type": "text", "name": f"date_{number}", "inputType": "date"} for number in range(2)),
        *({"type": "dropdown", "name": f"city_{number}", "choices": _CITIES} for number in range(4)),
        *({"type": "radiogroup", "name": f"dish_{number}", "choices": _DISHES} for number in range(4)),
        *({"type": "rating", "name": f"stars_{number}"} for number in range(4)),
        *({"type": "boolean", "name": f"agree_{number}"} for number in range(3)),
        *({"type": "checkbox", "name": f"topics_{number}", "choices": _TOPICS} for number in range(2)),
        {"type": "comment", "name": "praise"},
        {"type": "comment", "name": "blame"},
    ]
}


def publish(client: httpx.Client) -> str:
    """The id of the form."""
    body = {"title": "Wide", "definition": DEFINITION}
    form_id = str(client.post("/api/v1/forms", json=body).raise_for_status().json()["form_id"])
    client.post(f"/api/v1/forms/{form_id}/publish").raise_for_status()
    return form_id


def fill(appliance: Running, form_id: str, count: int) -> float:
    """As if `count` responses had been submitted. Seconds that it took."""
    started, kinds = time.monotonic(), list(_answers())
    with appliance.database() as client:
        db = client.get_default_database("appliance")
        rows = db.get_collection("responses", write_concern=pymongo.WriteConcern(w=1, j=False))
        for first in range(1, count + 1, _PIECE):
            numbers = range(first, min(first + _PIECE, count + 1))
            rows.insert_many(_row(form_id, number, kinds[number % _KINDS]) for number in numbers)
        db.form_counters.update_one({"_id": form_id}, {"$set": {"seq": count, "taken": count}})
    return time.monotonic() - started


def _answers() -> Iterator[Document]:
    form, chance = compile_definition(DEFINITION), random.Random(5)
    for _ in range(_KINDS):
        yield check_answers(form, _answer(chance), utc_now())


def _answer(chance: random.Random) -> Document:
    found: Document = {}
    for one in DEFINITION["elements"]:
        if chance.random() < 0.9:
            found[one["name"]] = _value(one["name"].partition("_")[0], chance)
    return found


def _value(kind: str, chance: random.Random) -> Any:
    if kind == "text":
        return f"{chance.choice('ABCDEFGHIJ')}{chance.randrange(10_000)} {chance.choice(_WORDS)}"
    if kind == "number":
        return chance.choice((chance.randrange(-500, 100_000), round(chance.uniform(-100, 100), 2)))
    if kind == "date":
        return f"20{chance.randrange(10, 30)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
    if kind == "topics":
        return chance.sample(_TOPICS, chance.randrange(1, 5))
    lists: dict[str, list[Any]] = {
        "city": _CITIES,
        "dish": _DISHES,
        "stars": [1, 2, 3, 4, 5],
        "agree": [True, False],
    }
    return chance.choice(lists[kind]) if kind in lists else " ".join(chance.choices(_WORDS, k=20))


def _row(form_id: str, number: int, data: Document) -> Document:
    """As `services.submissions` and the writer make it, but for the index terms: they take ten times as long
    to fill in, and no export without a filter reads them.
    """
    now = utc_now()
    return {
        "_id": new_id(), "form_id": form_id, "seq": number, "form_version": 1, "submitter": None,
        "status": "accepted", "revision": 1, "tags": [], "data": data,
        "meta": {"started_at": rfc3339(now), "completion_time": 61.5, "language": "en"},
        "kv": [], "events": [], "task_ids": [], "created_at": now, "updated_at": now,
    }  # fmt: skip
