"""A mail server of the tests' own: what it was sent, by response."""

from __future__ import annotations

import email
import email.policy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller

from tests.runtime.servers import free_port

REFUSED = "nobody.here@example.org"
"""The address that it will never take mail for."""


BUSY = "busy@example.org"
"""The address that it takes no mail for now."""


class Letter(NamedTuple):
    to: list[str]
    message: EmailMessage


class Mailbox:
    """The handler that aiosmtpd calls, and what it kept."""

    def __init__(self) -> None:
        self._letters: list[Letter] = []
        self._lock = threading.Lock()
        self.url = ""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address == REFUSED:
            return "550 there is no such mailbox"
        if address == BUSY:
            return "450 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        with self._lock:
            self._letters.append(Letter(list(envelope.rcpt_tos), message))
        return "250 kept"

    def all(self) -> list[Letter]:
        with self._lock:
            return list(self._letters)

    def about(self, form_id: str) -> list[Letter]:
        with self._lock:
            return [letter for letter in self._letters if letter.message["X-Form-Id"] == form_id]

    def told(self, form_id: str) -> list[str]:
        """Ids of the responses that mail came about, as often as it came."""
        return [str(letter.message["X-Response-Id"]) for letter in self.about(form_id)]


@contextmanager
def mailbox(hostname: str = "127.0.0.1", **options: Any) -> Iterator[Mailbox]:
    """Listens while the body runs; `options` are those of aiosmtpd's Controller."""
    kept, port = Mailbox(), free_port()
    # Its own name, or it would ask the DNS for it at each connection.
    controller = Controller(kept, hostname=hostname, port=port, server_hostname="mail.test", **options)
    controller.start()
    kept.url = f"smtp://{hostname}:{port}"
    try:
        yield kept
    finally:
        controller.stop()
