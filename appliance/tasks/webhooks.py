"""Queue `default`: deliveries to webhooks."""

from __future__ import annotations

from typing import Any

import msgspec
from huey.exceptions import RetryTask

from appliance.errors import NotFound
from appliance.queue import registry
from appliance.queue.execution import Permanent
from appliance.queue.run import Run
from appliance.services import webhook_deliveries
from appliance.tasks import process


@registry.task("deliver_webhook")
async def deliver_webhook(run: Run, *, to: str, response_id: str = "", form_id: str = "") -> None:
    """One step of a delivery, whose row in the database is its outbox; it comes again as long as it must."""
    wait = await webhook_deliveries.work(process.context(), run.id, to, response_id)
    if wait is not None:
        raise RetryTask(delay=wait)


@process.task("redeliver_webhook")
async def redeliver_webhook(
    run: Run, *, delivery_id: str, webhook_id: str, form_id: str | None = None
) -> Any:
    """One more attempt at a delivery; what came of it."""
    try:
        done = await webhook_deliveries.send_again(process.context(), run.id, delivery_id, webhook_id)
    except NotFound as fault:
        raise Permanent(fault.detail) from None
    if isinstance(done, float):
        raise RetryTask(delay=done)
    return msgspec.to_builtins(done)
