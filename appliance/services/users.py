"""What admins and the operator do with accounts. `actor` is the admin's id, None for the operator."""

from __future__ import annotations

import msgspec

from appliance.errors import Conflict, Stale
from appliance.services import passwords
from appliance.services.account_shapes import ChangeUser, CreatedUser, CreateUser, User, Users
from appliance.services.accounts import fields, shape
from appliance.services.context import Context
from appliance.services.repeats import once
from appliance.services.rereading import again
from appliance.stores import api_keys, audit, idempotency, pages, users
from appliance.stores.audit import Entry
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session, together

_TOLD = {"email", "roles", "status"}
"""Fields whose change the audit log names; an address itself is not for the log."""


async def create(
    context: Context, actor: str | None, wanted: CreateUser, key: idempotency.Key | None
) -> tuple[CreatedUser, bool]:
    """The account, and whether it is the repeated answer. Raises Invalid; Conflict for a taken name."""
    name = wanted.username.lower()
    password_hash = None
    if wanted.password is not None:
        passwords.check(wanted.password, name, "/password")
        password_hash = await context.passwords.hash(wanted.password)
    more = {"email": wanted.email} if wanted.email else {}
    user = users.new(name, sorted(set(wanted.roles)), password_hash, **more)
    if password_hash is None:
        _, user["reset"] = passwords.reset_of(context, user["_id"])

    async def write(session: Session) -> CreatedUser:
        return CreatedUser(**fields(await users.insert(context.db, session, user, actor)))

    taken = "There is an account of this name."
    made, replayed = await once(context, key, CreatedUser, write, taken)
    if made.status == "invited":
        made.reset_token, _ = passwords.reset_of(context, made.user_id)
    return made, replayed


async def newest(context: Context, words: str | None, cursor: str | None, limit: int) -> Users:
    scope = f"users\0{words}"
    high = context.cursors.read(scope, cursor) if cursor else None
    page = await users.newest(context.db, words, high, limit)
    return Users([shape(row) for row in page.rows], next_cursor(context, scope, page))


def next_cursor(context: Context, scope: str, page: pages.Page) -> str | None:
    return None if page.next_number is None else context.cursors.sign(scope, page.next_number)


async def get(context: Context, user_id: str) -> tuple[User, int]:
    """The account and its revision. Raises NotFound."""
    user = await users.get(context.db, user_id)
    return shape(user), user["rev"]


@again
async def change(
    context: Context, actor: str | None, user_id: str, wanted: ChangeUser, if_match: int | None = None
) -> tuple[User, int]:
    """Change what is given. A disabled account's sessions and keys end for good.

    Raises NotFound, Stale, Conflict for the last active admin.
    """

    async def write(session: Session) -> Document:
        user = await users.get(context.db, user_id, session)
        if if_match is not None and user["rev"] != if_match:
            raise Stale("The account was changed since you read it; read it again.")
        if user.get("erased_at") is not None:
            raise Conflict("The account was erased; make another one.")
        changes = _changes(user, wanted)
        if not changes:
            return user
        if _is_admin(user) and not _is_admin({**user, **changes}):
            await users.keep_an_admin(context.db, session, user_id)
        if changes.get("status") == "disabled":
            await api_keys.delete_of(context.db, session, user_id)
        done = await users.change(context.db, session, user, changes)
        await audit.record(context.db, session, _deed(actor, user, changes))
        return done

    async with context.generations.changing(users.key(user_id)):
        done = await together(context.db, write)
    return shape(done), done["rev"]


async def issue_reset(context: Context, actor: str | None, username: str) -> tuple[User, str]:
    """A one-time token to set a new password with; an earlier one is worth nothing any more.

    The password that was stays until it is used. Raises NotFound, Conflict for a disabled account.
    """
    found = await users.get_by_name(context.db, username)
    if found["status"] == "disabled":
        raise Conflict("The account is disabled; enable it first.")
    token, kept = passwords.new_reset(found["_id"])

    async def write(session: Session) -> Document:
        user = await users.get(context.db, found["_id"], session)
        done = await users.change(context.db, session, user, {"reset": kept})
        await audit.record(context.db, session, Entry(actor, "user.reset_issued", user["_id"], {}))
        return done

    async with context.generations.changing(users.key(found["_id"])):
        return shape(await together(context.db, write)), token


def _changes(user: Document, wanted: ChangeUser) -> Document:
    """What is to be written. Raises Conflict for an invited account that is to be active."""
    changes: Document = {}
    if wanted.email is not msgspec.UNSET and wanted.email != user.get("email"):
        changes["email"] = wanted.email
    if wanted.roles is not msgspec.UNSET and set(wanted.roles) != set(user["roles"]):
        changes["roles"] = sorted(set(wanted.roles))
    if wanted.status is not msgspec.UNSET and wanted.status != user["status"]:
        changes |= _status_changes(user, wanted.status)
    return changes


def _status_changes(user: Document, status: str) -> Document:
    if status == "disabled":
        ended = {"session_version": user["session_version"] + 1, "spared": None, "reset": None}
        return {"status": status, **ended}
    if user["status"] == "invited":
        raise Conflict("An invited account becomes active when its password is set by its token.")
    return {"status": "active" if user["password_hash"] else "invited"}


def _is_admin(user: Document) -> bool:
    return user["status"] == "active" and "admin" in user["roles"]


def _deed(actor: str | None, user: Document, changes: Document) -> Entry:
    action = "user.disabled" if changes.get("status") == "disabled" else "user.changed"
    details: Document = {name: changes[name] for name in ("roles", "status") if name in changes}
    details["fields"] = sorted(changes.keys() & _TOLD)
    return Entry(actor, action, user["_id"], details)
