"""What a password must be, and the one-time tokens to set one."""

from __future__ import annotations

import datetime as dt
import hmac
import secrets

from appliance.clock import utc_now
from appliance.errors import FieldError, Forbidden, Invalid
from appliance.services.callers import hash_secret
from appliance.services.context import Context
from appliance.stores.mongo import Document

SHORTEST = 10
LONGEST = 1024
RESET_LIFE = dt.timedelta(hours=24)
RESET_PREFIX = "rt_"
# Of those lists of the commonest passwords that have ten characters or more (NIST SP 800-63B, 5.1.1.2).
_COMMON = frozenset(
    """1234567890 0123456789 0987654321 9876543210 1111111111 0000000000 12345678910 1q2w3e4r5t q1w2e3r4t5
    qwertyuiop qwerty12345 qwerty123456 1qaz2wsx3edc asdfghjkl1 password12 password123 password1234
    passwordpassword passw0rd123 administrator adminadmin letmein123 welcome123 welcome1234 iloveyou12
    iloveyou123 changeme123 football123 baseball123 princess123 sunshine123 superman123 dragon1234
    abcdefghij abc1234567""".split()
)


def check(password: str, username: str, path: str) -> None:
    """Raises Invalid, saying at `path` what is wrong."""
    if fault := _fault(password, username):
        raise Invalid("This password cannot be used.", errors=[FieldError(path, fault)])


def _fault(password: str, username: str) -> str | None:
    if not SHORTEST <= len(password) <= LONGEST:
        return f"{SHORTEST} to {LONGEST} characters are needed"
    lower = password.lower()
    if lower in (username, username[::-1]) or lower == username * 2:
        return "it must not be the username"
    if lower in _COMMON or len(set(lower)) == 1:
        return "it is one of the commonest passwords"
    return None


def new_reset(user_id: str, secret: str | None = None) -> tuple[str, Document]:
    """A token, shown once, and what is kept of it."""
    secret = secret or secrets.token_urlsafe(32)
    return f"{RESET_PREFIX}{user_id}_{secret}", {
        "hash": hash_secret(secret),
        "expires_at": utc_now() + RESET_LIFE,
    }


def reset_of(context: Context, user_id: str) -> tuple[str, Document]:
    """The token of a new account: the same each time, so that a repeated request can be told it again."""
    return new_reset(user_id, context.cursors.derive("invitation", user_id))


def reset_user(token: str) -> str:
    """Whose token it claims to be. Raises Forbidden for what is none."""
    user_id, _, secret = token.removeprefix(RESET_PREFIX).partition("_")
    if not token.startswith(RESET_PREFIX) or not secret:
        raise refused()
    return user_id


def is_good(token: str, user: Document | None) -> bool:
    """Is it this account's token, unused and in time?"""
    kept = (user or {}).get("reset")
    if user is None or not kept or user["status"] == "disabled" or kept["expires_at"] <= utc_now():
        return False
    secret = token.removeprefix(RESET_PREFIX).partition("_")[2]
    return hmac.compare_digest(kept["hash"], hash_secret(secret))


def refused() -> Forbidden:
    return Forbidden("The token is not valid, was used, or has expired; ask for another one.")
