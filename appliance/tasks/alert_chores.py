"""The scheduler's part in alerts: it tells what is wrong inside, and keeps the inbox as Alertmanager is."""

from __future__ import annotations

import datetime as dt

from appliance import alertmanager, logs
from appliance.clock import Clock
from appliance.services import inbox_settling, own_causes
from appliance.services.context import Context

PRUNE: dt.timedelta = dt.timedelta(hours=1)
TELL = 3
"""Failures, one after the other, from one line in the log to the next."""

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
    """A chore: that it fails once is no news, while Alertmanager starts; that it goes on failing is."""

    def __init__(self) -> None:
        self._pruned: dt.datetime | None = None
        self._failures = 0

    async def __call__(self, context: Context, now: Clock) -> int:
        moment = now()
        if self._pruned is None or abs(moment - self._pruned) >= PRUNE:
            await inbox_settling.prune(context, now)
            self._pruned = moment
        try:
            done = await inbox_settling.settle(context, now)
        except alertmanager.Away as fault:
            self._failures += 1
            if self._failures % TELL == 0:
                about = {"times": self._failures, "error": str(fault)}
                log.warning("the inbox of alerts is not held to Alertmanager", extra=about)
            return 0
        self._failures = 0
        return done
