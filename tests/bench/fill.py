"""A form with many realistic responses, written through the product's own rules and writer."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import httpx

from appliance.clock import new_id, rfc3339, utc_now
from appliance.domain.answer import check_answers
from appliance.domain.filters import filter_terms
from appliance.domain.form import Form, compile_definition
from appliance.settings import Settings
from appliance.stores import mongo
from appliance.stores.mongo import Document
from appliance.stores.reservations import Gate
from appliance.stores.response_writer import GROUP, ResponseWriter

CITIES = [f"City {number}" for number in range(10)]
"""Each holds about 10 % of the answers."""
BADGES = [f"Badge {number}" for number in range(200)]
"""Each holds about 0.5 %."""

DEFINITION: dict[str, Any] = {
    "elements": [
        {"type": "text", "name": "name", "isRequired": True},
        {"type": "text", "name": "email", "inputType": "email"},
        {"type": "text", "name": "age", "inputType": "number", "min": 0, "max": 150},
        {"type": "radiogroup", "name": "city", "choices": CITIES},
        {"type": "dropdown", "name": "badge", "choices": BADGES},
        {"type": "checkbox", "name": "likes", "choices": ["tea", "coffee", "water", "juice"]},
        {"type": "rating", "name": "score"},
        {"type": "comment", "name": "words"},
    ]
}
_WORDS = (
    "the staff was kind but we waited long for a table near window music too loud soup cold great".split()
)


def answers(chance: random.Random, words: int = 25) -> dict[str, Any]:
    name = f"{chance.choice('ABCDEFGHIJ')}{chance.randrange(10_000)}"
    return {
        "name": name,
        "email": f"{name.lower()}@example.org",
        "age": chance.randrange(16, 95),
        "city": chance.choice(CITIES),
        "badge": chance.choice(BADGES),
        "likes": chance.sample(["tea", "coffee", "water", "juice"], chance.randrange(1, 4)),
        "score": chance.randrange(1, 6),
        "words": " ".join(chance.choices(_WORDS, k=words)),
    }


def publish(client: httpx.Client) -> str:
    body = {"title": "Bench", "definition": DEFINITION, "settings": {"public": True}}
    form_id = str(client.post("/api/v1/forms", json=body).raise_for_status().json()["form_id"])
    client.post(f"/api/v1/forms/{form_id}/publish").raise_for_status()
    return form_id


def fill(settings: Settings, form_id: str, count: int) -> float:
    """Seconds that it took."""
    started = time.monotonic()
    asyncio.run(_fill(settings, form_id, count))
    return time.monotonic() - started


async def _fill(settings: Settings, form_id: str, count: int) -> None:
    form, chance = compile_definition(DEFINITION), random.Random(1)
    async with mongo.connect(settings) as client:
        db = mongo.database(client)
        state = await db.forms.find_one({"_id": form_id})
        assert state is not None
        gate = Gate(form_id, state["rev"], None, None)
        writer = ResponseWriter(db)
        writer.start()
        for start in range(0, count, GROUP):
            rows = [row(form, form_id, chance) for _ in range(min(GROUP, count - start))]
            await asyncio.gather(*(writer.write(gate, one) for one in rows))
        await writer.stop()


def row(form: Form, form_id: str, chance: random.Random) -> Document:
    """As `services.submissions` makes it."""
    data = check_answers(form, answers(chance), utc_now())
    return {
        "_id": new_id(), "form_id": form_id, "form_version": 1, "submitter": None, "status": "accepted",
        "revision": 1, "tags": [],
        "data": data, "meta": {"started_at": rfc3339(utc_now()), "completion_time": 61.5, "language": "en"},
        "kv": filter_terms(form, data), "events": [], "task_ids": [],
    }  # fmt: skip
