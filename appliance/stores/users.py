"""Accounts."""

from __future__ import annotations

from typing import Any

from pymongo.errors import DuplicateKeyError

from appliance.clock import new_id, utc_now
from appliance.stores.mongo import Database, Document


async def find_by_name(db: Database, username: str) -> Document | None:
    """Usernames ignore case; they are kept in lower case."""
    return await db.users.find_one({"username": username.lower()})


async def find(db: Database, user_id: str) -> Document | None:
    return await db.users.find_one({"_id": user_id})


async def ensure(db: Database, username: str, password_hash: str, roles: list[str]) -> bool:
    """Create the account unless the name exists; True when it was created now. Safe for several at once."""
    now = utc_now()
    row: dict[str, Any] = {
        "_id": new_id(),
        "username": username.lower(),
        "password_hash": password_hash,
        "roles": roles,
        "status": "active",
        "session_version": 1,
        "created_at": now,
        "last_login_at": None,
    }
    try:
        await db.users.insert_one(row)
    except DuplicateKeyError:
        return False
    return True


async def note_login(db: Database, user_id: str) -> None:
    await db.users.update_one({"_id": user_id}, {"$set": {"last_login_at": utc_now()}})
