"""Signatures of webhooks by the Standard Webhooks rules 1.0.0 (standardwebhooks.com), symmetric scheme v1.

A secret is `whsec_` and 32 random bytes in base64. The signature is HMAC-SHA256 with these bytes over
`id.timestamp.body`. While a secret is being replaced, both sign: the receiver needs to know only one of them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    return secret_of(secrets.token_bytes(_BYTES))


def secret_of(key: bytes) -> str:
    """The secret as its receiver gets it, from bytes that nobody can guess."""
    return PREFIX + base64.b64encode(key).decode()


def headers(message_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """What a delivery carries; `timestamp` is that of the attempt, in Unix seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
