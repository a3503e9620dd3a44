"""Signing in, and who a token speaks for."""

from __future__ import annotations

import time

import pymongo
from pymongo.errors import PyMongoError

from appliance import addresses
from appliance.addresses import Paths
from appliance.clock import rfc3339
from appliance.domain.access import Caller
from appliance.errors import Unauthenticated
from appliance.services.context import Context
from appliance.services.shapes import Credentials, Session, User
from appliance.settings import Settings
from appliance.stores import users
from appliance.stores.mongo import Document

ADMIN = "admin"
RECHECK = 5.0
"""Seconds that an account is believed without asking the database again."""
_UNREACHABLE = 30.0
"""Seconds that it is believed while the database does not answer."""
_IMPATIENT = 0.5
"""Seconds to wait for the database about an account that may still be believed."""


async def ensure_admin(context: Context, settings: Settings) -> bool:
    """Create the first account, with the password in secrets/admin_password; True when that was done now."""
    password = addresses.read_line(Paths(settings.data).admin_password)
    if await users.find_by_name(context.db, ADMIN) is not None:
        return False
    return await users.ensure(context.db, ADMIN, await context.passwords.hash(password), ["admin"])


async def login(context: Context, credentials: Credentials) -> Session:
    """Raises Unauthenticated, the same for an unknown name, a wrong password and a disabled account."""
    user = await users.find_by_name(context.db, credentials.username)
    right = await context.passwords.verify(user["password_hash"] if user else None, credentials.password)
    if user is None or not right or user["status"] != "active":
        raise Unauthenticated("The username or the password is wrong.")
    if not context.space.is_short():
        await users.note_login(context.db, user["_id"])
    token = context.tokens.issue(user["_id"], user["roles"], user["session_version"])
    return Session(token=token, expires_in=context.tokens.lifetime, user=_shape(user))


class Callers:
    """Who a token speaks for. Accounts are read at most every 5 s, so that is how long a change may take."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[str, tuple[float, Document | None]] = {}

    async def get(self, token: str) -> Caller:
        """Raises Unauthenticated."""
        claims = self._context.tokens.verify(token)
        user = await self._user(claims.user_id)
        if user is None or user["status"] != "active" or user["session_version"] != claims.session_version:
            raise Unauthenticated("The session has ended; sign in again.")
        return Caller(user["_id"], user["username"], frozenset(user["roles"]))

    async def _user(self, user_id: str) -> Document | None:
        read_at, user = self._known.get(user_id, (-_UNREACHABLE, None))
        now = time.monotonic()
        if now - read_at < RECHECK:
            return user
        if user is not None and now - read_at < _UNREACHABLE:
            try:
                with pymongo.timeout(_IMPATIENT):
                    user = await users.find(self._context.db, user_id)
            except PyMongoError:
                return user
        else:
            user = await users.find(self._context.db, user_id)
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[user_id] = (now, user)
        return user


def _shape(user: Document) -> User:
    return User(
        user_id=user["_id"],
        username=user["username"],
        roles=user["roles"],
        status=user["status"],
        created_at=rfc3339(user["created_at"]),
        last_login_at=rfc3339(user["last_login_at"]) if user["last_login_at"] else None,
    )
