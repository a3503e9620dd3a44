"""What the appliance says of its own readiness, asked as a client would; and its second door."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from appliance.addresses import front_url, secure_url
from appliance.settings import Settings

ANSWER_SECONDS = 6.0
"""Longer than the 5 s in which /readyz promises to answer when the database is away."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """`status` is None when nobody answered; `body` is the JSON object of /readyz, or empty."""

    status: int | None
    body: dict[str, Any]
    fault: str | None = None

    @property
    def is_ready(self) -> bool:
        return self.status == 200


def ask(settings: Settings) -> Readiness:
    """Ask /readyz. Never raises: not answering is an answer too."""
    front = front_url(settings)
    try:
        status, text = _get(front, "/readyz")
    except (OSError, http.client.HTTPException) as fault:
        return Readiness(None, {}, f"{front}/readyz does not answer: {fault}")
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return Readiness(status, {}, f"{front}/readyz answers {status} without a JSON object")
    return Readiness(status, body, None if status == 200 else f"{front}/readyz answers {status}")


def find_tls_fault(settings: Settings) -> str | None:
    """Whether HTTPS answers too; /readyz may have been asked over plain HTTP."""
    door = secure_url(settings)
    try:
        status, _ = _get(door, "/healthz")
    except (OSError, http.client.HTTPException) as fault:
        return f"{door}/healthz does not answer: {fault}"
    return None if status == 200 else f"{door}/healthz answers {status}"


def _get(front: str, path: str) -> tuple[int, bytes]:
    parts = urlsplit(front)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        # Our own machine; its certificate names the host that others call.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=ANSWER_SECONDS, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
