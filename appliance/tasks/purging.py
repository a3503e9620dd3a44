"""Queue `default`: taking out for good what has been kept for long enough."""

from __future__ import annotations

from appliance.clock import parse_rfc3339, rfc3339, utc_now
from appliance.queue.run import Run
from appliance.services import purging, retention
from appliance.stores import erasures
from appliance.tasks import process


@process.long_task("purge")
async def purge(run: Run, *, moment: str | None = None, after: int = 0, gone: int = 0) -> dict[str, int]:
    """What was due at the moment, of the forms with numbers above `after`, for some seconds; as long as there
    is more, another one follows. What was found of people and never confirmed is let go.
    """
    context = process.context()
    now = parse_rfc3339(moment) if moment else utc_now()
    await erasures.expire(context.db, now)
    done = await retention.work(
        context, now, after, lambda count: run.progress(gone + count, unit="responses")
    )
    await purging.tidy_up(context)
    gone += done.gone
    run.progress(gone, unit="responses")
    if not done.is_over:
        run.follow("purge", moment=rfc3339(now), after=done.after, gone=gone)
    return {"gone": gone}
