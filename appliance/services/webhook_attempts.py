"""One request to a webhook, and when the next one is due after it failed."""

from __future__ import annotations

import email.utils
import random
import re
import time
from collections.abc import Mapping
from typing import NamedTuple

from appliance import __version__, logs
from appliance.clock import utc_now
from appliance.metrics import counts
from appliance.security import web_addresses
from appliance.security.egress import EgressError, NoAnswer, Refused, Unreachable
from appliance.security.sealing import Broken
from appliance.security.web_addresses import BadAddress
from appliance.services import webhook_secrets
from appliance.services.context import Context
from appliance.services.webhook_shapes import Attempted
from appliance.stores.deliveries import Attempt
from appliance.stores.mongo import Document

WAITS = (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 72_000, 122_400)
"""Seconds after the first attempt, the second, …; with the tenth it is over, three days later."""
JITTER = 0.1
"""A wait grows by up to this share of itself, and is never shorter."""
LONGEST_ASKED = 24 * 3600.0
"""Seconds that a receiver may ask for with Retry-After."""

log = logs.get(__name__)


class Outcome(NamedTuple):
    attempt: Attempt
    retry_after: float
    """Seconds that the receiver asked for; 0 when it did not."""


async def send(context: Context, webhook: Document, delivery: Document) -> Outcome:
    """POST the delivery's own body, signed now. Raises nothing because of the receiver."""
    at, started = utc_now(), time.monotonic()
    outcome = "broken"
    status, text, error, retry_after = None, "", None, 0.0
    url = delivery["url"] or webhook["url"]
    try:
        body = delivery["body"].encode()
        signed = webhook_secrets.headers(context, webhook, delivery["_id"], body)
        answer = await context.egress.post(url, body, _HEADERS | signed)
        status, text, retry_after = answer.status, answer.text, _asked(answer.headers.get("retry-after"))
        error = _error(status)
        outcome = "refused_status" if error else "delivered"
    except (BadAddress, EgressError, Broken) as fault:
        error = str(fault)
        outcome = _OUTCOMES.get(type(fault), outcome)
    except Exception:
        log.exception("a webhook could not be told", extra={"delivery_id": delivery["_id"]})
        error = "this receiver could not be dealt with; the log says more"
    counts.add("webhook_attempts", outcome)
    attempt = Attempt(at, status, round(time.monotonic() - started, 3), text, error)
    log.info(
        "webhook",
        extra={
            "delivery_id": delivery["_id"],
            "webhook_id": webhook["_id"],
            "to": _shown(url),
            "status": status,
            "seconds": attempt.seconds,
            **({"error": error} if error else {}),
        },
    )
    return Outcome(attempt, retry_after)


def attempted(attempt: Attempt) -> Attempted:
    """As users see it."""
    return Attempted(
        delivered=attempt.is_delivered,
        status=attempt.status,
        seconds=attempt.seconds,
        answer=attempt.answer,
        error=attempt.error,
    )


def wait_after(tries: int, retry_after: float) -> float | None:
    """Seconds from the `tries`-th attempt, which failed, to the next; None when it was the last."""
    if tries > len(WAITS):
        return None
    return max(WAITS[tries - 1] * (1 + random.random() * JITTER), retry_after)  # noqa: S311


_OUTCOMES: Mapping[type[Exception], str] = {
    BadAddress: "blocked",
    Refused: "blocked",
    Unreachable: "unreachable",
    NoAnswer: "no_answer",
}
_HEADERS = {"content-type": "application/json", "user-agent": f"forms-appliance/{__version__}"}


def _error(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    return f"answered {status}" + ("; redirects are not followed" if 300 <= status < 400 else "")


def _asked(retry_after: str | None) -> float:
    """Seconds of a Retry-After, which is seconds or a date (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return 0.0
    if re.fullmatch(r"[0-9]+", retry_after):
        return LONGEST_ASKED if len(retry_after) > 9 else min(float(retry_after), LONGEST_ASKED)
    try:
        seconds = email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_ASKED)


def _shown(url: str) -> str:
    try:
        return web_addresses.parse(url).shown
    except BadAddress:
        return "no web address"
