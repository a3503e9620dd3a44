"""How tasks ended, for the webhooks of who started them and for the `webhook_url` of their request.

Only tasks that somebody started have a row in the outbox with an owner; of all others nobody hears.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from appliance.clock import rfc3339, utc_now
from appliance.queue import status as engine
from appliance.queue.run import Run
from appliance.queue.scripts import Job
from appliance.services import tasks, webhook_events
from appliance.services.context import Context
from appliance.services.task_shapes import Task
from appliance.stores import outbox
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session

_UNTOLD = frozenset({"redeliver_webhook"})
"""Tasks about the telling itself."""


@dataclass(slots=True)
class News:
    """What is to be written in the transaction of the end, and then to be sent."""

    context: Context
    promise: Document
    task: Task
    jobs: list[Job] = field(default_factory=list)

    async def write(self, session: Session) -> None:
        """Safe to run twice."""
        told = msgspec.to_builtins(self.task)
        self.jobs = await webhook_events.task_ended(
            self.context,
            session,
            self.promise["owner"],
            told,
            utc_now(),
            form_id=self.task.form_id,
            webhook_url=self.promise.get("webhook_url"),
        )


async def completed(context: Context, run: Run, result: Any) -> News | None:
    """Of a task that is done, before the engine knows. None when nobody is to hear of it."""
    news = None if run.claim.origin else await _news(context, run.id, "task.completed")
    if news is not None:
        news.task.status, news.task.result, news.task.error = "completed", result, None
        news.task.finished_at = rfc3339(utc_now())
    return news


async def failed(context: Context, task_id: str, origin: str) -> News | None:
    """Of a task that the engine has given up."""
    return None if origin else await _news(context, task_id, "task.failed")


async def _news(context: Context, task_id: str, event_type: str) -> News | None:
    promise = await outbox.find(context.db, task_id)
    if promise is None or not promise.get("owner") or promise["task"] in _UNTOLD:
        return None
    form_id = promise["arguments"].get("form_id")
    subscribed = await context.subscriptions.of_user(event_type, promise["owner"], form_id)
    if not subscribed and promise.get("webhook_url") is None:
        return None
    known = await engine.find(context.redis, task_id)  # unless it was emptied while the task ran
    return News(context, promise, tasks.shape(known) if known else tasks.promised(promise))
