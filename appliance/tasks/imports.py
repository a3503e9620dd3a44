"""Queue `default`: imports of responses, one at a time on the whole machine."""

from __future__ import annotations

from typing import Any

from huey.exceptions import RetryTask

from appliance.errors import Invalid, NotFound
from appliance.queue.execution import Permanent
from appliance.queue.run import Run
from appliance.services import import_running, response_imports
from appliance.tasks import process

_TURN = 2.0
"""Seconds before an import looks again whether the one before it is done."""


@process.long_task(response_imports.TASK)
async def import_responses(run: Run, *, form_id: str) -> Any:
    """Submit the lines of the file that came with the promise; how many were accepted and refused."""
    try:
        done = await import_running.work(process.context(), run)
    except (NotFound, Invalid) as fault:
        raise Permanent(fault.detail) from None
    if done is None:
        raise RetryTask(delay=_TURN)
    return done
