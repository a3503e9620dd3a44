"""How old each secret is, for Prometheus; asked of the files at each scrape."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from appliance import secret_ages
from appliance.clock import utc_now
from appliance.settings import Settings


class SecretCollector(Collector):
    def __init__(self, asked: Settings) -> None:
        self._asked = asked

    def describe(self) -> Iterable[Metric]:
        yield _age()

    def collect(self) -> Iterable[Metric]:
        age, now = _age(), utc_now()
        for name, since in secret_ages.collect(self._asked).items():
            age.add_metric([name], max(0.0, (now - since).total_seconds()))
        yield age


def _age() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "appliance_secret_age_seconds", "Since a secret was last replaced.", labels=["name"]
    )
