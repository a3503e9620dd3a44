"""Work that a caller is promised and that a worker does: every 202."""

from __future__ import annotations

from typing import Any

import msgspec

from appliance.clock import new_id
from appliance.domain.access import Caller
from appliance.queue.run import Run
from appliance.queue.scripts import Job
from appliance.services import task_news
from appliance.services.context import Context
from appliance.stores import outbox
from appliance.stores.transactions import Session


class Accepted(msgspec.Struct, kw_only=True):
    """What a 202 answers. The status is known from now until an hour after the end."""

    task_id: str
    status_url: str


async def promise(
    context: Context,
    session: Session | None,
    caller: Caller,
    task: str,
    arguments: dict[str, Any],
    *,
    webhook_url: str | None = None,
) -> Job:
    """Write the task down, in the transaction of its cause if there is one; then `begin` it.

    `webhook_url` is told of its end; who takes one from a request calls `webhooks.check_url` first.
    """
    job = Job(new_id(), task, arguments, owner=caller.user_id)
    await outbox.promise(context.db, session, job, webhook_url=webhook_url)
    return job


def begin(context: Context, job: Job) -> Accepted:
    """Send what was promised; what does not get through the relay sends."""
    context.sender.offer([job])
    return accepted(job)


def accepted(job: Job) -> Accepted:
    return Accepted(task_id=job.id, status_url=f"/api/v1/tasks/{job.id}")


async def complete(context: Context, run: Run, result: Any) -> None:
    """The effects of the task are there: its event is done and what follows is promised. Safe to repeat."""
    news = await task_news.completed(context, run, result)
    await outbox.finish(context.db, run.id, run.claim.origin, run.follows, news.write if news else None)
    if jobs := [*run.follows, *(news.jobs if news else ())]:
        await context.sender.send(jobs)
