"""Background work that does not go on, and what failed for good."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

from appliance.errors import CannotStart, Problem
from appliance.ops.findings import Fault, Situation, check
from appliance.settings import Settings


class _Seen(NamedTuple):
    paused: list[tuple[str, int]]
    """Queues, and how many tasks wait there."""
    letters: int
    unwanted: int
    """Webhooks whose receivers want no more."""


@check("tasks", "background work goes on, and nothing has failed for good", needs_running=True)
def tasks(situation: Situation) -> Iterator[Fault]:
    """Nothing is told while a server is away: `readiness` does."""
    from pymongo.errors import PyMongoError  # doctor also runs where the drivers cannot be read

    try:
        seen = asyncio.run(_look(situation.settings))
    except (Problem, PyMongoError, CannotStart):
        return
    for queue, depth in seen.paused:
        yield (
            "warning",
            f"the queue {queue} is paused, {depth} wait there",
            f"./scripts/appliance queue resume {queue}",
        )
    if seen.letters:
        yield (
            "warning",
            f"tasks have failed for good: {seen.letters}",
            "./scripts/appliance queue list, then queue retry",
        )
    if seen.unwanted:
        yield (
            "warning",
            f"webhooks whose receivers answered 410 are disabled: {seen.unwanted}",
            "their owners enable or delete them (docs/webhooks.md)",
        )


async def _look(chosen: Settings) -> _Seen:
    from appliance.services import queues
    from appliance.services.context import open_context
    from appliance.stores import dead_letters, webhooks

    context = open_context(chosen)
    try:
        found = (await queues.every(context)).queues
        letters = await dead_letters.count(context.db)
        unwanted = await webhooks.count_unwanted(context.db)
    finally:
        await context.close()
    return _Seen([(queue.name, queue.depth) for queue in found if queue.paused], letters, unwanted)
