"""Is it ready yet? Asked through nginx, as a client would."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from urllib.parse import urlsplit

EVERY = 10.0
"""Seconds between two lines that say what is missing."""


class Readiness:
    def __init__(self, front: str, *, timeout: float = 2.0) -> None:
        self.front, self.timeout = front, timeout
        self.said = time.monotonic()

    def ask(self) -> tuple[bool, str | None]:
        """Ask once: whether it is ready, and what to tell the operator when it is time to."""
        state = self._probe()
        if state is None:
            return True, None
        if time.monotonic() - self.said >= EVERY:
            self.said = time.monotonic()
            return False, f"not ready yet: {state}; see ./scripts/appliance status"
        return False, None

    def _probe(self) -> str | None:
        try:
            status, body = self._fetch()
        except (OSError, http.client.HTTPException) as fault:
            return f"{self.front} does not answer ({fault})"
        return None if status == 200 else f"/readyz answers {status}, {_detail(body)}"

    def _fetch(self) -> tuple[int, str]:
        connection = self._connect()
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return answer.status, answer.read(1000).decode("utf-8", "replace")
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.front)
        host = parts.hostname or "127.0.0.1"
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port, timeout=self.timeout)
        # Our own certificate on our own machine; it need not name this address.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(host, parts.port, timeout=self.timeout, context=context)


def _detail(body: str) -> str:
    """What the answer says in words, or all of it."""
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return body
