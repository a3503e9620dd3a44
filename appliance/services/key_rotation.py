"""What has to follow when a key is replaced: what it has sealed (secrets of webhooks, and whom erasures ask
for that wait) is sealed anew, keys that are spent go.

Contract: may be broken off at any line and done again; old and new keys open meanwhile, and the old one goes
only when a whole look has found nothing under it.
"""

from __future__ import annotations

import datetime as dt

from appliance.clock import Clock
from appliance.security import key_files
from appliance.security.sealing import Broken
from appliance.security.signatures import KEPT
from appliance.services import erasures
from appliance.services.context import Context
from appliance.stores import erasures as stored_erasures
from appliance.stores import webhooks

UNDER_WAY = dt.timedelta(seconds=60)
"""So long after the new key's first use whoever sealed with the old one has surely written it, or failed."""


async def settle(context: Context, now: Clock) -> int:
    """How much was done: secrets that were sealed anew, keys that went."""
    done = await reseal(context)
    if not done:
        done += key_files.take_out(context.sealer.keys.path, now() - UNDER_WAY)
    return done + key_files.take_out(context.cursors.keys.path, now() - KEPT)


async def reseal(context: Context) -> int:
    """How many secrets were sealed anew by the key of now. One that does not open is left."""
    if len(context.sealer.keys.all()) == 1:
        return 0
    count = 0
    for row in await webhooks.sealed(context.db):
        for name in webhooks.SEALED:
            before = row.get(name)
            if before is not None and (after := _anew(context, row["_id"], before)) is not None:
                count += await webhooks.replace_sealed(context.db, row["_id"], name, before, after)
    for row in await stored_erasures.sealed(context.db):
        before = row["subject"]
        if (after := _anew(context, erasures.sealed_as(row["_id"]), before)) is not None:
            count += await stored_erasures.replace_sealed(context.db, row["_id"], before, after)
    return count


def _anew(context: Context, name: str, before: bytes) -> bytes | None:
    """None for what need not, or cannot be."""
    if context.sealer.is_current(name, before):
        return None
    try:
        return context.sealer.seal(name, context.sealer.open(name, before))
    except Broken:
        return None
