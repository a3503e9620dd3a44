"""From the engine's failed and cancelled tasks to what the database knows of them."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from appliance.queue import scripts, status
from appliance.queue.engine import KEEP, PREFIX
from appliance.queue.redaction import last_line
from appliance.queue.scripts import Job
from appliance.services import task_news, webhook_deliveries, webhook_events
from appliance.services.context import Context
from appliance.stores import dead_letters, deliveries, erasures, outbox
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session

_AT_ONCE = 50


async def settle(context: Context) -> int:
    """Write a dead letter for each task that failed since, settle each that was cancelled; how many.

    A task stays on the engine's list until that is done, so that dying in between does it again.
    """
    redis, done = cast(Any, context.redis), 0
    settled = scripts.script(context.redis, "settled")
    while ids := await redis.lrange(f"{PREFIX}unsettled", 0, _AT_ONCE - 1):
        for raw in ids:
            task_id = raw.decode()
            found = await redis.hgetall(f"{PREFIX}task:{task_id}")
            row = status.text_of(found)
            await _settle(context, task_id, row)
            await settled(args=[task_id, int(KEEP * 1000)])
        done += len(ids)
    return done


async def _settle(context: Context, task_id: str, row: dict[str, str]) -> None:
    """A delivery has a log of its own: how it ended stands there, and a failed one is no dead letter."""
    state = row.get("state")
    if row.get("name") == deliveries.TASK and state == "cancelled":
        await webhook_deliveries.end_untried(
            context, task_id, row["origin"], "cancelled", "its task was cancelled"
        )
    elif row.get("name") == deliveries.TASK and state == "failed":
        why = last_line(row.get("error", ""))
        await webhook_deliveries.end_untried(context, task_id, row["origin"], "failed", why)
    elif state == "failed":
        await _end_erasure(context, task_id, row, last_line(row.get("error", "")))
        await _bury(context, _letter(task_id, row))
    elif state == "cancelled":
        await _end_erasure(context, task_id, row, "its task was cancelled")
        await outbox.settle(context.db, None, task_id, row["origin"], "cancelled")


async def _end_erasure(context: Context, task_id: str, row: dict[str, str], why: str) -> None:
    """Whoever waits for it must be told that it will not come."""
    task = row.get("name", "")
    if task == erasures.FIND:
        await erasures.fail(context.db, task_id, task, why)
    elif task == erasures.ERASE:
        erasure_id = status.arguments_of(row["arguments"]).get("erasure_id", "")
        await erasures.fail(context.db, erasure_id, task, why)


async def _bury(context: Context, letter: Document) -> None:
    """Write the letter, and tell the webhooks that hear of alerts."""
    news = await task_news.failed(context, letter["_id"], letter["origin"])
    jobs: list[Job] = []

    async def tell(session: Session, alert: Document) -> None:
        fired = (alert["_id"], alert["created_at"], alert["data"])
        jobs[:] = await webhook_events.alert_fired(context, session, *fired)
        if news is not None:
            await news.write(session)
            jobs.extend(news.jobs)

    await dead_letters.write(context.db, letter, tell)
    if jobs:
        await context.sender.send(jobs)


def _letter(task_id: str, row: dict[str, str]) -> dict[str, Any]:
    return {
        "_id": task_id,
        "task": row["name"],
        "queue": row["queue"],
        "arguments": status.arguments_of(row["arguments"]),
        "origin": row["origin"],
        "owner": row["owner"] or None,
        "replay": int(row["replay"]),
        "error": row.get("error", ""),
        "attempts": msgspec.json.decode(row.get("history", "[]")),
        "created_at": int(row["created"]),
    }
