"""A chore of the scheduler: a certificate of ACME is renewed in time, and one that is refused is logged."""

from __future__ import annotations

from appliance import logs
from appliance.addresses import Paths
from appliance.clock import Clock
from appliance.services import certificates
from appliance.services.context import Context
from appliance.tls import record

log = logs.get(__name__)


class Certificates:
    def __init__(self) -> None:
        self._told: str | None = None

    async def __call__(self, context: Context, now: Clock) -> int:
        """How many certificates were obtained."""
        fault = record.find(Paths(context.settings.data))
        if fault and fault != self._told:
            log.error("a certificate is not taken up", extra={"error": fault})
        self._told = fault
        return await certificates.renew_if_due(context.settings, now)
