"""Who a token or an API key speaks for.

Contract: what was read is believed for 4 s, and no longer than the account's generation lasts (see
`stores.generations`): a change made through any process of this machine holds at once, any other within
5 s. While the database does not answer, an account that nobody changed is believed for 30 s.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections import OrderedDict
from typing import NamedTuple

import pymongo
from pymongo.errors import PyMongoError

from appliance.clock import utc_now
from appliance.domain.access import Caller
from appliance.errors import Unauthenticated
from appliance.security.tokens import Claims
from appliance.services.context import Context
from appliance.stores import api_keys, sessions, users
from appliance.stores.mongo import Document

KEY_PREFIX = "ak_"
RECHECK = 4.0
"""Seconds that an account is believed without asking the database again."""
_UNREACHABLE = 30.0
"""Seconds that it is believed while the database does not answer."""
_IMPATIENT = 0.5
"""Seconds to wait for the database about an account that may still be believed."""
_KEPT = 10_000
_ENDED = "The session has ended; sign in again."
_NO_KEY = "The API key is not valid."


class _Known(NamedTuple):
    caller: Caller
    names: tuple[str, ...]
    generations: tuple[int, ...]
    read_at: float
    """Monotonic."""
    expires: float
    """Unix seconds."""


class Callers:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._reading: dict[bytes, asyncio.Task[_Known]] = {}

    def find(self, token: str) -> Caller | None:
        """Whom the process knows already and may believe without asking."""
        known = self._known.get(_digest(token))
        if known is None or time.monotonic() - known.read_at >= RECHECK or not self._holds(known):
            return None
        return known.caller

    async def get(self, token: str) -> Caller:
        """Raises Unauthenticated."""
        digest = _digest(token)
        known = self._known.get(digest)
        if known is not None:
            age = time.monotonic() - known.read_at
            if not self._holds(known) or age > _UNREACHABLE:
                known = None
            elif age < RECHECK:
                return known.caller
        try:
            found = await self._read_together(digest, token, is_known=known is not None)
        except PyMongoError:
            if known is None:
                raise
            return known.caller
        except Unauthenticated:
            self._known.pop(digest, None)
            raise
        self._known[digest] = found
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return found.caller

    def _holds(self, known: _Known) -> bool:
        return time.time() < known.expires and self._generations(known.names) == known.generations

    def _generations(self, names: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(map(self._context.generations.get, names))

    async def _read_together(self, digest: bytes, token: str, *, is_known: bool) -> _Known:
        """One reading for all who wait for the same one: else hundreds ask when the 4 s are over."""
        while True:
            reading = self._reading.get(digest)
            if reading is None:
                read = self._read_again(token) if is_known else self._read(token)
                reading = self._reading[digest] = asyncio.create_task(read, name="read-caller")
                reading.add_done_callback(lambda task: self._end_reading(digest, task))
            found = await asyncio.shield(reading)
            if self._holds(found):  # else the account changed while others were reading it for us
                return found

    def _end_reading(self, digest: bytes, task: asyncio.Task[_Known]) -> None:
        del self._reading[digest]
        if not task.cancelled():
            task.exception()  # those who waited have it; nobody may be left

    async def _read_again(self, token: str) -> _Known:
        with pymongo.timeout(_IMPATIENT):
            return await self._read(token)

    async def _read(self, token: str) -> _Known:
        return await (self._key(token) if token.startswith(KEY_PREFIX) else self._session(token))

    async def _session(self, token: str) -> _Known:
        claims = self._context.tokens.verify(token)
        names = (users.key(claims.user_id),)
        # Before the reading: a change while it goes on makes what was read void.
        generations, now = self._generations(names), time.monotonic()
        user = await users.find(self._context.db, claims.user_id)
        if user is None or not _is_current(user, claims):
            raise Unauthenticated(_ENDED)
        if await sessions.has_ended(self._context.db, claims.jti):
            raise Unauthenticated(_ENDED)
        caller = Caller(user["_id"], user["username"], frozenset(user["roles"]), claims.jti)
        return _Known(caller, names, generations, now, claims.expires)

    async def _key(self, token: str) -> _Known:
        key_id, _, secret = token.removeprefix(KEY_PREFIX).partition("_")
        of_key, now = (api_keys.key(key_id),), time.monotonic()
        generations = self._generations(of_key)
        row = await api_keys.find(self._context.db, key_id)
        if row is None or not hmac.compare_digest(row["hash"], hash_secret(secret)):
            raise Unauthenticated(_NO_KEY)
        of_owner = (users.key(row["user_id"]),)
        generations += self._generations(of_owner)
        owner = await users.find(self._context.db, row["user_id"])
        expires = row["expires_at"]
        if owner is None or owner["status"] != "active" or (expires and expires <= utc_now()):
            raise Unauthenticated(_NO_KEY)
        roles, scopes = frozenset(owner["roles"]), frozenset(row["scopes"])
        caller = Caller(owner["_id"], owner["username"], roles, key_id, scopes)
        end = expires.timestamp() if expires else float("inf")
        return _Known(caller, of_key + of_owner, generations, now, end)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _is_current(user: Document, claims: Claims) -> bool:
    same = user["session_version"] == claims.session_version or user.get("spared") == claims.jti
    return bool(user["status"] == "active" and same)


def hash_secret(secret: str) -> str:
    """256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
