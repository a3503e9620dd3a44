"""Sessions that were ended one by one, by the `jti` of their token; the rest end with their account's
`session_version`. A row goes by itself (a TTL index) when the token has expired anyway.
"""

from __future__ import annotations

import datetime as dt

from appliance.clock import utc_now
from appliance.stores.mongo import Database
from appliance.stores.transactions import Session


async def end(db: Database, session: Session, jti: str, lifetime: dt.timedelta) -> None:
    """Safe to repeat. `lifetime` is that of a token: the row outlives it."""
    row = {"expires_at": utc_now() + lifetime + dt.timedelta(hours=1)}
    await db.ended_sessions.update_one({"_id": jti}, {"$set": row}, upsert=True, session=session)


async def has_ended(db: Database, jti: str) -> bool:
    return await db.ended_sessions.find_one({"_id": jti}) is not None
