"""The application's metrics, on loopback, for Prometheus to scrape."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.registry import Collector

from appliance import addresses, logs
from appliance.addresses import Paths
from appliance.analytics.lake import Lake
from appliance.analytics.lake_metrics import LakeCollector
from appliance.backups.course_metrics import BackupCollector
from appliance.clock import utc_now
from appliance.metrics.families import CountsCollector
from appliance.queue.engine import connect
from appliance.queue.metrics import QueueCollector
from appliance.services import backups
from appliance.settings import Settings
from appliance.stores.ai_counts import AiCollector
from appliance.stores.tallies import TallyCollector
from appliance.tasks.certificate_metrics import CertificateCollector
from appliance.tasks.door_metrics import BuildCollector, NginxCollector
from appliance.tasks.program_metrics import ProgramCollector
from appliance.tasks.secret_metrics import SecretCollector

log = logs.get(__name__)


@contextlib.contextmanager
def exporting(asked: Settings, more: Iterable[Collector] = ()) -> Iterator[None]:
    """While the body runs, with `more` of the caller's. A port that is taken is logged; all else goes on."""
    registry = CollectorRegistry()
    redis = connect(asked)
    registry.register(CountsCollector(Paths(asked.data).counts))
    registry.register(QueueCollector(redis))
    registry.register(TallyCollector(redis))
    registry.register(AiCollector(redis))
    registry.register(LakeCollector(Lake(Paths(asked.data).lake)))
    registry.register(
        BackupCollector(Paths(asked.data).backups, lambda kind: backups.is_missing(asked, kind, utc_now()))
    )
    registry.register(CertificateCollector(asked))
    registry.register(SecretCollector(asked))
    registry.register(NginxCollector(Paths(asked.data).nginx_socket))
    registry.register(ProgramCollector(Paths(asked.data)))
    registry.register(BuildCollector(asked))
    for collector in more:
        registry.register(collector)
    port = addresses.metrics_port(asked)
    try:
        server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as fault:
        log.error("no metrics", extra={"port": port, "error": str(fault)})
        yield
        return
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
