"""Sending e-mail through the server that SMTP_URL names.

`smtp://` goes over to TLS where the server offers it, `smtps://` begins with it; certificates are verified.
A password never goes over an open line to another machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping
from email.message import EmailMessage
from email.utils import localtime
from urllib.parse import unquote, urlsplit

from appliance.settings import Settings

_SECONDS = 15.0
"""Of silence after which the server is given up."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class MailError(Exception):
    """The message could not be sent now."""


class RefusedError(MailError):
    """The server will not take the message, now or later."""


def place_of(url: str) -> tuple[str, int]:
    """The host and port of an SMTP_URL."""
    parts = urlsplit(url)
    return parts.hostname or "localhost", parts.port or (465 if parts.scheme == "smtps" else 25)


async def send(settings: Settings, to: str, message: EmailMessage) -> None:
    """Raises MailError, RefusedError."""
    if settings.smtp_url is None:
        raise RefusedError("SMTP_URL is not set")
    message["From"] = settings.smtp_from
    message["To"] = to
    message["Date"] = localtime()
    await asyncio.to_thread(_send, settings.smtp_url, to, message)


def _send(url: str, to: str, message: EmailMessage) -> None:
    try:
        with _session(url) as session:
            session.send_message(message, to_addrs=[to])
    except smtplib.SMTPRecipientsRefused as fault:
        codes = [code for code, _ in fault.recipients.values()]
        raise (RefusedError if min(codes) >= 500 else MailError)(_refusals(fault.recipients)) from None
    except smtplib.SMTPResponseException as fault:
        is_final = fault.smtp_code >= 500 and not isinstance(fault, smtplib.SMTPAuthenticationError)
        raise (RefusedError if is_final else MailError)(_words(fault.smtp_code, fault.smtp_error)) from None
    except smtplib.SMTPNotSupportedError as fault:
        raise RefusedError(str(fault)) from None
    except (OSError, smtplib.SMTPException) as fault:
        raise MailError(str(fault)) from None


def _refusals(recipients: Mapping[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{_words(*answer)} ({address})" for address, answer in recipients.items())


def _words(code: int, text: bytes | str) -> str:
    told = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"the mail server says {code} {' '.join(told.split())}"


@contextlib.contextmanager
def _session(url: str) -> Iterator[smtplib.SMTP]:
    parts = urlsplit(url)
    host, port = place_of(url)
    name = socket.gethostname()
    if parts.scheme == "smtps":
        session: smtplib.SMTP = smtplib.SMTP_SSL(host, port, name, timeout=_SECONDS, context=_trust())
    else:
        session = smtplib.SMTP(host, port, name, timeout=_SECONDS)
    with session:
        session.ehlo_or_helo_if_needed()
        is_closed = parts.scheme == "smtps"
        if not is_closed and session.has_extn("starttls"):
            session.starttls(context=_trust())
            is_closed = True
        if parts.username:
            if not is_closed and host not in _LOOPBACK:
                raise MailError("the server offers no TLS, and the password is not sent without")
            session.login(unquote(parts.username), unquote(parts.password or ""))
        yield session


@functools.cache
def _trust() -> ssl.SSLContext:
    """Once a process: reading all authorities costs 20 ms."""
    return ssl.create_default_context()
