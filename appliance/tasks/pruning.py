"""Queue `default`: taking out what nobody needs any more."""

from __future__ import annotations

import datetime as dt

from appliance.clock import parse_rfc3339, rfc3339, utc_now
from appliance.queue.run import Run
from appliance.services import pruning
from appliance.stores import dead_letters, deliveries
from appliance.tasks import process

KEPT = dt.timedelta(days=30)
"""How long what is over stays to be looked at."""
PIECE = 500
"""Rows a task: a second at most of the database's time."""

FILES = 100
"""Files a task: each that goes is a transaction."""


@process.task("prune")
async def prune(run: Run, *, before: str | None = None, gone: int = 0) -> dict[str, int]:
    """One piece of what is over and older; as long as there is more, another one follows."""
    db = process.context().db
    moment = parse_rfc3339(before) if before else utc_now() - KEPT
    taken = await dead_letters.prune(db, moment, PIECE)
    if taken < PIECE:
        taken += await deliveries.prune(db, moment, PIECE - taken)
    run.progress(gone + taken, unit="rows")
    if taken == PIECE:
        run.follow("prune", before=rfc3339(moment), gone=gone + taken)
    return {"gone": gone + taken}


@process.task("prune_uploads")
async def prune_uploads(run: Run, *, gone: int = 0) -> dict[str, int]:
    """One piece of what nobody came back for; as long as there is more, another one follows."""
    context, now = process.context(), utc_now()
    taken = [
        await pruning.partial_responses(context, now, PIECE),
        await pruning.uploaded_files(context, now, FILES),
    ]
    gone += sum(taken) + await pruning.broken_off(context)
    run.progress(gone, unit="rows")
    if taken[0] >= PIECE or taken[1] >= FILES:
        run.follow("prune_uploads", gone=gone)
    return {"gone": gone}
