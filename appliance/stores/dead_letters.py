"""Tasks that failed for good: `{_id, task, queue, arguments, error, attempts, created_at, failed_at}`.

`attempts` are `{started, ended, worker, error}` with times in milliseconds since 1970, the oldest first.
"""

from __future__ import annotations

from appliance.clock import utc_now
from appliance.stores.mongo import Database, Document


async def write(db: Database, row: Document) -> None:
    """Keep it, with the event that tells of it. Safe to repeat: the first one stays."""
    now = utc_now()
    alert: Document = {
        "type": "alert.fired",
        "data": {"alert": "dead_letter", "task_id": row["_id"], "task": row["task"], "error": row["error"]},
        "state": "pending",
        "created_at": now,
    }
    fields = {name: value for name, value in row.items() if name != "_id"} | {"failed_at": now}
    await db.outbox.update_one({"_id": f"dead-letter:{row['_id']}"}, {"$setOnInsert": alert}, upsert=True)
    await db.dead_letters.update_one({"_id": row["_id"]}, {"$setOnInsert": fields}, upsert=True)
