"""`appliance audit verify`: does each entry of the audit log follow from the one before?"""

from __future__ import annotations

import asyncio
import json

from pymongo.errors import PyMongoError

from appliance import settings
from appliance.errors import CannotStart
from appliance.stores import audit, mongo


def verify(*, as_json: bool) -> int:
    """0 when the chain is whole, 1 with the first entry that is not. Raises CannotStart."""
    try:
        count, broken = asyncio.run(_verify(settings.load()))
    except PyMongoError as fault:
        raise CannotStart(mongo.told(fault)) from None
    if as_json:
        print(json.dumps({"entries": count, "broken_at": broken}))
        return 0 if broken is None else 1
    if broken is None:
        print(f"the audit log is whole: {count} entries")
        return 0
    print(
        f"the audit log is broken at entry {broken}: it, or one before it, was changed, removed or moved;"
        " next: compare with a backup from before"
    )
    return 1


async def _verify(chosen: settings.Settings) -> tuple[int, int | None]:
    async with mongo.connect(chosen) as client:
        db = mongo.database(client)
        return await audit.count(db), await audit.verify(db)
