"""Accounts.

`number` orders them for lists, `rev` counts the changes that an admin or the user made. A token is good when
its `sv` is the account's `session_version`, or its `jti` is the one that the last password change `spared`.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from pymongo.errors import DuplicateKeyError

from appliance.clock import new_id, utc_now
from appliance.errors import Conflict, NotFound
from appliance.stores import audit, pages
from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Overtaken, Session, changed, last_number, next_number, together

_NUMBER = "users"
_ADMINS = "admins"
_SECRETS: Document = {"password_hash": 0, "reset": 0}


def key(user_id: str) -> str:
    """The name of an account, with its sessions and keys, among the generations."""
    return f"user:{user_id}"


async def find_by_name(db: Database, username: str) -> Document | None:
    """Usernames ignore case; they are kept in lower case."""
    return await db.users.find_one({"username": username.lower()})


async def get_by_name(db: Database, username: str) -> Document:
    """Raises NotFound."""
    user = await find_by_name(db, username)
    if user is None:
        raise NotFound("There is no such user.")
    return user


async def find(db: Database, user_id: str) -> Document | None:
    return await db.users.find_one({"_id": user_id})


async def get(db: Database, user_id: str, session: Session | None = None) -> Document:
    """Raises NotFound."""
    user = await db.users.find_one({"_id": user_id}, session=session)
    if user is None:
        raise NotFound("There is no such user.")
    return user


def new(username: str, roles: list[str], password_hash: str | None, **more: Any) -> Document:
    """An account as it is stored; without a password it is an invited one."""
    return {
        "_id": new_id(),
        "username": username.lower(),
        "password_hash": password_hash,
        "roles": roles,
        "status": "invited" if password_hash is None else "active",
        "session_version": 1,
        "spared": None,
        "reset": None,
        "rev": 1,
        "created_at": utc_now(),
        "last_login_at": None,
        **more,
    }


async def insert(db: Database, session: Session, user: Document, actor: str | None) -> Document:
    """The account as stored. Raises DuplicateKeyError for a name that is taken."""
    number = await next_number(db, session, _NUMBER)
    stored = {**user, "number": number}
    await db.users.insert_one(stored, session=session)
    # No name: entries cannot be changed, and an account may have to be erased.
    details = {"roles": user["roles"]}
    await audit.record(db, session, audit.Entry(actor, "user.created", user["_id"], details))
    return stored


async def ensure_first(db: Database, username: str, password_hash: str, roles: list[str]) -> bool:
    """Create the account where there was never any; True when that was done now. Safe for several at once."""
    user = new(username, roles, password_hash)

    async def write(session: Session) -> bool:
        if await was_any(db, session):
            return False
        await insert(db, session, user, None)
        return True

    try:
        return await together(db, write)
    except DuplicateKeyError:
        return False


async def was_any(db: Database, session: Session | None = None) -> bool:
    """Whether there ever was an account: the number that each takes stays when it is erased."""
    row = await db.form_counters.find_one({"_id": _NUMBER}, session=session)
    return row is not None or await db.users.find_one({}, {"_id": 1}, session=session) is not None


async def ensure(db: Database, username: str, password_hash: str, roles: list[str]) -> bool:
    """Create the account unless the name exists; True when it was created now. Safe for several at once."""
    user = new(username, roles, password_hash)
    try:
        await together(db, lambda session: insert(db, session, user, None))
    except DuplicateKeyError:
        return False
    return True


async def change(db: Database, session: Session, user: Document, fields: Document) -> Document:
    """Write `fields` over the account as it was read. Raises Overtaken when it was changed since."""
    query = {"_id": user["_id"], "rev": user["rev"]}
    done = await changed(db.users, query, {"$set": {**fields, "rev": user["rev"] + 1}}, session)
    if done is None:
        raise Overtaken("The account was changed since you read it; read it again.")
    return done


async def erase(db: Database, user_id: str, actor: str | None, *, even_last: bool = False) -> None:
    """Of the account its id stays, for what it did is written under that. Nobody can sign in by it, its keys
    and webhooks are gone. Safe to repeat. Raises Conflict for the last active admin, unless `even_last`.
    """

    async def write(session: Session) -> None:
        user = await db.users.find_one({"_id": user_id}, session=session)
        if user is None or user.get("erased_at") is not None:
            return
        if not even_last:
            await check_erasable(db, session, user_id)
        change = {
            "username": f"erased-{user_id}",
            "password_hash": None,
            "roles": ["viewer"],
            "status": "disabled",
            "session_version": user["session_version"] + 1,
            "spared": None,
            "reset": None,
            "last_login_at": None,
            "rev": user["rev"] + 1,
            "erased_at": utc_now(),
        }
        await db.users.update_one(
            {"_id": user_id}, {"$set": change, "$unset": {"email": ""}}, session=session
        )
        await db.api_keys.delete_many({"user_id": user_id}, session=session)
        await db.webhooks.delete_many({"owner": user_id}, session=session)
        await audit.record(db, session, audit.Entry(actor, "user.erased", user_id, {}))

    await together(db, write)


async def check_erasable(db: Database, session: Session, user_id: str) -> None:
    """Raises Conflict for the last active admin."""
    user = await db.users.find_one({"_id": user_id}, session=session)
    if user is not None and "admin" in user["roles"] and user["status"] == "active":
        await keep_an_admin(db, session, user_id)


async def was_erased(db: Database) -> bool:
    """Whether any account was."""
    return await db.users.find_one({"erased_at": {"$exists": True}}, {"_id": 1}) is not None


async def has_admin(db: Database) -> bool:
    """An active one."""
    admins = await db.users.find({"roles": "admin"}, {"status": 1}).to_list()
    return any(admin["status"] == "active" for admin in admins)


async def note_login(db: Database, session: Session, user_id: str, at: dt.datetime) -> None:
    await db.users.update_one({"_id": user_id}, {"$set": {"last_login_at": at}}, session=session)


async def keep_an_admin(db: Database, session: Session, user_id: str) -> None:
    """Call before `user_id` ceases to be an active admin. Raises Conflict when there is no other.

    Two that do so at once meet on one document, so that the second one counts what the first one left.
    """
    await db.form_counters.update_one({"_id": _ADMINS}, {"$inc": {"number": 1}}, upsert=True, session=session)
    admins = await db.users.find({"roles": "admin"}, {"status": 1}, session=session).to_list()
    if not any(admin["status"] == "active" and admin["_id"] != user_id for admin in admins):
        raise Conflict("This is the last active admin; make another one first.")


async def newest(db: Database, words: str | None, high: int | None, limit: int) -> pages.Page:
    """A page of accounts, newest first; `words` is part of the username or the address."""
    if high is None:
        high = await last_number(db, _NUMBER)
    part = {"$regex": re.escape(words or ""), "$options": "i"}
    query: Document = {"$or": [{"username": part}, {"email": part}]} if words else {}
    return await pages.newest_first(db.users, {}, query, "number", pages.Span(1, high), limit, hide=_SECRETS)
