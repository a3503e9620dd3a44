"""How often each program was started again, for Prometheus; read of the guardian's book at each scrape."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from appliance.addresses import Paths
from appliance.stores import programs


class ProgramCollector(Collector):
    """The label is node-exporter's, so that alerts by its numbers and by ours agree in it."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def describe(self) -> Iterable[Metric]:
        yield _restarts()

    def collect(self) -> Iterable[Metric]:
        restarts = _restarts()
        for name, count in programs.restarts(self._paths).items():
            restarts.add_metric([name], count)
        yield restarts


def _restarts() -> CounterMetricFamily:
    return CounterMetricFamily(
        "appliance_program_restarts", "Starts after an end that nobody asked for.", labels=["name"]
    )
