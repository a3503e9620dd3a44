"""What Prometheus is told of the certificate that HTTPS is served with."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from appliance.addresses import Paths
from appliance.services import certificates
from appliance.settings import Settings
from appliance.tls import record, sources


class CertificateCollector(Collector):
    """Reads small files at each scrape."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def describe(self) -> Iterator[Metric]:
        yield _expiry(0.0)
        yield _lifetime(0.0)
        yield _failing(is_failing=False)

    def collect(self) -> Iterator[Metric]:
        paths = Paths(self._settings.data)
        served = sources.read(paths)
        if served is not None:
            yield _expiry(served.pair.ends.timestamp())
            yield _lifetime(served.pair.lifetime.total_seconds())
        state = certificates.find_state(self._settings)
        yield _failing(is_failing=bool(record.find(paths) or (state and state.fault)))


def _expiry(at: float) -> Metric:
    return GaugeMetricFamily(
        "appliance_tls_certificate_expiry_timestamp_seconds",
        "When the certificate that HTTPS is served with expires",
        value=at,
    )


def _lifetime(seconds: float) -> Metric:
    return GaugeMetricFamily(
        "appliance_tls_certificate_lifetime_seconds",
        "From its begin to its end",
        value=seconds,
    )


def _failing(*, is_failing: bool) -> Metric:
    return GaugeMetricFamily(
        "appliance_tls_certificate_renewal_failing",
        "1 while a newer certificate cannot be taken up, or none is got from the ACME service",
        value=float(is_failing),
    )
