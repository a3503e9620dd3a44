"""What Prometheus is told of backups and drills: what the book says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from appliance.backups import book
from appliance.backups.book import Book, Course, Kind


class BackupCollector(Collector):
    """Reads a file at each scrape. Of a success nothing is told before the first one."""

    def __init__(self, backups: Path, is_missing: Callable[[Kind], bool]) -> None:
        """`is_missing`: whether two of its times have passed without one that went well."""
        self._backups, self._is_missing = backups, is_missing

    def describe(self) -> Iterator[Metric]:
        yield from _metrics(Book(), is_complete=True)
        yield from _missing(lambda _: False)

    def collect(self) -> Iterator[Metric]:
        yield from _metrics(book.read(self._backups), is_complete=False)
        yield from _missing(self._is_missing)


def _metrics(found: Book, *, is_complete: bool) -> Iterator[Metric]:
    made, drilled = found.backup, found.drill
    yield _gauge("failures", "Backups that failed since the last one that was made", made.failures)
    yield _gauge("drill_failures", "Drills that failed since the last one that went well", drilled.failures)
    if made.succeeded_at or is_complete:
        told = "When the last backup that was made was begun"
        yield _gauge("last_success_timestamp_seconds", told, _moment(made))
        yield _gauge("size_bytes", "Its size", made.bytes)
        yield _gauge("seconds", "How long it took", made.seconds)
    if drilled.succeeded_at or is_complete:
        told = "When the last drill that went well was begun"
        yield _gauge("drill_last_success_timestamp_seconds", told, _moment(drilled))
        yield _gauge("drill_seconds", "How long it took", drilled.seconds)


def _missing(is_missing: Callable[[Kind], bool]) -> Iterator[Metric]:
    told = "1 while two times of BACKUP_CRON have passed without a backup that was made"
    yield _gauge("missing", told, is_missing("backup"))
    told = "1 while two times of BACKUP_DRILL_CRON have passed without a drill that went well"
    yield _gauge("drill_missing", told, is_missing("drill"))


def _moment(course: Course) -> float:
    return course.succeeded_at.timestamp() if course.succeeded_at else 0.0


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(f"appliance_backup_{name}", told, value=value)
