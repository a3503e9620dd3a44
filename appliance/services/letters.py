"""What the e-mail about a response says: the form's own words, else ours."""

from __future__ import annotations

from email.message import EmailMessage
from typing import NamedTuple

import msgspec

from appliance.clock import rfc3339
from appliance.domain.template import fill
from appliance.stores.mongo import Document

_LONGEST = 2_000
"""Characters of one answer in a message."""


class Words(NamedTuple):
    """A subject and a text, with places to fill."""

    subject: str
    text: str


TO_WATCHERS = Words(
    "New response: {form.title}",
    "{form.title}\nResponse {response.number}, {response.created_at}\n\n{response.answers}\n",
)
TO_SUBMITTER = Words(
    "Your response: {form.title}",
    "Thank you. Your response to {form.title} has arrived.\n\n"
    "Number {response.number}, {response.created_at}\nReference {response.id}\n",
)


def letter(
    words: Words, own: Document | None, form: Document, response: Document, event_id: str
) -> EmailMessage:
    """To be addressed. The same event always has the same Message-ID, should it be sent again."""
    values, chosen = _values(form, response), own or {}
    message = EmailMessage()
    subject = fill(chosen.get("subject") or words.subject, values)
    message["Subject"] = _line(subject)
    message["Message-ID"] = f"<{event_id}@appliance>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice answers it
    message["X-Form-Id"], message["X-Response-Id"] = form["_id"], response["_id"]
    message.set_content(fill(chosen.get("text") or words.text, values))
    return message


def _line(text: str) -> str:
    """Without line ends, and without what the mail library would take for an encoded word (RFC 2047) and
    decode, line ends included.
    """
    plain = "".join(each if each.isprintable() else " " for each in text).replace("=?", "= ?")
    return " ".join(plain.split())[:250]


def _values(form: Document, response: Document) -> dict[str, str]:
    answers = {name: _text(value) for name, value in response["data"].items()}
    return {
        **answers,
        "form.title": form["title"],
        "response.id": response["_id"],
        "response.number": str(response["seq"]),
        "response.created_at": rfc3339(response["created_at"]),
        "response.answers": "\n".join(f"{name}: {text}" for name, text in answers.items()),
    }


def _text(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} […]"
