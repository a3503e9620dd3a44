"""What nobody came back for: half-filled responses after their days, files that no response names."""

from __future__ import annotations

import asyncio
import datetime as dt

from appliance import logs
from appliance.services.context import Context
from appliance.services.uploads import area
from appliance.stores import files, partials, storage

BROKEN_OFF = 3600.0
"""Seconds after which work on a file that is not settled was broken off for certain."""
_FOLLOWED_UP = dt.timedelta(hours=3), dt.timedelta(hours=1)

log = logs.get(__name__)


async def partial_responses(context: Context, now: dt.datetime, limit: int) -> int:
    """End and forget what is due, `limit` of each at most; how many."""
    db = context.db
    start, stop = (now - age for age in _FOLLOWED_UP)
    await partials.follow_up(db, start, stop)
    await storage.recount_partials(db)
    await storage.recount_shares(db, now, limit)
    return await partials.expire(db, now, limit) + await partials.forget(db, now, limit)


async def uploaded_files(context: Context, now: dt.datetime, limit: int) -> int:
    """Sort out and remove what is due, `limit` of each at most; how many."""
    place = area(context)
    gone = await files.forgotten(context.db, now, limit)
    for row in gone:
        await asyncio.to_thread(place.mark, row["_id"])
        await files.remove(context.db, row)
        await asyncio.to_thread(place.settle, row["_id"], has_row=False)
    return len(gone) + await files.sort_out(context.db, now, limit)


async def broken_off(context: Context, older_than: float = BROKEN_OFF) -> int:
    """Settle uploads and removals whose process died midway; how many."""
    place = area(context)
    found = await asyncio.to_thread(lambda: list(place.broken_off(older_than)))
    for file_id in found:
        has_row = await files.exists(context.db, file_id)
        await asyncio.to_thread(place.settle, file_id, has_row=has_row)
    return len(found)
