"""Events `alert.fired`: `{_id, type, data, state, created_at}` in the outbox.

No task follows from one: whoever delivers alerts looks for those in the state `waiting`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session


def row(alert_id: str, at: dt.datetime, data: dict[str, Any]) -> Document:
    """`data` names its kind as `alert`."""
    return {"_id": alert_id, "type": "alert.fired", "data": data, "state": "waiting", "created_at": at}


async def is_known(db: Database, session: Session, alert_id: str) -> bool:
    return await db.outbox.find_one({"_id": alert_id}, session=session) is not None


async def write(db: Database, session: Session, alert: Document) -> None:
    await db.outbox.insert_one(alert, session=session)
