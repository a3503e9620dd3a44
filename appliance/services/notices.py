"""E-mail about responses: to the people who watch a form (its setting `notify`), and a receipt to whoever
answered it (its setting `receipt`).

Nothing is sent where SMTP_URL is not set: then no event is written either, and nothing waits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from appliance import logs
from appliance.domain.access import Caller
from appliance.errors import NotFound
from appliance.services import letters, mail
from appliance.services.context import Context
from appliance.services.shapes import MAIL_ADDRESS
from appliance.settings import Settings
from appliance.stores import forms, responses, tallies, users
from appliance.stores.mongo import Document

ACCOUNT = ""
"""Instead of an address: that of the submitter's account, as it is when the receipt is sent."""
_RECEIPTS, _HOUR = 5, 3600.0
"""So many an hour to one address, of all forms: whoever answers a public form chooses where it goes. No dead
letter comes of those beyond: each would be an alert, and anybody could cause as many as they like."""

log = logs.get(__name__)


def watchers(settings: Settings, form: Mapping[str, Any]) -> list[str]:
    """The addresses that hear of a form's responses, each by a task of its own: one may be out of order."""
    return list(form["settings"].get("notify", ())) if settings.smtp_url else []


def submitter(
    settings: Settings, form: Mapping[str, Any], caller: Caller | None, data: Mapping[str, Any]
) -> list[str]:
    """Where a receipt of this response goes; empty for nowhere."""
    wanted = form["settings"].get("receipt")
    if not settings.smtp_url or wanted is None:
        return []
    if (question := wanted.get("question")) is None:
        return [] if caller is None else [ACCOUNT]
    address = data.get(question)
    is_one = isinstance(address, str) and len(address) <= 254 and re.match(MAIL_ADDRESS, address)
    return [str(address)] if is_one else []


async def notify(context: Context, form_id: str, response_id: str, to: str, event_id: str) -> None:
    """Tell one watcher. Raises RefusedError for what the mail server will never take, MailError for later."""
    found = await _subject(context, form_id, response_id)
    if found is None or to not in watchers(context.settings, found[0]):
        return
    form, response = found
    own = form["settings"].get("notify_template")
    message = letters.letter(letters.TO_WATCHERS, own, form, response, event_id)
    await mail.send(context.settings, to, message)


async def receipt(
    context: Context, form_id: str, response_id: str, to: str, event_id: str, *, is_first_try: bool
) -> None:
    """Tell whoever answered that it has arrived. Raises as `notify`."""
    found = await _subject(context, form_id, response_id)
    if found is None or (own := found[0]["settings"].get("receipt")) is None:
        return
    form, response = found
    address = to if to != ACCOUNT else await _account_address(context, response)
    if address is None:
        return
    if is_first_try and not await _has_room(context, address):
        log.warning("no receipt: too many to this address", extra={"form_id": form_id, "task_id": event_id})
        await tallies.count(context.redis, "receipts_dropped")
        return
    message = letters.letter(letters.TO_SUBMITTER, own, form, response, event_id)
    await mail.send(context.settings, address, message)


async def _subject(context: Context, form_id: str, response_id: str) -> tuple[Document, Document] | None:
    """The form and the response; None when one of them was deleted meanwhile: nothing to tell."""
    try:
        form = await forms.get(context.db, form_id, hide=forms.DEFINITION)
        response = await responses.get(context.db, form_id, response_id)
    except NotFound:
        return None
    return None if response["status"] == "deleted" else (form, response)


async def _has_room(context: Context, address: str) -> bool:
    return (await context.limits.take(f"receipt:{address.lower()}", _RECEIPTS, _HOUR)).allowed


async def _account_address(context: Context, response: Document) -> str | None:
    user = await users.find(context.db, response["submitter"] or "")
    return user.get("email") if user and user["status"] == "active" else None
