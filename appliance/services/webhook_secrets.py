"""The secrets of webhooks: made, sealed, and used to sign."""

from __future__ import annotations

import base64
import time

from appliance.clock import utc_now
from appliance.security import webhook_signatures
from appliance.services.context import Context
from appliance.stores.mongo import Document


def first(context: Context, webhook_id: str) -> str:
    """Made from the id by a key that only this appliance has, so that a repeated request can be told it."""
    derived = context.cursors.derive("webhook-secret", webhook_id)
    return webhook_signatures.secret_of(base64.urlsafe_b64decode(derived + "="))


def headers(context: Context, webhook: Document, delivery_id: str, body: bytes) -> dict[str, str]:
    """The signature of one attempt, made now. Raises sealing.Broken."""
    sealed = [webhook["secret"]]
    until = webhook["previous_until"]
    if until is not None and until > utc_now():
        sealed.append(webhook["previous_secret"])
    secrets = [context.sealer.open(webhook["_id"], each) for each in sealed]
    return webhook_signatures.headers(delivery_id, int(time.time()), body, secrets)
