"""The scheduler's part of search by meaning: it sends the task that embeds when there is something to embed.

What is to be done stands in the database (`stores.embedded`), so the task needs no row of its own: one that
is lost is sent again. There is one at a time, and none while AI is off.
"""

from __future__ import annotations

import time
from typing import Any

from appliance import llama_install
from appliance.clock import Clock, new_id
from appliance.queue import status
from appliance.queue.scripts import Job
from appliance.services import vector_place
from appliance.services.context import Context
from appliance.stores import ai_counts, embedded

TASK = "embed_responses"
_KEY = "appliance:ai:embedding"
"""In Redis: the id of the last task."""
_COUNT = 10.0
"""Seconds between two counts of what is pending."""
_REST = 30.0
"""Seconds after which it is tried again where the models could not be used …"""
_LONG_REST = 600.0
"""… and where the task has failed."""


class Embedding:
    """A chore of the scheduler."""

    def __init__(self) -> None:
        self._counted = float("-inf")

    async def __call__(self, context: Context, now: Clock) -> int:
        """Always 0: nobody needs a line of log every two seconds."""
        if not llama_install.is_ready():
            return 0
        place = vector_place.find(context.settings)
        if place is not None and await _has_work(context, place) and await _may_begin(context, now):
            await _send(context)
        if time.monotonic() - self._counted > _COUNT:
            self._counted = time.monotonic()
            await ai_counts.set_pending(context.redis, await embedded.pending_of_all(context.db))
        return 0


async def _has_work(context: Context, place: vector_place.Place) -> bool:
    noted = await embedded.find_file(context.db)
    if noted is not None and not place.holds(noted):
        return True
    return await embedded.has_work(context.db)  # the first that has work begins the file


async def _may_begin(context: Context, now: Clock) -> bool:
    """The last task is over, and if it could not work, for a while."""
    last: Any = await context.redis.get(_KEY)
    known = await status.find(context.redis, last.decode()) if last else None
    if known is None:
        return True
    if not known.is_over:
        return False
    rest = _LONG_REST if known.state == "failed" else _REST if "fault" in (known.result or {}) else 0.0
    return now().timestamp() - (known.finished or 0) / 1000 >= rest


async def _send(context: Context) -> None:
    job = Job(new_id(), TASK, {})
    await context.redis.set(_KEY, job.id)
    await context.sender.send([job])
