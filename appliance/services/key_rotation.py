"""What has to follow when a key is replaced: secrets of webhooks are sealed anew, keys that are spent go.

Contract: may be broken off at any line and done again; old and new keys open meanwhile, and the old one goes
only when a whole look has found nothing under it.
"""

from __future__ import annotations

import datetime as dt

from appliance.clock import Clock
from appliance.security import key_files
from appliance.security.sealing import Broken
from appliance.security.signatures import KEPT
from appliance.services.context import Context
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
    """How many secrets of webhooks were sealed anew by the key of now. One that does not open is left."""
    if len(context.sealer.keys.all()) == 1:
        return 0
    count = 0
    for row in await webhooks.sealed(context.db):
        for name in webhooks.SEALED:
            before = row.get(name)
            if before is None or context.sealer.is_current(row["_id"], before):
                continue
            try:
                secret = context.sealer.open(row["_id"], before)
            except Broken:
                continue
            after = context.sealer.seal(row["_id"], secret)
            count += await webhooks.replace_sealed(context.db, row["_id"], name, before, after)
    return count
