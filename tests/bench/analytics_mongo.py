"""The questions asked of MongoDB instead, as aggregations over as many responses as it gets done."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from tests.bench import report
from tests.running import Running

_LONGEST = 120.0
_DAY = {"$dateTrunc": {"date": "$created_at", "unit": "day"}}
_HOUR = {"$dateTrunc": {"date": "$created_at", "unit": "hour"}}
_TIME = {"input": "$meta.completion_time", "p": [0.5, 0.95], "method": "approximate"}
_COUNT = {"n": {"$sum": 1}}

PIPELINES: dict[str, list[dict[str, Any]]] = {
    "simple": [{"$group": {"_id": "$form_id", **_COUNT}}],
    "join": [
        {"$lookup": {"from": "forms", "localField": "form_id", "foreignField": "_id", "as": "form"}},
        {"$lookup": {"from": "ai_results", "localField": "_id", "foreignField": "_id", "as": "ai"}},
        {"$group": {"_id": {"title": "$form.title", "sentiment": "$ai.sentiment"}, **_COUNT}},
    ],
    "window": [
        {"$group": {"_id": {"form": "$form_id", "day": _DAY}, **_COUNT}},
        {
            "$setWindowFields": {
                "partitionBy": "$_id.form",
                "sortBy": {"_id.day": 1},
                "output": {"running": {"$sum": "$n", "window": {"documents": ["unbounded", "current"]}}},
            }
        },
    ],
    "scan": [
        {
            "$group": {
                "_id": None,
                "n": {"$sum": {"$cond": [{"$regexMatch": {"input": "$data.words", "regex": "music"}}, 1, 0]}},
                "mean": {"$avg": "$meta.completion_time"},
            }
        }
    ],
    "daily": [
        {
            "$group": {
                "_id": {"form": "$form_id", "day": _DAY},
                **_COUNT,
                "avg": {"$avg": "$meta.completion_time"},
                "percentiles": {"$percentile": _TIME},
            }
        }
    ],
    "activity": [{"$group": {"_id": _HOUR, **_COUNT}}],
    "statuses": [{"$group": {"_id": {"form": "$form_id", "status": "$status"}, **_COUNT}}],
}


def measure(appliance: Running, form_id: str, rows: int, rounds: int) -> dict[str, float]:
    """Milliseconds by question, the median, over the first so many of the form; what it cannot do or does not
    get done is left out.
    """
    found: dict[str, float] = {}
    with appliance.database() as client:
        responses = client.get_default_database("appliance").responses
        match = {"$match": {"form_id": form_id, "seq": {"$gte": 1, "$lte": rows}}}
        for name, pipeline in PIPELINES.items():
            with contextlib.suppress(PyMongoError):
                times = []
                for _ in range(rounds):
                    begun = time.monotonic()
                    with pymongo.timeout(_LONGEST):
                        list(responses.aggregate([match, *pipeline]))
                    times.append(time.monotonic() - begun)
                found[name] = round(report.quantile(times, 0.5) * 1000, 1)
    return found
