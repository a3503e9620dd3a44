"""The way to a mail server: with TLS and without, and what goes wrong on it."""

from __future__ import annotations

import asyncio
import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult

from appliance import settings
from appliance.addresses import Paths
from appliance.runtime import certificate, folders
from appliance.services import mail
from tests.mailbox import BUSY, REFUSED, mailbox
from tests.runtime.servers import free_port, temporary_data


def send(url: str, to: str = "a@example.org") -> None:
    message = EmailMessage()
    message["X-Form-Id"], message["X-Response-Id"] = "form", "response"
    message.set_content("Hello.")
    chosen = settings.load({"SMTP_URL": url}, dotenv=Path("/nonexistent"))
    asyncio.run(mail.send(chosen, to, message))


@pytest.fixture
def context() -> Any:
    """TLS with a certificate that nobody trusts."""
    with temporary_data() as data:
        paths = Paths(data)
        folders.create(paths)
        certificate.ensure(paths)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(paths.certificate, paths.certificate_key)
        yield made


def test_a_plain_server() -> None:
    with mailbox() as kept:
        send(kept.url)
        (letter,) = kept.about("form")
        assert letter.to == [letter.message["To"]] == ["a@example.org"]


def test_what_is_refused_for_good_and_what_is_not() -> None:
    with mailbox() as kept:
        with pytest.raises(mail.MailError, match="450") as caught:
            send(kept.url, BUSY)
        assert not isinstance(caught.value, mail.RefusedError)
        with pytest.raises(mail.RefusedError, match="550"):
            send(kept.url, REFUSED)


def test_nobody_there_may_be_there_later() -> None:
    with pytest.raises(mail.MailError) as caught:
        send(f"smtp://127.0.0.1:{free_port()}")
    assert not isinstance(caught.value, mail.RefusedError)


def test_tls_is_taken_where_offered_and_verified(context: ssl.SSLContext) -> None:
    with mailbox(tls_context=context) as kept:
        with pytest.raises(mail.MailError, match="certificate verify failed"):
            send(kept.url)
        assert kept.about("form") == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_password_goes_over_no_open_line() -> None:
    asked: list[bytes] = []

    def check(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        asked.append(given.password)
        return AuthResult(success=given.password == b"s3cret/word", handled=False)

    options: dict[str, Any] = {"authenticator": check, "auth_require_tls": False, "auth_required": True}
    with mailbox(**options) as kept:
        port = kept.url.rpartition(":")[2]
        send(f"smtp://me:s3cret%2Fword@127.0.0.1:{port}")
        assert len(kept.about("form")) == 1
        with pytest.raises(mail.MailError) as caught:
            send(f"smtp://me:wrong@127.0.0.1:{port}")
        assert not isinstance(caught.value, mail.RefusedError), "an operator can mend a password"
        assert "wrong" not in str(caught.value)
    asked.clear()
    with mailbox(hostname="127.0.0.2", **options) as kept:
        with pytest.raises(mail.MailError, match="no TLS"):
            send(kept.url.replace("//", "//me:s3cret%2Fword@"))
        assert asked == []
