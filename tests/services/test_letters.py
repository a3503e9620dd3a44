"""What strangers write does not get into the head of a message."""

from __future__ import annotations

import email
import email.policy
import re
from typing import Any

import pytest
from msgspec import ValidationError, convert

from appliance.clock import utc_now
from appliance.services.letters import TO_WATCHERS, Words, letter
from appliance.services.shapes import Email

EVIL = "=?utf-8?q?x=0D=0AReply-To:_evil=40evil.example=0D=0A=0D=0AClick?="


@pytest.mark.parametrize(
    "text", [EVIL, "a\r\nBcc: x@example.org", "a\x00b\x1b", "=?utf-8?b?eA==?= =?", "\u2028x"]
)
@pytest.mark.parametrize("where", ["title", "answer"])
def test_a_subject_is_one_line_and_nothing_else(text: str, where: str) -> None:
    form: dict[str, Any] = {"_id": "f", "title": text if where == "title" else "T"}
    response: dict[str, Any] = {"_id": "r", "seq": 1, "created_at": utc_now(), "data": {"topic": text}}
    words = Words("New: {topic}", TO_WATCHERS.text) if where == "answer" else TO_WATCHERS
    sent = letter(words, None, form, response, "id").as_bytes()
    read = email.message_from_bytes(sent, policy=email.policy.default)
    head = sent.partition(b"\n\n")[0].decode("ascii")
    names = re.findall(r"^([\w-]+):", head, re.MULTILINE)
    assert "Reply-To" not in names and "Bcc" not in names
    assert {"Subject", "Message-ID", "X-Form-Id", "X-Response-Id"} <= set(names)
    assert str(read["Subject"]).isprintable()


@pytest.mark.parametrize("address", [f"{EVIL}@example.org", "=?utf-8?q?ceo=40corp.example=2Cx?=@example.org"])
def test_an_address_is_no_encoded_word(address: str) -> None:
    with pytest.raises(ValidationError):
        convert(address, Email)
