"""Queue `default`: taking out for good what has been kept for long enough."""

from __future__ import annotations

from appliance import logs
from appliance.addresses import Paths
from appliance.clock import parse_rfc3339, rfc3339, utc_now
from appliance.queue.run import Run
from appliance.services import clock_leaps, purging, retention
from appliance.stores import erasures
from appliance.tasks import process

log = logs.get(__name__)


@process.long_task("purge")
async def purge(run: Run, *, moment: str | None = None, after: int = 0, gone: int = 0) -> dict[str, int]:
    """What was due at the moment, of the forms with numbers above `after`, for some seconds; as long as there
    is more, another one follows. What was found of people and never confirmed is let go. While the clock may
    be wrong, all of it waits for another night.
    """
    context, now = process.context(), utc_now()
    if (leapt := clock_leaps.find_waiting(Paths(context.settings.data), now)) is not None:
        before = rfc3339(leapt.before) if leapt.before else None
        log.warning("put off, since the clock has leapt", extra={"before": before, "now": rfc3339(now)})
        await purging.tidy_up(context)
        return {"gone": gone}
    if moment is not None:
        now = min(now, parse_rfc3339(moment))  # what was begun by a clock that was ahead ends by this one
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
