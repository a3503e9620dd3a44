"""Tokens (JWT, HS256 only): made at login, verified once, then remembered until they expire."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import jwt

from appliance.errors import Unauthenticated
from appliance.security.keyring import Keyring

_ALGORITHM = "HS256"
_CLAIMS = ("user_id", "roles", "iat", "exp", "jti", "sv")
_LEEWAY = 60
"""Seconds by which clocks may differ."""
_REMEMBERED = 10_000


class Claims(NamedTuple):
    user_id: str
    session_version: int
    jti: str
    expires: float
    """Unix seconds."""


class Tokens:
    """Issue and verify. `now` gives Unix seconds."""

    def __init__(self, keyring: Keyring, hours: int, now: Callable[[], float] = time.time) -> None:
        self._keyring = keyring
        self.lifetime = hours * 3600
        """Seconds."""
        self._now = now
        self._known: OrderedDict[bytes, Claims] = OrderedDict()

    def issue(self, user_id: str, roles: list[str], session_version: int) -> str:
        now = int(self._now())
        claims = {
            "user_id": user_id,
            "roles": roles,
            "iat": now,
            "exp": now + self.lifetime,
            "jti": secrets.token_urlsafe(16),
            "sv": session_version,
        }
        key = self._keyring.active
        return jwt.encode(claims, key.secret, algorithm=_ALGORITHM, headers={"kid": key.kid})

    def verify(self, token: str) -> Claims:
        """Raises Unauthenticated, without saying what of the token was wrong."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        claims = self._known.get(digest)
        if claims is None:
            claims = self._known[digest] = self._decode(token)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        if claims.expires + _LEEWAY <= self._now():
            self._known.pop(digest, None)
            raise Unauthenticated("The token has expired; sign in again.")
        return claims

    def _decode(self, token: str) -> Claims:
        try:
            key = self._keyring.find(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                raise Unauthenticated("The token is not valid; sign in again.")
            # Expiry is judged by `verify`, by our own clock, on each use.
            options = {"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False}
            claims = jwt.decode(token, key.secret, algorithms=[_ALGORITHM], options=options)  # type: ignore[arg-type]
            return Claims(str(claims["user_id"]), int(claims["sv"]), str(claims["jti"]), float(claims["exp"]))
        except (jwt.PyJWTError, ValueError, TypeError, UnicodeError):
            raise Unauthenticated("The token is not valid; sign in again.") from None
