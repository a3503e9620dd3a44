"""Cancelling tasks: what waits never begins, what runs is interrupted."""

from __future__ import annotations

from appliance.domain.access import Caller
from appliance.errors import Conflict, Forbidden, Unavailable
from appliance.queue import scripts
from appliance.queue import status as engine
from appliance.services import tasks, webhook_deliveries
from appliance.services.context import Context
from appliance.services.tasks import redis_needed
from appliance.stores import deliveries, outbox, webhooks


async def cancel(context: Context, caller: Caller, task_id: str) -> bool:
    """True when it has ended so; False when it runs: then it was asked to end, and does within seconds.

    Raises NotFound, Forbidden, Conflict for one that has ended otherwise, Unavailable.
    """
    with redis_needed():
        known = await engine.find(context.redis, task_id)
    if known is None:
        stored = await tasks.get(context, caller, task_id)
        if stored.status == "failed":
            raise Conflict("The task has ended already: failed.")
        raise Unavailable("The task is not in its queue again yet; ask again in a moment.", retry_after=10)
    await _allow(context, caller, known)
    with redis_needed():
        answer = await scripts.script(context.redis, "cancel")(args=[task_id])
    state = answer.decode() if answer else None
    if state == "cancelled":
        await _settle(context, known)
        return True
    if state == "running":
        return False
    raise Conflict(f"The task has ended already: {state or 'long ago'}.")


async def _allow(context: Context, caller: Caller, task: engine.Known) -> None:
    """Deliveries belong to whoever made the webhook, whoever may edit the form."""
    await tasks.allow(context, caller, task.owner, task.arguments)
    if task.name == deliveries.TASK and not caller.is_admin:
        webhook = await webhooks.find(context.db, task.arguments.get("to", ""))
        if webhook is not None and webhook["owner"] != caller.user_id:
            raise Forbidden("This is a delivery to somebody else's webhook.")


async def _settle(context: Context, task: engine.Known) -> None:
    """The scheduler does so too, but a Redis that is emptied before must not bring the task back."""
    if task.name == deliveries.TASK:
        why = "its task was cancelled"
        await webhook_deliveries.end_untried(context, task.id, task.origin, "cancelled", why)
    else:
        await outbox.settle(context.db, None, task.id, task.origin, "cancelled")
