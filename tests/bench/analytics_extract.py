"""From MongoDB into the lake: the product's runs, in turn with a client that only reads the same rows raw."""

from __future__ import annotations

import datetime as dt
import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import bson
import httpx
import pyarrow as pa
import pymongo

from appliance import processes
from appliance.analytics import days, engine, rows
from appliance.analytics.lake import Lake
from appliance.clock import new_id, rfc3339, utc_now
from appliance.domain.answer import check_answers
from appliance.domain.form import compile_definition
from appliance.stores.mongo import NAIVE, Document
from tests.bench import fill, report
from tests.running import Running
from tests.runtime.servers import until

FORMS = 5
DAYS = 30
SHARE = 0.8
"""Of the rate at which the server gives out raw batches."""
FROM_MEMORY = 150_000
"""Responses a second, from raw BSON in memory to Parquet."""
DAY_SECONDS = 2.0
_RAW = 100_000
"""Rows that are read raw, each time."""
_KINDS = 1_000
_PIECE = 2_000
_WINDOW = 1_000
_LONGEST = 3_600.0

Json = dict[str, Any]


class Filled:
    """Forms with many responses, written straight into the store."""

    def __init__(self, appliance: Running, client: httpx.Client) -> None:
        self._appliance = appliance
        self.forms = [fill.publish(client) for _ in range(FORMS)]
        self.count = 0
        """Of each form."""
        form, chance = compile_definition(fill.DEFINITION), random.Random(7)
        self._kinds = [check_answers(form, fill.answers(chance), utc_now()) for _ in range(_KINDS)]

    def add(self, count: int, start: dt.datetime, length: dt.timedelta) -> float:
        """So many more, evenly over that time. Seconds that it took."""
        each, begun = count // FORMS, time.monotonic()
        with self._appliance.database() as client:
            db = client.get_default_database("appliance")
            into = db.get_collection("responses", write_concern=pymongo.WriteConcern(w=1, j=False))
            for form_id in self.forms:
                for first in range(0, each, _PIECE):
                    piece = range(first, min(first + _PIECE, each))
                    into.insert_many(self._row(form_id, at, start + length * at / each) for at in piece)
                seq = self.count + each
                counted = {"seq": seq, "taken": seq, "unlaked": True}
                db.form_counters.update_one({"_id": form_id}, {"$set": counted})
        self.count += each
        return time.monotonic() - begun

    def _row(self, form_id: str, at: int, moment: dt.datetime) -> Document:
        """As the product writes it, but for the index terms, which no run reads."""
        return {
            "_id": new_id(), "form_id": form_id, "seq": self.count + at + 1, "form_version": 1,
            "submitter": None, "status": "accepted", "revision": 1, "tags": [],
            "data": self._kinds[at % _KINDS],
            "meta": {"started_at": rfc3339(moment), "completion_time": at % 300 + 0.5, "language": "en"},
            "kv": [], "events": [], "task_ids": [], "created_at": moment, "updated_at": moment,
        }  # fmt: skip

    def raw(self, most: int) -> tuple[list[bytes], float]:
        """Up to so many rows as the server sends them, and rows a second."""
        begun = time.monotonic()
        found: list[Any] = []  # the driver's types say that they are decoded
        with self._appliance.database() as client:
            responses = client.get_default_database("appliance").responses
            for form_id in self.forms:
                for low in range(1, min(self.count, most // FORMS) + 1, _WINDOW):
                    query = {"form_id": form_id, "seq": {"$gte": low, "$lt": low + _WINDOW}}
                    found += list(responses.find_raw_batches(query, batch_size=_WINDOW + 1))
        seconds = time.monotonic() - begun
        count = sum(len(bson.decode_all(batch)) for batch in found)
        return found, count / seconds


def measure(appliance: Running, client: httpx.Client, responses: int, day: int, rounds: int) -> Json:
    about, filled = report.machine(), Filled(appliance, client)
    today = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
    took = filled.add(responses, today - dt.timedelta(days=DAYS), dt.timedelta(days=DAYS))
    raw, rates, peaks = [filled.raw(_RAW)[1]], [], []
    for _ in range(rounds):
        shutil.rmtree(appliance.paths.lake, ignore_errors=True)
        rate, peak = _run(appliance, client, filled.count * FORMS)
        rates.append(rate)
        peaks.append(peak)
        batches, read = filled.raw(_RAW)
        raw.append(read)
    memory = _from_memory(batches)
    filled.add(day, today, utc_now() - today)
    seconds = day / _run(appliance, client, day)[0]
    bare, rate = report.quantile(raw, 0.5), report.quantile(rates, 0.5)
    size = sum(path.stat().st_size for path in appliance.paths.lake.rglob("*.parquet"))
    return {
        "machine": about,
        "notes": {
            "filled": f"{filled.count * FORMS:,} responses of {FORMS} forms over {DAYS} days in {took:.0f} s",
            "lake": f"{size / 1e6:.0f} MB",
            "rounds": rounds,
        },
        "rows": [
            {"what": "raw batches from the server", "responses/s": round(bare), "of raw": 1, "MB more": ""},
            {
                "what": "a run, from the server to the lake",
                "responses/s": round(rate),
                "of raw": round(rate / bare, 2),
                "MB more": round(max(peaks)),
            },
            {
                "what": "raw BSON in memory to parts in Parquet, by CPU",
                "responses/s": round(memory[0]),
                "of raw": "",
                "MB more": "",
            },
            {
                "what": "raw BSON in memory to days in Parquet, by CPU",
                "responses/s": round(memory[1]),
                "of raw": "",
                "MB more": "",
            },
            {
                "what": f"a day of {day:,} more",
                "responses/s": round(day / seconds),
                "of raw": "",
                "MB more": "",
            },
        ],
        "aims": [
            _aim(f"a run: ≥ {SHARE}× of raw batches", rate / bare, SHARE, "×"),
            _aim(f"from memory: ≥ {FROM_MEMORY:,}/s", memory[1], FROM_MEMORY, "/s"),
            _aim(f"a day of {day:,}: ≤ {DAY_SECONDS:g} s", -seconds, -DAY_SECONDS, " s"),
        ],
    }


def _aim(aim: str, found: float, least: float, unit: str) -> Json:
    return {"aim": aim, "measured": f"{abs(found):,.2f}{unit}", "pass": found >= least}


def _run(appliance: Running, client: httpx.Client, expected: int) -> tuple[float, float]:
    """Responses a second, and megabytes that the scheduler took beyond what it had."""
    pid = appliance.pid("scheduler")
    before = _memory(pid, "VmRSS")
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # its peak begins anew
    url = client.post("/api/v1/analytics/run").raise_for_status().json()["status_url"]
    until(lambda: client.get(url).json()["status"] in ("completed", "failed"), _LONGEST, "the run has ended")
    task = client.get(url).json()
    assert task["status"] == "completed" and task["result"]["responses"] >= expected, task
    return expected / task["result"]["seconds"], _memory(pid, "VmHWM") - before


def _memory(pid: int, name: str) -> float:
    """Megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def _from_memory(batches: list[bytes]) -> tuple[float, float]:
    """Responses a second of CPU until they are put aside by day, and until their days are there too. As a run
    does it, without the server.
    """
    processes.spare_the_collector()
    with tempfile.TemporaryDirectory() as folder:
        lake, parts, held, count = Lake(Path(folder)), list[days.Spill](), list[pa.Table](), 0
        begun = time.process_time()
        for place, batch in enumerate(batches):
            documents: list[Document] = bson.decode_all(batch, NAIVE)
            held.append(rows.table(documents))
            count += held[-1].num_rows
            if len(held) >= 50 or place == len(batches) - 1:
                parts.append(days.spilled(Path(folder), held, len(parts)))
                held = []
        aside = time.process_time() - begun
        with engine.opened(Path(folder)) as connection:
            for day in days.touched(lake, parts):
                days.write(connection, lake, day, parts, {})
        return count / aside, count / (time.process_time() - begun)
