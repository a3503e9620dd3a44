"""Queue `default`: exports of responses, one at a time on the whole machine."""

from __future__ import annotations

from typing import Any

from huey.exceptions import RetryTask

from appliance.addresses import Paths
from appliance.clock import utc_now
from appliance.errors import Invalid, NotFound
from appliance.queue.execution import Permanent
from appliance.queue.run import Run
from appliance.services import export_running, exports
from appliance.stores import exports as kept
from appliance.tasks import process

_TURN = 2.0
"""Seconds before an export looks again whether the one before it is done."""
_PIECE = 500


@process.long_task(exports.TASK)
async def export_responses(run: Run, *, form_id: str) -> Any:
    """The file that was promised under the task's id; what is told of it."""
    try:
        done = await export_running.work(process.context(), run, form_id)
    except (NotFound, Invalid) as fault:
        raise Permanent(fault.detail) from None
    if done is None:
        raise RetryTask(delay=_TURN)
    return done


@process.task("prune_exports")
async def prune_exports(run: Run, *, gone: int = 0) -> dict[str, int]:
    """Take out downloads that have expired, and what is left of runs that were killed."""
    context = process.context()
    paths = Paths(context.settings.data)
    taken = await kept.prune(context.db, paths.exports, paths.imports, utc_now(), _PIECE)
    if taken == _PIECE:
        run.follow("prune_exports", gone=gone + taken)
    return {"gone": gone + taken}
