"""`scripts/faults analytics`: the daily summary and the hourly activity say the same, whatever state they are
asked in, and that is what the database says.

Cold, from Redis, without Redis, and while a run takes all responses in anew. What they must say is counted
here from the documents, by loops.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import sys
import time
import zoneinfo
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import bson
import httpx

from appliance.clock import utc_now
from appliance.stores.mongo import AWARE
from tests.bench.analytics_extract import Filled
from tests.faults.steering import stopped, until_whole
from tests.running import Running, running
from tests.runtime.servers import until

DAYS = 45
ZONE = "Europe/Berlin"
_URL = "/api/v1/analytics"
_LONGEST = 1_800.0
_OVER = ("completed", "failed")
_CLOSE = 1e-9

Rows = list[dict[str, Any]]


class Figures(NamedTuple):
    daily: Rows
    activity: Rows


class Summary(NamedTuple):
    responses: int
    answers: dict[str, int]
    """How many there were in each state: `cold`, `cached`, `without redis`, `during a run`."""
    different: dict[str, int]
    """How many of these said something else."""
    seconds: dict[str, float]
    """The longest that one took."""

    @property
    def is_clean(self) -> bool:
        return len(self.answers) == 4 and all(self.answers.values()) and not any(self.different.values())


def compare(appliance: Running, client: httpx.Client, responses: int) -> Summary:
    filled = Filled(appliance, client)
    today = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
    filled.add(responses, today - dt.timedelta(days=DAYS), dt.timedelta(days=DAYS))
    _run(client)
    asking = _Asking(client, filled.forms, _counted(appliance, filled.forms))
    for _ in range(3):
        asking.ask("cold")
        asking.again("cached")
    with stopped(appliance, "redis"):
        for _ in range(3):
            asking.ask("without redis")
    until_whole(appliance)
    _forget(appliance)
    url = client.post(f"{_URL}/run").raise_for_status().json()["status_url"]
    while client.get(url).json()["status"] not in _OVER:
        asking.ask("during a run")
    assert client.get(url).json()["status"] == "completed"
    return Summary(filled.count * len(filled.forms), asking.answers, asking.different, asking.seconds)


def _run(client: httpx.Client) -> None:
    url = client.post(f"{_URL}/run").raise_for_status().json()["status_url"]
    until(lambda: client.get(url).json()["status"] in _OVER, _LONGEST, "the run has ended")
    task = client.get(url).json()
    assert task["status"] == "completed", task


def _forget(appliance: Running) -> None:
    """How far the lake goes: the next run takes all in anew."""
    (appliance.paths.lake / "state.json").unlink()


class _Asking:
    def __init__(self, client: httpx.Client, forms: list[str], expected: Figures) -> None:
        self._client, self._forms, self._expected = client, forms, expected
        self._seconds = itertools.count()
        self._last = ""
        self.answers, self.different = dict[str, int](), dict[str, int]()
        self.seconds = dict[str, float]()

    def ask(self, state: str) -> None:
        """With a beginning that nobody has asked for before, so that Redis does not know it."""
        moment = dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=next(self._seconds))
        self._last = moment.isoformat().replace("+00:00", "Z")
        self._both(state, cached=False)

    def again(self, state: str) -> None:
        self._both(state, cached=True)

    def _both(self, state: str, *, cached: bool) -> None:
        begun = time.monotonic()
        asked = {"from": self._last}
        daily = self._get("daily", asked, cached)
        activity = self._get("activity", asked | {"time_zone": ZONE}, cached)
        took = time.monotonic() - begun
        is_same = _agree(daily, self._expected.daily) and _agree(activity, self._expected.activity)
        self.answers[state] = self.answers.get(state, 0) + 1
        self.different[state] = self.different.get(state, 0) + (not is_same)
        self.seconds[state] = round(max(self.seconds.get(state, 0), took), 3)

    def _get(self, name: str, asked: dict[str, str], cached: bool) -> Rows:
        answer = self._client.get(f"{_URL}/{name}", params=asked).raise_for_status().json()
        assert answer["cached"] is cached, (name, answer["as_of"])
        rows: Rows = answer["rows"]
        return [row for row in rows if row.get("form_id", self._forms[0]) in self._forms]


def _agree(found: Rows, expected: Rows) -> bool:
    return len(found) == len(expected) and all(map(_same, found, expected))


def _same(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    return found.keys() == expected.keys() and all(
        abs(value - expected[name]) <= _CLOSE * abs(value)
        if isinstance(value, float)
        else value == expected[name]
        for name, value in found.items()
    )


def _counted(appliance: Running, forms: list[str]) -> Figures:
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    hours: Counter[dt.datetime] = Counter()
    for row in _documents(appliance, forms):
        moment = row["created_at"]
        times[row["form_id"], f"{moment:%Y-%m-%d}"].append(row["meta"]["completion_time"])
        hours[moment.replace(minute=0, second=0, microsecond=0)] += 1  # each begins one in that zone too
    daily = [
        {
            "form_id": form_id,
            "date": date,
            "total": len(taken),
            "avg": sum(taken) / len(taken),
            "p50": _quantile(taken, 0.5),
            "p95": _quantile(taken, 0.95),
        }
        for (form_id, date), taken in sorted(times.items())
    ]
    zone = zoneinfo.ZoneInfo(ZONE)
    activity = [
        {"hour": hour.astimezone(zone).isoformat(), "responses": count}
        for hour, count in sorted(hours.items())
    ]
    return Figures(daily, activity)


def _documents(appliance: Running, forms: list[str]) -> Iterator[dict[str, Any]]:
    with appliance.database() as client:
        responses = client.get_default_database("appliance").responses
        for form_id in forms:
            for low in itertools.count(1, 1_000):
                query = {"form_id": form_id, "seq": {"$gte": low, "$lt": low + 1_000}}
                batches: list[Any] = list(responses.find_raw_batches(query, batch_size=1_001))
                rows = [row for batch in batches for row in bson.decode_all(batch, AWARE)]
                if not rows:
                    break
                yield from rows


def _quantile(values: list[float], share: float) -> float:
    """Between the two that are nearest, by the way between them."""
    ordered, place = sorted(values), share * (len(values) - 1)
    low = int(place)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (place - low)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/faults analytics", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--responses", type=int, default=500_000)
    chosen = parser.parse_args()
    with running() as appliance, appliance.client(appliance.login()) as client:
        summary = compare(appliance, client, chosen.responses)
    print(json.dumps(summary._asdict(), indent=2))
    return 0 if summary.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
