"""What the scheduler looks at for Prometheus: what we depend on, the database's own numbers, dead letters.

A chore asks, and a scrape tells what it found: so a scrape waits for nobody. What was not looked at for a
minute, since the asking itself hangs, is told as being down.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pymongo.errors
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from appliance.addresses import Paths
from appliance.clock import Clock
from appliance.services import readiness
from appliance.services.context import Context
from appliance.stores import dead_letters

DEPENDENCIES = ("mongodb", "redis", "disk")
_FRESH = 60.0
"""Seconds that a look counts."""
_SELDOM = 30.0
"""Seconds between two counts of dead letters: they cost the embedded server 12 ms a thousand."""
_SELDOMER = 300.0
"""Between two looks at sizes."""
_SECONDS = 4.0
"""That the database has for its numbers."""

Status = Mapping[str, Any]


class Watch(Collector):
    """A chore of the scheduler and what Prometheus reads of it."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._looked = self._counted = self._sized = float("-inf")
        self._found: Mapping[str, readiness.Dependency] = {}
        self._status: Status | None = None
        self._sizes: Status | None = None
        self._folder: int | None = None
        self._letters: int | None = None

    async def __call__(self, context: Context, now: Clock) -> int:
        """Raises PyMongoError, once what can be told is noted."""
        self._found = (await readiness.check(context)).dependencies
        self._looked = self._monotonic()
        self._status = None
        if self._found["mongodb"].status == "down":
            return 0
        with pymongo.timeout(_SECONDS):
            self._status = await _ask(context, "serverStatus")
            await self._count(context)
            await self._measure(context)
        return 0

    async def _count(self, context: Context) -> None:
        if self._monotonic() - self._counted >= _SELDOM:
            self._letters = await dead_letters.count(context.db)
            self._counted = self._monotonic()

    async def _measure(self, context: Context) -> None:
        """SecantusDB walks over all rows to say how many there are: of it, the folder is measured."""
        if self._monotonic() - self._sized < _SELDOMER:
            return
        if context.settings.mongodb_uri is None:
            self._folder = _bytes_below(Paths(context.settings.data).mongo)
        if self._status is not None and "secantus" not in self._status:
            self._sizes = await _ask(context, "dbStats")
        self._sized = self._monotonic()

    def describe(self) -> Iterator[Metric]:
        yield from _dependencies({})
        yield _letters(0)
        yield _folder(0)
        yield from _server(_EXAMPLE)
        yield from _database(_SIZES)

    def collect(self) -> Iterator[Metric]:
        is_fresh = self._monotonic() - self._looked < _FRESH
        yield from _dependencies(self._found if is_fresh else {})
        if self._letters is not None:
            yield _letters(self._letters)
        if self._folder is not None:
            yield _folder(self._folder)
        if self._status is not None and is_fresh:
            yield from _server(self._status)
        if self._sizes is not None:
            yield from _database(self._sizes)


async def _ask(context: Context, command: str) -> Status | None:
    """None where we may not ask: that takes the role clusterMonitor."""
    try:
        return await context.db.forms.database.command(command)
    except pymongo.errors.OperationFailure:
        return None


def _bytes_below(folder: Path) -> int:
    """That its files take on the disk. Those that go meanwhile do not count."""
    found = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                found += (Path(base) / name).lstat().st_blocks * 512
            except OSError:
                continue
    return found


def _dependencies(found: Mapping[str, readiness.Dependency]) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "appliance_dependency_up", "1 when it answered the last look", labels=["dependency"]
    )
    seconds = GaugeMetricFamily(
        "appliance_dependency_latency_seconds", "How long its answer took", labels=["dependency"]
    )
    for name in DEPENDENCIES:
        one = found.get(name)
        up.add_metric([name], float(one is not None and one.status == "up"))
        if one is not None and one.latency is not None:
            seconds.add_metric([name], one.latency)
    yield from (up, seconds)


def _letters(count: int) -> Metric:
    return GaugeMetricFamily("appliance_dead_letters", "Tasks that failed for good and wait", value=count)


def _folder(size: int) -> Metric:
    told = "What the embedded database takes on the disk"
    return GaugeMetricFamily("appliance_database_disk_bytes", told, value=size)


def _server(status: Status) -> Iterator[Metric]:
    """As Percona's exporter calls them. What a server does not tell is left out."""
    if "connections" in status:
        gauge = GaugeMetricFamily("mongodb_ss_connections", "Connections", labels=["conn_type"])
        for kind in ("current", "available", "totalCreated"):
            if kind in status["connections"]:
                gauge.add_metric([kind], float(status["connections"][kind]))
        yield gauge
    if "opcounters" in status:
        counter = CounterMetricFamily(
            "mongodb_ss_opcounters", "Operations since its start", labels=["legacy_op_type"]
        )
        for kind in ("insert", "query", "update", "delete", "getmore", "command"):
            counter.add_metric([kind], float(status["opcounters"].get(kind, 0)))
        yield counter
    if "mem" in status:
        told = "Its memory, in MiB"
        yield GaugeMetricFamily("mongodb_ss_mem_resident", told, value=float(status["mem"]["resident"]))
    if "opLatencies" in status:
        yield from _latencies(status["opLatencies"])


def _latencies(told: Status) -> Iterator[Metric]:
    for field, name, about in (
        ("latency", "mongodb_ss_opLatencies_latency", "Microseconds that its operations took"),
        ("ops", "mongodb_ss_opLatencies_ops", "Operations of which it tells how long they took"),
    ):
        counter = CounterMetricFamily(name, about, labels=["op_type"])
        for kind in ("reads", "writes", "commands"):
            counter.add_metric([kind], float(told[kind][field]))
        yield counter


def _database(sizes: Status) -> Iterator[Metric]:
    for field in _SIZES:
        told = f"{field} of the database, as dbStats has it"
        yield GaugeMetricFamily(f"mongodb_dbstats_{field}", told, value=float(sizes[field]))


_SIZES: Status = {"dataSize": 0, "storageSize": 0, "indexSize": 0, "objects": 0}
_EXAMPLE: Status = {
    "connections": {"current": 0},
    "opcounters": {},
    "mem": {"resident": 0},
    "opLatencies": {kind: {"latency": 0, "ops": 0} for kind in ("reads", "writes", "commands")},
}
"""All that a server may tell."""
