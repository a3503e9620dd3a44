"""E-mail to the people who watch a form (its setting `notify`).

Nothing is sent where SMTP_URL is not set: then no event is written either, and nothing waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any

import msgspec

from appliance import logs
from appliance.clock import rfc3339
from appliance.errors import NotFound
from appliance.services import mail
from appliance.services.context import Context
from appliance.settings import Settings
from appliance.stores import forms, responses
from appliance.stores.mongo import Document

_LONGEST = 2_000
"""Characters of one answer in a message."""

log = logs.get(__name__)


def watchers(settings: Settings, form: Mapping[str, Any]) -> list[str]:
    """The addresses that hear of a form's responses, each by a task of its own: one may be out of order."""
    return list(form["settings"].get("notify", ())) if settings.smtp_url else []


async def send(context: Context, form_id: str, response_id: str, to: str, event_id: str) -> None:
    """One message. The same event always has the same Message-ID, should it be sent again.

    What the mail server refuses for good is logged and done with. Raises MailError when it may work later.
    """
    try:
        form = await forms.get(context.db, form_id, hide=forms.DEFINITION)
        response = await responses.get(context.db, form_id, response_id)
    except NotFound:
        return  # deleted meanwhile: nothing to tell
    if to not in watchers(context.settings, form) or response["status"] == "deleted":
        return
    try:
        await mail.send(context.settings, to, _message(form, response, event_id))
    except mail.RefusedError as fault:
        log.error(
            "an e-mail was refused", extra={"form_id": form_id, "task_id": event_id, "error": str(fault)}
        )


def _message(form: Document, response: Document, event_id: str) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = f"New response: {' '.join(form['title'].split())}"
    message["Message-ID"] = f"<{event_id}@appliance>"
    message["X-Form-Id"], message["X-Response-Id"] = form["_id"], response["_id"]
    head = f"{form['title']}\nResponse {response['seq']}, {rfc3339(response['created_at'])}\n"
    answers = "".join(f"\n{name}: {_text(value)}" for name, value in response["data"].items())
    message.set_content(f"{head}{answers}\n")
    return message


def _text(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} […]"
