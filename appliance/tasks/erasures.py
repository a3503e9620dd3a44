"""Queue `default`: finding and erasing what is kept of a person."""

from __future__ import annotations

from appliance.queue.run import Run
from appliance.services import erasure_finding, erasure_running, erasures
from appliance.tasks import process


@process.long_task(erasures.FIND)
async def find_subject(run: Run) -> dict[str, int]:
    """Whom the erasure of this task's id asks for; how much there is."""
    return await erasure_finding.work(process.context(), run)


@process.long_task(erasures.ERASE)
async def erase_subject(run: Run, *, erasure_id: str) -> dict[str, int]:
    """What was found and confirmed; how much it was."""
    return await erasure_running.work(process.context(), run, erasure_id)
