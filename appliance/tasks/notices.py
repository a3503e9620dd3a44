"""Queue `default`: e-mail about responses."""

from __future__ import annotations

from appliance.queue.registry import task
from appliance.services import notices
from appliance.stores import outbox
from appliance.tasks import process


@task("notify_watchers")
async def notify_watchers(task_id: str, *, form_id: str, response_id: str, to: str) -> None:
    """Tell one of the form's watchers of a response, then mark the event done."""
    context = process.context()
    await notices.send(context, form_id, response_id, to, task_id)
    await outbox.finish(context.db, response_id, task_id)
