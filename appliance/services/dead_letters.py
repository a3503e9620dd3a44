"""From the engine's failed tasks to dead letters in the database."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from appliance.queue.engine import KEEP, PREFIX
from appliance.services.context import Context
from appliance.stores import dead_letters, outbox

_AT_ONCE = 50


async def bury(context: Context) -> int:
    """Write a dead letter for each task that failed since; how many.

    A task stays on the engine's list until its letter is written, so that dying in between writes it again.
    """
    redis = cast(Any, context.redis)
    ids = [each.decode() for each in await redis.lrange(f"{PREFIX}dying", 0, _AT_ONCE - 1)]
    for task_id in ids:
        row = {name.decode(): value.decode() for name, value in (await redis.hgetall(_key(task_id))).items()}
        if row:
            await _write(context, task_id, row)
            await redis.pexpire(_key(task_id), int(KEEP * 1000))
        await redis.lrem(f"{PREFIX}dying", 1, task_id)
    return len(ids)


async def _write(context: Context, task_id: str, row: dict[str, str]) -> None:
    arguments: dict[str, Any] = msgspec.json.decode(row["arguments"])
    letter = {
        "_id": task_id,
        "task": row["name"],
        "queue": row["queue"],
        "arguments": arguments,
        "error": row.get("error", ""),
        "attempts": msgspec.json.decode(row.get("history", "[]")),
        "created_at": int(row["created"]),
    }
    await dead_letters.write(context.db, letter)
    if response_id := arguments.get("response_id"):
        await outbox.give_up(context.db, response_id, task_id)


def _key(task_id: str) -> str:
    return f"{PREFIX}task:{task_id}"
