"""What people do with their own account: sign in and out, passwords."""

from __future__ import annotations

import datetime as dt
import math

from appliance import addresses, logs
from appliance.addresses import Paths
from appliance.clock import rfc3339, utc_now
from appliance.domain.access import Caller
from appliance.errors import Conflict, Forbidden, Stale, Unauthenticated
from appliance.metrics import counts
from appliance.services import passwords
from appliance.services.account_shapes import ChangePassword, Credentials, ResetPassword, Session, User
from appliance.services.context import Context
from appliance.settings import Settings
from appliance.stores import audit, sessions, transactions, users
from appliance.stores.audit import Entry
from appliance.stores.buckets import Backoff, Bucket
from appliance.stores.limits import Verdict
from appliance.stores.mongo import Document

ADMIN = "admin"
WINDOW = 60.0
"""Seconds that `limit_logins` is counted in."""
_ACCOUNTS = 4
"""As many accounts may sign in from one address at full rate."""
BACKOFF = Backoff(free=5, first=15, longest=900, forget=1800)

log = logs.get(__name__)


async def ensure_admin(context: Context, settings: Settings) -> bool:
    """Create the first account, with the password in secrets/admin_password; True when that was done now.

    Only where there was never any: one that was erased must not come back by the next start.
    """
    if await users.was_any(context.db):
        return False
    password = addresses.read_line(Paths(settings.data).admin_password)
    return await users.ensure_first(context.db, ADMIN, context.passwords.hash_here(password), ["admin"])


async def login_verdict(context: Context, username: str, origin: str) -> Verdict:
    """May this be tried now? Unknown names are counted as known ones are."""
    limit = context.settings.limit_logins
    wait = await context.limits.blocked(_failures(username, origin))
    if wait > 0:
        verdict = Verdict(False, limit, 0, math.ceil(wait))
    else:
        account = Bucket(f"login:{username.lower()}", limit, WINDOW)
        verdict = await context.limits.take_each(
            [account, Bucket(f"login-from:{origin}", limit * _ACCOUNTS, WINDOW)]
        )
    if not verdict.allowed:
        counts.add("logins", "locked")
    return verdict


async def login(context: Context, credentials: Credentials, origin: str) -> Session:
    """Raises Unauthenticated, the same for an unknown name, a wrong password and a disabled account."""
    user = await users.find_by_name(context.db, credentials.username)
    right = await context.passwords.verify(user["password_hash"] if user else None, credentials.password)
    failures = _failures(credentials.username, origin)
    if user is None or not right or user["status"] != "active":
        log.info("login refused", extra={"username": credentials.username, "origin": origin})
        counts.add("logins", "failed")
        await context.limits.fail(failures, BACKOFF)
        raise Unauthenticated("The username or the password is wrong.")
    await context.limits.clear(failures)
    user_id, at = user["_id"], utc_now()

    async def write(session: transactions.Session) -> None:
        await users.note_login(context.db, session, user_id, at)
        await audit.record(context.db, session, Entry(user_id, "user.signed_in", user_id, {"from": origin}))

    if not context.space.is_short():  # a full disk must not keep the operator out
        await transactions.together(context.db, write)
    token = context.tokens.issue(user_id, user["roles"], user["session_version"])
    counts.add("logins", "ok")
    return Session(token=token, expires_in=context.tokens.lifetime, user=shape(user))


async def logout(context: Context, caller: Caller) -> None:
    """This session ends; others go on."""
    user_id, lifetime = caller.user_id, dt.timedelta(seconds=context.tokens.lifetime)

    async def write(session: transactions.Session) -> None:
        await sessions.end(context.db, session, caller.credential, lifetime)
        await audit.record(context.db, session, Entry(user_id, "user.signed_out", user_id, {}))

    async with context.generations.changing(users.key(user_id)):
        await transactions.together(context.db, write)


async def me(context: Context, caller: Caller) -> User:
    return shape(await users.get(context.db, caller.user_id))


async def change_password(context: Context, caller: Caller, wanted: ChangePassword) -> User:
    """All other sessions end. Raises Forbidden for a wrong current password, Invalid for a bad new one."""
    user = await users.get(context.db, caller.user_id)
    if not await context.passwords.verify(user["password_hash"], wanted.current_password):
        raise Forbidden("The current password is wrong.")
    passwords.check(wanted.new_password, user["username"], "/new_password")
    fields = {**await _renewed(context, user, wanted.new_password), "spared": caller.credential}
    return await _write(
        context, user, fields, Entry(caller.user_id, "user.password_changed", user["_id"], {})
    )


async def password_verdict(context: Context, caller: Caller) -> Verdict:
    """A stolen session must not be a way to guess the password."""
    return await context.limits.take(f"password:{caller.user_id}", context.settings.limit_logins, WINDOW)


def forgot() -> Conflict:
    """The same for every name: it is not to tell which ones there are."""
    return Conflict(
        "This appliance sends no e-mail yet. Ask its operator for a token to set a new password with"
        " (`appliance user reset NAME`), then use it with POST /auth/reset."
    )


async def reset_verdict(context: Context, origin: str) -> Verdict:
    return await context.limits.take(
        f"reset-from:{origin}", context.settings.limit_logins * _ACCOUNTS, WINDOW
    )


async def reset_password(context: Context, wanted: ResetPassword) -> User:
    """Set a password by a one-time token; all sessions end. Raises Forbidden, Invalid."""
    user = await users.find(context.db, passwords.reset_user(wanted.token))
    if user is None or not passwords.is_good(wanted.token, user):
        raise passwords.refused()
    passwords.check(wanted.new_password, user["username"], "/new_password")
    fields = {**await _renewed(context, user, wanted.new_password), "spared": None, "status": "active"}
    try:
        return await _write(context, user, fields, Entry(user["_id"], "user.password_reset", user["_id"], {}))
    except Conflict:  # of two that use it at once, one was first
        raise passwords.refused() from None


async def _renewed(context: Context, user: Document, password: str) -> Document:
    """What a new password changes. A reset token that is still out is worth nothing any more."""
    return {
        "password_hash": await context.passwords.hash(password),
        "session_version": user["session_version"] + 1,
        "reset": None,
    }


async def _write(context: Context, user: Document, fields: Document, deed: Entry) -> User:
    """Raises Conflict when the account was changed since it was read: a token works once."""

    async def write(session: transactions.Session) -> Document:
        done = await users.change(context.db, session, user, fields)
        await audit.record(context.db, session, deed)
        return done

    async with context.generations.changing(users.key(user["_id"])):
        try:
            return shape(await transactions.together(context.db, write))
        except Stale:
            raise Conflict("Somebody changed the account at this moment; try again.") from None


def _failures(username: str, origin: str) -> str:
    return f"login:{username.lower()}:{origin}"


def shape(user: Document) -> User:
    return User(**fields(user))


def fields(user: Document) -> Document:
    """What everybody who may see an account sees of it."""
    email = {"email": user["email"]} if user.get("email") else {}
    return email | {
        "user_id": user["_id"],
        "username": user["username"],
        "roles": user["roles"],
        "status": user["status"],
        "created_at": rfc3339(user["created_at"]),
        "last_login_at": rfc3339(user["last_login_at"]) if user["last_login_at"] else None,
    }
