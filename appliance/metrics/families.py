"""Everything that processes count (`counts`), as Prometheus is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from appliance import errors
from appliance.metrics import counts, requests
from appliance.metrics.counts import DROPPED, Key

REASONS = sorted(
    problem.slug for problem in errors.Problem.__subclasses__() if problem is not errors.MethodNotAllowed
)
LOGINS = ("ok", "failed", "locked")
ATTEMPTS = ("delivered", "refused_status", "blocked", "unreachable", "no_answer", "broken")
BLOCKED = ("address", "private", "plain_http")
MENDED = ("partials", "shares", "reservations")


class Family(NamedTuple):
    told: str
    label: str | None = None
    values: Iterable[str] = ()
    """Those that are told from the start, as 0: an alert sees the first one too."""


FAMILIES: Mapping[str, Family] = {
    "submissions_accepted": Family("Submissions that were stored"),
    "submissions_repeated": Family("Submissions that were stored before, by their key"),
    "submissions_rejected": Family("Submissions that were not stored", "reason", REASONS),
    "logins": Family("Attempts to sign in by a password", "outcome", LOGINS),
    "webhook_attempts": Family("Requests to webhooks", "outcome", ATTEMPTS),
    "egress_blocked": Family("Requests to the outside that were not sent", "reason", BLOCKED),
    "invariants_mended": Family("Numbers that were found not to be so, and mended", "number", MENDED),
    "chore_done": Family("What the scheduler's chores did", "chore"),
    "chore_failures": Family("Turns of the scheduler's chores that failed", "chore"),
    DROPPED[0]: Family("Counts that found no room in their process's file"),
}


class CountsCollector(Collector):
    """Reads the files of all slots at each scrape."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def describe(self) -> Iterator[Metric]:
        yield from _metrics({})

    def collect(self) -> Iterator[Metric]:
        yield from _metrics(counts.read(self._folder))


def _metrics(found: Mapping[Key, list[int]]) -> Iterator[Metric]:
    yield _requests(found)
    yield _times(found)
    for name, family in FAMILIES.items():
        metric = CounterMetricFamily(
            _full(name), family.told, labels=[family.label] if family.label is not None else []
        )
        known: dict[Key, int] = {(value,): 0 for value in family.values} if family.label else {(): 0}
        known |= {key[1:]: cells[0] for key, cells in found.items() if key[0] == name}
        for labels, count in known.items():
            metric.add_metric(labels, count)
        yield metric


def _full(name: str) -> str:
    return "appliance_counts_dropped" if name == DROPPED[0] else f"appliance_{name}"


def _requests(found: Mapping[Key, list[int]]) -> Metric:
    metric = CounterMetricFamily(
        "appliance_http_requests", "Requests that the API answered", labels=["route", "method", "status"]
    )
    for key, cells in found.items():
        if key[0] == requests.TOTAL:
            metric.add_metric(key[1:], cells[0])
    return metric


def _times(found: Mapping[Key, list[int]]) -> Metric:
    metric = HistogramMetricFamily(
        "appliance_http_request_duration_seconds",
        "Until the API's answer began",
        labels=["route", "method"],
    )
    for key, cells in found.items():
        if key[0] == requests.SECONDS:
            total, buckets = 0, []
            for bound, count in zip([*map(str, requests.BOUNDS), "+Inf"], cells, strict=False):
                total += count
                buckets.append((bound, float(total)))
            metric.add_metric(key[1:], buckets, cells[-1] / 1e9)
    return metric
