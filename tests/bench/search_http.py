"""The second half of `scripts/bench search`: a whole appliance, 100,000 responses of one form, asked by HTTP.

Responses are put into the database, and into the file their vectors, which are drawn around those of real
sentences: embedding them would take ten minutes. Queries are sentences, each asked once, so that each is
embedded. The exact answer is a product in float64 over all vectors.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import numpy as np
import pymongo

from appliance import llama_install
from appliance.ai.chosen import Chosen
from appliance.ai.engine import Vectors
from appliance.ai.models import Models
from appliance.ai.vector_file import Entry
from appliance.ai.vector_writer import Writer
from appliance.domain.form import compile_definition
from appliance.services import vector_place
from appliance.settings import Settings
from appliance.stores import embedded, mongo
from tests import models
from tests.bench import fill, report
from tests.running import Running, running
from tests.runtime.servers import until

RESPONSES: Final = 100_000
P95_MS: Final = 100
QUERIES: Final = 200
WARM: Final = 10
_GROUP: Final = 1_000
_BEGIN: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_SUBJECTS = (
    "the staff|the soup|our table|the music|a taxi|the room|my order|the bill|the garden|a parcel".split("|")
)
_SAID = (
    "was late|was far too loud|cost too much|was a pleasure|was cold|was missing|made us wait|was dirty|"
    "was perfect|could be larger|was not what I had asked for|surprised everybody|needs some work|"
    "was better last year|was broken|smelled strange|was explained well|felt cheap|was worth it|never came"
).split("|")
SENTENCES = [f"I think {subject} {said}." for subject in _SUBJECTS for said in _SAID]

Json = dict[str, Any]


class Stored(NamedTuple):
    """What the appliance has, and what its model makes of the sentences."""

    form_id: str
    ids: list[str]
    vectors: Vectors
    queries: Vectors


def run() -> Json:
    models.until_built()
    notes: dict[str, str] = {}
    with running() as appliance:
        with appliance.client(appliance.login()) as client:
            form_id = fill.publish(client)
        ids = asyncio.run(_fill(appliance.settings, form_id))
        appliance.stop()
        queries, notes["embedding"] = _embed()
        vectors = _near(queries)
        stored = Stored(form_id, ids, vectors, queries)
        _put(appliance.settings, stored)
        appliance.start()
        models.until_at_work(appliance)
        asyncio.run(_tell(appliance.settings, form_id))
        with appliance.client(appliance.login()) as client:
            rows, recall, slow = _measure(client, stored)
        notes |= _memory(appliance)
    return {
        "notes": notes,
        "rows": rows,
        "aims": [
            {
                "aim": f"{RESPONSES:,} responses over HTTP: p95 < {P95_MS} ms",
                "measured": f"{slow:.1f} ms",
                "pass": slow < P95_MS,
            },
            {
                "aim": "over HTTP: recall@10 = 1, against float64",
                "measured": f"{recall:.4f}",
                "pass": recall == 1,
            },
        ],
    }


# -- what there is


def _embed() -> tuple[Vectors, str]:
    """The sentences' vectors, and what a text of 25 words takes."""
    llama_install.use()
    held = Models(Chosen(None, models.embedding_model(), 2048, 2**30, threads=1))
    found = held.embed(SENTENCES)
    chance = random.Random(3)
    texts = [fill.answers(chance)["words"] for _ in range(200)]
    begun = time.process_time()
    held.embed(texts)
    took = (time.process_time() - begun) / len(texts)
    held.close()
    return found, f"{took * 1000:.1f} ms of CPU for a text of 25 words"


def _near(middles: Vectors) -> Vectors:
    chance = np.random.default_rng(7)
    made = middles[chance.integers(0, len(middles), RESPONSES)]
    made = made + 0.03 * chance.standard_normal(made.shape, dtype=np.float32)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), dtype=np.float32)


async def _fill(settings: Settings, form_id: str) -> list[str]:
    """Their ids, in the order of their numbers."""
    form, chance, ids = compile_definition(fill.DEFINITION), random.Random(1), []
    async with mongo.connect(settings) as client:
        db = mongo.database(client)
        for begin in range(0, RESPONSES, _GROUP):
            rows = [fill.row(form, form_id, chance) for _ in range(_GROUP)]
            for number, row in enumerate(rows, begin + 1):
                row |= {"seq": number, "created_at": _BEGIN, "updated_at": _BEGIN}
            with pymongo.timeout(60):
                await mongo.unsynced(db.responses).insert_many(rows, ordered=False)
            ids += [row["_id"] for row in rows]
        counters = {"seq": RESPONSES, "taken": RESPONSES}
        await db.form_counters.update_one({"_id": form_id}, {"$set": counters})
    return ids


def _put(settings: Settings, stored: Stored) -> None:
    place = vector_place.find(settings)
    assert place is not None
    with Writer(place.path, place.dimensions) as writer:
        known = len(writer.index)
        for at in range(0, RESPONSES, _GROUP):
            part = range(at, at + _GROUP)
            writer.put([Entry(stored.ids[n], stored.form_id, _BEGIN, 1, stored.vectors[n]) for n in part])
        assert len(writer.index) == known + RESPONSES


async def _tell(settings: Settings, form_id: str) -> None:
    """That they have been embedded."""
    async with mongo.connect(settings) as client:
        db = mongo.database(client)
        await embedded.reach(db, form_id, RESPONSES)
        await embedded.unmark(db, form_id, RESPONSES)


# -- what it takes


def _measure(client: httpx.Client, stored: Stored) -> tuple[list[Json], float, float]:
    path = f"/api/v1/forms/{stored.form_id}/search"
    first = {"q": "The first one has the model loaded."}
    until(lambda: client.get(path, params=first).status_code == 200, 60, "it answers")
    right, plain = 0, []
    order = random.Random(5).sample(range(len(SENTENCES)), QUERIES)
    whole = stored.vectors.astype(np.float64)
    for turn, at in enumerate(order):
        seconds, answer = _ask(client, path, {"q": SENTENCES[at]})
        assert answer["complete"], answer["pending"]
        exact = whole @ stored.queries[at].astype(np.float64)
        nearest = {stored.ids[int(n)] for n in np.argpartition(-exact, 10)[:10]}
        right += len(nearest & {row["response_id"] for row in answer["responses"]})
        if turn >= WARM:
            plain.append(seconds)
    kinds: dict[str, Callable[[int], dict[str, str]]] = {
        "asked again (its vector is known)": lambda at: {},
        "100 wanted": lambda at: {"limit": "100"},
        "filter held by 10 %": lambda at: {"filter.city": fill.CITIES[at % 10]},
        "filter held by 0.5 %": lambda at: {"filter.badge": fill.BADGES[at]},
    }
    rows = [_row(f"a new query among {RESPONSES:,}, over HTTP", plain)]
    for name, more in kinds.items():
        rows.append(
            _row(name, [_ask(client, path, {"q": SENTENCES[at], **more(at)})[0] for at in order[:100]])
        )
    return rows, right / (10 * QUERIES), report.quantile(plain, 0.95) * 1000


def _ask(client: httpx.Client, path: str, parameters: dict[str, str]) -> tuple[float, Json]:
    begun = time.perf_counter()
    answer = client.get(path, params=parameters)
    seconds = time.perf_counter() - begun
    assert answer.status_code == 200, answer.text
    return seconds, answer.json()


def _row(what: str, seconds: list[float]) -> Json:
    told = {f"{name} ms": value for name, value in report.milliseconds(seconds).items()}
    return {"what": what, "times": len(seconds), **told}


def _memory(appliance: Running) -> dict[str, str]:
    """Of the process that searches: it alone of worker-high has the file mapped."""
    group = os.getpgid(appliance.pid("worker-high"))
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) != group or ".vectors" not in (folder / "maps").read_text():
                continue
            told = dict(re.findall(r"(\w+): +(\d+) kB", (folder / "smaps_rollup").read_text()))
        except OSError:
            continue
        mb = {name: f"{int(told[name]) / 1000:.0f} MB" for name in ("Rss", "Pss", "Private_Dirty")}
        return {"the searcher's memory": ", ".join(f"{name} {size}" for name, size in mb.items())}
    raise AssertionError("no process of worker-high has the file mapped")
