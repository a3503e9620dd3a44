"""What nginx tells of itself, and which build this is.

nginx counts connections, and all requests together. How it answered those that never reach the API (static
files, what its short cache has, refusals) is in its log; `nginx_answers` counts there what matters.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from appliance import __version__, nginx_status
from appliance.nginx_status import NginxStatus
from appliance.settings import Settings

_SECONDS: Final = 2.0
_GAUGES: Final = ("active", "reading", "writing", "waiting")


class NginxCollector(Collector):
    """Asks at each scrape, by nginx's inner socket. Names are those of its makers' exporter."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def describe(self) -> Iterator[Metric]:
        yield _up(0)
        yield from _metrics(NginxStatus(*[0] * 7))

    def collect(self) -> Iterator[Metric]:
        found = nginx_status.find(self._path, _SECONDS)
        yield _up(int(found is not None))
        if found is not None:
            yield from _metrics(found)


class BuildCollector(Collector):
    def __init__(self, settings: Settings) -> None:
        self._database = "embedded" if settings.mongodb_uri is None else "own"

    def describe(self) -> Iterator[Metric]:
        yield _build("")

    def collect(self) -> Iterator[Metric]:
        yield _build(self._database)


def _up(value: int) -> Metric:
    return GaugeMetricFamily("nginx_up", "1 when nginx answered", value=value)


def _metrics(found: NginxStatus) -> Iterator[Metric]:
    for name in _GAUGES:
        told = f"Connections: {name}"
        yield GaugeMetricFamily(f"nginx_connections_{name}", told, value=getattr(found, name))
    for name, value in (("connections_accepted", found.accepted), ("connections_handled", found.handled)):
        yield CounterMetricFamily(f"nginx_{name}", "Since nginx was started", value=value)
    yield CounterMetricFamily("nginx_http_requests", "All requests, the API's too", value=found.requests)


def _build(database: str) -> Metric:
    metric = GaugeMetricFamily("appliance_build_info", "Always 1", labels=["version", "python", "database"])
    metric.add_metric([__version__, platform.python_version(), database], 1)
    return metric
