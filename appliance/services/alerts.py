"""Alerts that are no dead letters."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import Any

from redis.exceptions import RedisError

from appliance.queue.scripts import Job
from appliance.services import webhook_events
from appliance.services.context import Context
from appliance.stores import alerts
from appliance.stores.transactions import Session, together


async def fire(context: Context, alert_id: str, at: dt.datetime, data: dict[str, Any]) -> None:
    """Write the event, and tell the webhooks that hear of alerts, once. Safe to repeat."""
    jobs: list[Job] = []

    async def write(session: Session) -> None:
        jobs.clear()
        if not await alerts.is_known(context.db, session, alert_id):
            await alerts.write(context.db, session, alerts.row(alert_id, at, data))
            jobs.extend(await webhook_events.alert_fired(context, session, alert_id, at, data))

    await together(context.db, write)
    if jobs:
        with contextlib.suppress(RedisError):  # what is not sent now the relay sends
            await context.sender.send(jobs)
