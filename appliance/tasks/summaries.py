"""Queue `high`: what lists show of a form."""

from __future__ import annotations

from appliance.queue.registry import task
from appliance.services.context import Context
from appliance.services.form_states import summary_key
from appliance.stores import outbox, summaries
from appliance.tasks import process


@task("refresh_summary")
async def refresh_summary(task_id: str, *, form_id: str, response_id: str, seq: int) -> None:
    """Bring the form's summary up to response number `seq`, then mark the event done."""
    context: Context = process.context()
    async with context.generations.changing(summary_key(form_id)):
        await summaries.refresh(context.db, form_id, seq)
    await outbox.finish(context.db, response_id, task_id)
