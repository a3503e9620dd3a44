"""What Prometheus is told of the lake: what its last run has left in its folder, and when one was due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from appliance.analytics.lake import Lake

_GAUGES = {
    "due_timestamp_seconds": "The last time that ANALYTICS_CRON named",
    "as_of_timestamp_seconds": "What was submitted before this moment is in the lake",
    "drift_responses": "Responses that are not in the lake as the database has them, by the last run",
    "run_seconds": "How long the last run took",
    "run_responses": "Responses that were new to the last run or had changed",
    "run_days": "Days that the last run wrote anew",
}


class LakeCollector(Collector):
    """Reads two files at each scrape; tells nothing of a run before the first one."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def describe(self) -> Iterator[Metric]:
        yield from _metrics(dict.fromkeys(_GAUGES, 0.0))

    def collect(self) -> Iterator[Metric]:
        try:
            due = self._lake.due()
            told = self._lake.last_run()
        except (OSError, ValueError, KeyError, TypeError):
            return
        yield from _metrics(told if due is None else {**told, "due_timestamp_seconds": due})


def _metrics(numbers: Mapping[str, float]) -> Iterator[Metric]:
    for name, told in _GAUGES.items():
        if name in numbers:
            yield GaugeMetricFamily(f"appliance_lake_{name}", told, value=numbers[name])
