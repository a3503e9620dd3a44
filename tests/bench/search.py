"""`scripts/bench search`: search by meaning over 100,000 responses: the file alone, without an appliance and
without a model; then all of it (`search_http`).

Vectors are drawn around 200 directions, as answers gather around what they are about. The exact answer comes
from a product and a full sort over the same vectors in memory.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from appliance.ai.engine import Vectors
from appliance.ai.vector_file import DIMENSIONS, Entry
from appliance.ai.vector_writer import Writer
from appliance.ai.vectors import Hit, Index
from tests.bench import report, search_http

RESPONSES: Final = 100_000
P95_MS: Final = 100
_FORMS: Final = 20
_QUERIES: Final = 200
_GROUP: Final = 1_000
_BEGIN: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

Json = dict[str, Any]


def run() -> Json:
    about, file, http = report.machine(), _file(), search_http.run()
    return {
        "machine": about,
        "notes": file["notes"] | http["notes"],
        "rows": file["rows"] + http["rows"],
        "aims": file["aims"] + http["aims"],
    }


def _file() -> Json:
    chance = np.random.default_rng(7)
    middles = chance.standard_normal((200, DIMENSIONS))
    vectors = _near(middles[chance.integers(0, 200, RESPONSES)], chance)
    queries = _near(middles[chance.integers(0, 200, _QUERIES)], chance)
    with tempfile.TemporaryDirectory() as folder, Writer(Path(folder) / "vectors") as writer:
        written = _seconds(lambda at: writer.put(_entries(vectors, at)), range(0, RESPONSES, _GROUP))
        opened = _seconds(lambda _: Index(writer.index.path), range(5))
        before = _memory_mb()
        index = Index(writer.index.path)
        found: list[list[Hit]] = []
        used = time.process_time()
        plain = _seconds(lambda at: found.append(index.search(queries[at])), range(_QUERIES))
        used = (time.process_time() - used) / _QUERIES
        memory = _memory_mb() - before
        since = _BEGIN + dt.timedelta(minutes=RESPONSES // 2)
        filtered = _seconds(
            lambda at: index.search(queries[at], form_id=f"form-{at % _FORMS}", since=since), range(_QUERIES)
        )
        deleted = _seconds(lambda at: writer.delete([_name(at)]), range(50))
        compacted = _seconds(lambda _: writer.compact(), range(1))
        size = writer.index.path.stat().st_size / 1e6
    recall = _recall(vectors, queries, found)
    slow = report.quantile(plain, 0.95) * 1000
    return {
        "notes": {
            "file": f"{size:.0f} MB",
            "of a reader's memory": f"{memory:.0f} MB more, the file's pages among them",
            "CPU of a search": f"{used * 1000:.1f} ms",
        },
        "rows": [
            _row(f"{_GROUP:,} put, with fsync", written),
            _row("the file opened", opened),
            _row("search among all", plain),
            _row("search in one form, half the time", filtered),
            _row("one deleted, with fsync", deleted),
            _row("compacted", compacted),
        ],
        "aims": [
            {
                "aim": f"{RESPONSES:,} responses: p95 < {P95_MS} ms",
                "measured": f"{slow:.1f} ms",
                "pass": slow < P95_MS,
            },
            {"aim": "recall@10 = 1", "measured": f"{recall:.4f}", "pass": recall == 1},
        ],
    }


def _near(middles: Any, chance: np.random.Generator) -> Vectors:
    made = middles + chance.standard_normal(middles.shape)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), dtype=np.float32)


def _name(at: int) -> str:
    return f"0198a5d2-0000-7000-8000-{at:012d}"


def _entries(vectors: Vectors, begin: int) -> list[Entry]:
    return [
        Entry(_name(at), f"form-{at % _FORMS}", _BEGIN + dt.timedelta(minutes=at), 1, vectors[at])
        for at in range(begin, begin + _GROUP)
    ]


def _recall(vectors: Vectors, queries: Vectors, found: list[list[Hit]]) -> float:
    right = 0
    for query, hits in zip(queries, found, strict=True):
        nearest = np.argsort(-(vectors @ query), kind="stable")[:10]
        right += len({_name(int(at)) for at in nearest} & {hit.response_id for hit in hits})
    return right / (10 * len(queries))


def _seconds(work: Callable[[int], object], turns: range) -> list[float]:
    found = []
    for turn in turns:
        begun = time.perf_counter()
        work(turn)
        found.append(time.perf_counter() - begun)
    return found


def _memory_mb() -> float:
    status = Path(f"/proc/{os.getpid()}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1000


def _row(what: str, seconds: list[float]) -> Json:
    return {
        "what": what,
        "times": len(seconds),
        **{f"{name} ms": value for name, value in report.milliseconds(seconds).items()},
    }
