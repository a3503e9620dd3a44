"""Queue `default`: whoever wants the analytics brought up to date waits here, while the scheduler does it."""

from __future__ import annotations

from typing import Any

from huey.exceptions import RetryTask

from appliance.clock import utc_now
from appliance.queue.execution import Permanent
from appliance.queue.run import Run
from appliance.stores import lake_runs
from appliance.tasks import process

_TURN = 0.5
"""Seconds before it looks again; a worker is not held meanwhile."""


@process.task("run_analytics")
async def run_analytics(run: Run) -> Any:
    """What the run has come to."""
    db = process.context().db
    await lake_runs.ask(db, run.id, utc_now())
    row = await lake_runs.find(db, run.id)
    if row is None:
        raise Permanent("The run is no longer known.")
    if row["state"] == "failed":
        raise Permanent(row["error"])
    if row["state"] != "completed":
        run.progress(row["done"], row["total"], "responses")
        raise RetryTask(delay=_TURN)
    return row["result"]
