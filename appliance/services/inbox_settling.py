"""What the scheduler looks after: that the inbox and Alertmanager say the same.

- What is over in Alertmanager is over in the inbox, also when nobody was told since it was quiet; then its
  quiet is lifted and its end told, so that whoever was called by it hears that.
- What was acknowledged stays quiet for as long as it fires: the silence is prolonged, and made again where
  Alertmanager has lost it. One that begins anew is another alert, and loud.
- What is silenced stays so until its time, though it ends and begins anew meanwhile.
- What Alertmanager has and the inbox has not (a database that was restored) comes in.
- A silence of ours that no row asks for ends: who made it has died before the row was written.

Alertmanager forgets alerts when it is started anew, until each is told again: nothing is over before it has
run for `SETTLED`. Where Prometheus was started anew too, as at each start and reload, it tells what goes on
as begun since: that is the same alert, and stays acknowledged. All of it may be done twice.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any, Final

from appliance import alertmanager
from appliance.alertmanager import Alert, World
from appliance.clock import Clock
from appliance.services import inbox as service
from appliance.services.context import Context
from appliance.stores import inbox
from appliance.stores.inbox import Step
from appliance.stores.mongo import Document

SETTLED: Final = dt.timedelta(minutes=2)
"""Prometheus tells what fires each minute, the appliance each half."""
TOLD_ANEW: Final = dt.timedelta(minutes=5)
"""After Alertmanager came up: what has begun by then may have fired before. It takes three evaluations."""
GRACE: Final = dt.timedelta(minutes=1)
"""From a silence to the row that asks for it, and from an alert to the message of it."""
SECONDS: Final = 30.0
"""That Alertmanager has for each answer: for all of 10,000 alerts it takes 3 to 6."""
KEPT: Final = dt.timedelta(days=30)
MOST: Final = 5_000
"""Alerts that are over, which are kept at most."""


async def settle(context: Context, now: Clock) -> int:
    """How much there was to do. Raises Away, PyMongoError."""
    if not context.settings.monitoring:
        return 0
    rows = await inbox.open_rows(context.db)  # first: what it names, Alertmanager has by then
    with alertmanager.within(SECONDS):
        world = await asyncio.to_thread(alertmanager.look, context.settings)
        return await _Round(context, world, now()).settle(rows)


class _Round:
    def __init__(self, context: Context, world: World, now: dt.datetime) -> None:
        self._context, self._now = context, now
        self._silences = {each.id: each for each in world.silences}
        self._alerts = {each.fingerprint: each for each in world.alerts}
        self._up_since = alertmanager.cut(world.up_since)
        self._has_settled = now - world.up_since > SETTLED
        self._go_on: set[str] = set()
        """Fingerprints of what is in the inbox, and still is."""
        self._asked: set[str] = set()
        """Silences that rows ask for."""

    async def settle(self, rows: list[Document]) -> int:
        done = 0
        for row in sorted(rows, key=lambda row: row["number"]):
            done += await self._settle(row)
        done += await self._take_in()
        return done + await self._end_unasked()

    async def _settle(self, row: Document) -> int:
        found = self._alerts.get(row["fingerprint"])
        if row["state"] == "resolved":
            return await self._after_its_end(row, found)
        if found is not None and await self._is_same(row, found):
            self._go_on.add(row["fingerprint"])
        elif found is not None or self._has_settled:
            row = await service.end(self._context, row, self._now)
            return 1 + await self._after_its_end(row, found)
        if row["state"] == "acknowledged":
            return await self._keep_quiet(row, self._now + service.HOLD, service.HOLD / 2)
        if row["state"] == "silenced":
            return await self._hold_silence(row)
        return 0

    # -- what still is

    async def _is_same(self, row: Document, found: Alert) -> bool:
        started = alertmanager.cut(found.startsAt)
        if started in (row["started_at"], row.get("told_as")):
            return True
        if row["started_at"] >= self._up_since or started - self._up_since > TOLD_ANEW:
            return False
        await inbox.change(self._context.db, row["_id"], _unless_over({"told_as": started}), None)
        return True

    async def _keep_quiet(self, row: Document, until: dt.datetime, at_least: dt.timedelta) -> int:
        """Prolong what keeps it so, or make that again."""
        known = self._silences.get(row["silence_id"] or "")
        if known is not None and known.endsAt - self._now >= at_least:
            self._asked.add(known.id)
            return 0
        replaced = (known.id, known.startsAt) if known else (None, None)
        about = row["labels"], until, service.comment(row)
        made = await self._ask(alertmanager.silence, *about, *replaced)
        self._asked.add(made)
        if made != row["silence_id"]:
            await inbox.change(self._context.db, row["_id"], _unless_over({"silence_id": made}), None)
        return 1

    async def _hold_silence(self, row: Document) -> int:
        until = row["silenced"]["until"]
        if until > self._now:
            return await self._keep_quiet(row, until, dt.timedelta())
        loud = {"state": "firing", "silenced": None, "silence_id": None}
        await inbox.change(self._context.db, row["_id"], _unless_over(loud), Step(self._now, "unsilenced"))
        return 1

    # -- what is over

    async def _after_its_end(self, row: Document, found: Alert | None) -> int:
        """Of `row`, which is over; `found` is another one like it, that began since."""
        if row["silence_id"] is None:
            return 0
        is_held = row["silenced"] is not None and row["silenced"]["until"] > self._now
        if is_held and found is None:
            self._asked.add(row["silence_id"])
            return 0
        if is_held and found is not None:
            await service.add(self._context, _silenced_like(row, found))
            self._asked.add(row["silence_id"])
        else:
            if self._silences.pop(row["silence_id"], None):
                await self._ask(alertmanager.end_silence, row["silence_id"])
            if found is None:
                await asyncio.to_thread(alertmanager.post, self._context.settings, [service.over(row)])
        freed: Document = {"silence_id": None, "open": None}
        await inbox.change(self._context.db, row["_id"], lambda _: freed, None)
        return 1

    # -- what the inbox does not know

    async def _take_in(self) -> int:
        """Those that people are told of, or a silence keeps from them: not what another alert stands for."""
        missed = {
            inbox.alert_id(each.fingerprint, alertmanager.cut(each.startsAt)): each
            for each in self._alerts.values()
            if each.labels.get("alertname") != "Watchdog"
            and each.fingerprint not in self._go_on
            and not each.status.inhibitedBy
            and self._now - each.startsAt > GRACE
        }
        known, done = await inbox.known(self._context.db, missed), 0
        for alert_id, each in missed.items():
            row = known.get(alert_id)
            if row is None:
                done += await service.add(self._context, service.row_of(each))
            elif row["state"] == "resolved" and row["ended_at"] < self._now - GRACE:
                await inbox.change(self._context.db, alert_id, _begin_again, Step(self._now, "fired_again"))
                done += 1
        return done

    async def _end_unasked(self) -> int:
        unasked = [
            each
            for each in self._silences.values()
            if each.id not in self._asked and self._now - each.startsAt > GRACE
        ]
        for each in unasked:
            await self._ask(alertmanager.end_silence, each.id)
        return len(unasked)

    async def _ask(self, ask: Any, *given: Any) -> Any:
        return await asyncio.to_thread(ask, self._context.settings, *given)


def _unless_over(fields: Document) -> Any:
    return lambda row: None if row["state"] == "resolved" else fields


def _begin_again(row: Document) -> Document:
    """It was not over: Alertmanager had lost it for a while."""
    return {"state": "firing", "ended_at": None, "acknowledged": None, "open": True}


def _silenced_like(row: Document, found: Alert) -> Document:
    """A new one, kept quiet by what was said of the one before."""
    made = service.row_of(found, "silenced")
    return {**made, "silenced": row["silenced"], "silence_id": row["silence_id"]}


async def prune(context: Context, now: Clock) -> int:
    """Take out what is over for long, and more than is kept; how many."""
    return await inbox.prune(context.db, now() - KEPT, MOST)
