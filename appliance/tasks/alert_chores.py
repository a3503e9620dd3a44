"""The scheduler's part in alerts: it tells what is wrong inside, and keeps the inbox as Alertmanager is."""

from __future__ import annotations

import datetime as dt

from appliance import alertmanager, logs
from appliance.clock import Clock
from appliance.services import inbox_settling, own_causes
from appliance.services.context import Context

PRUNE: dt.timedelta = dt.timedelta(hours=1)

log = logs.get(__name__)


class Tell:
    """A chore: what Alertmanager does not take now it is told again."""

    def __init__(self) -> None:
        self._telling = own_causes.Telling()

    async def __call__(self, context: Context, now: Clock) -> int:
        try:
            await self._telling(context, now)
        except alertmanager.Away as fault:
            log.warning("alerts wait", extra={"error": str(fault)})
        return 0  # what goes on is no news


class Settle:
    """A chore."""

    def __init__(self) -> None:
        self._pruned: dt.datetime | None = None

    async def __call__(self, context: Context, now: Clock) -> int:
        moment = now()
        if self._pruned is None or abs(moment - self._pruned) >= PRUNE:
            await inbox_settling.prune(context, now)
            self._pruned = moment
        return await inbox_settling.settle(context, now)
