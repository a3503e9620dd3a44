"""Webhooks: who is told of what, where, and under which secret.

A webhook belongs to who made it; only they and admins see it. To make or change one of a form takes
`manage` on the form at that moment; whether its owner may still see what is sent is
asked before each sending.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from msgspec import UNSET

from appliance.clock import new_id, rfc3339, utc_now
from appliance.domain.access import Caller, Level
from appliance.errors import BadRequest, FieldError, Forbidden, NotFound, Stale
from appliance.security import web_addresses, webhook_signatures
from appliance.security.web_addresses import BadAddress
from appliance.services import deadlines, repeats, webhook_attempts, webhook_rests, webhook_secrets
from appliance.services.context import Context
from appliance.services.forms import next_cursor, visible_state
from appliance.services.rereading import again
from appliance.services.webhook_events import Told
from appliance.services.webhook_shapes import (
    Attempted,
    ChangeWebhook,
    CreatedWebhook,
    CreateWebhook,
    Rotated,
    Webhook,
    Webhooks,
)
from appliance.stores import audit, deliveries, idempotency, webhooks
from appliance.stores.deliveries import Event
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session, together

OVERLAP = dt.timedelta(hours=24)
"""For so long a secret that was replaced signs beside its successor."""
_SCOPES = {
    "form": "forms:read",
    "response": "responses:read",
    "task": "tasks",
    "insight": "ai",
    "alert": "admin",
}
"""What an API key needs to hear of events, by what they are about."""
DEFAULT = "default"
"""What a user's own row for `webhook_url` is called in paths."""


async def create(
    context: Context, caller: Caller, wanted: CreateWebhook, key: idempotency.Key | None
) -> tuple[CreatedWebhook, bool]:
    """The webhook with its secret, and whether it is the repeated answer.

    Raises BadRequest for what is no web address, NotFound, Forbidden, Conflict when there are too many.
    """
    check_url(wanted.url, "/url")
    await _check_rights(context, caller, wanted.form_id, wanted.events)
    webhook_id = new_id()
    fields: Document = {
        "_id": webhook_id,
        "owner": caller.user_id,
        "form_id": wanted.form_id,
        "url": wanted.url,
        "by_admin": caller.is_admin,
        "events": list(dict.fromkeys(wanted.events)),
        "secret": context.sealer.seal(webhook_id, webhook_secrets.first(context, webhook_id)),
    }

    async def write(session: Session) -> CreatedWebhook:
        row = await webhooks.insert(context.db, session, fields, caller.user_id)
        return CreatedWebhook(**_fields(row))

    async with context.generations.changing(webhooks.GENERATION):
        made, replayed = await repeats.once(context, key, CreatedWebhook, write, "Try again.")
    if not replayed or await _has_first_secret(context, made.webhook_id):
        made.secret = webhook_secrets.first(context, made.webhook_id)
    return made, replayed


async def _has_first_secret(context: Context, webhook_id: str) -> bool:
    """Neither replaced since, nor deleted with its webhook."""
    row = await webhooks.find(context.db, webhook_id)
    return row is not None and row["previous_secret"] is None


async def newest(
    context: Context, caller: Caller, user_id: str | None, cursor: str | None, limit: int
) -> Webhooks:
    """A page of the caller's own; an admin may ask for those of another. Raises Forbidden."""
    owner = user_id or caller.user_id
    if owner != caller.user_id and not caller.is_admin:
        raise Forbidden("You may list your own webhooks only.")
    scope = f"webhooks\0{owner}"
    high = context.cursors.read(scope, cursor) if cursor else None
    page = await webhooks.newest(context.db, owner, high, limit)
    return Webhooks([Webhook(**_fields(row)) for row in page.rows], next_cursor(context, scope, page))


async def get(context: Context, caller: Caller, webhook_id: str) -> tuple[Webhook, int]:
    """The webhook and its revision. Raises NotFound."""
    row = await own(context, caller, webhook_id)
    return Webhook(**_fields(row)), row["rev"]


@again
async def change(
    context: Context, caller: Caller, webhook_id: str, wanted: ChangeWebhook, if_match: int | None
) -> tuple[Webhook, int]:
    """Raises NotFound, Forbidden, BadRequest, Stale."""
    row = await own(context, caller, webhook_id)
    _check_match(row, if_match)
    if wanted.url is not UNSET:
        check_url(wanted.url, "/url")
    await _check_rights(context, caller, row["form_id"], wanted.events or row["events"])
    fields = _changes(row, wanted)
    if not fields:
        return Webhook(**_fields(row)), row["rev"]
    if caller.user_id == row["owner"]:
        fields["by_admin"] = caller.is_admin
    told = sorted(fields.keys() - {"disabled_reason", "by_admin"})
    deed = audit.Entry(caller.user_id, "webhook.changed", webhook_id, {"fields": told})
    done = await _write(context, row, fields, deed)
    await webhook_rests.wake(context, webhook_id)
    return Webhook(**_fields(done)), done["rev"]


@again
async def delete(context: Context, caller: Caller, webhook_id: str, if_match: int | None) -> None:
    """What is still to be delivered is cancelled. Raises NotFound, Stale."""
    row = await own(context, caller, webhook_id)
    _check_match(row, if_match)
    deed = audit.Entry(caller.user_id, "webhook.deleted", webhook_id, {"form_id": row["form_id"]})
    async with context.generations.changing(webhooks.GENERATION):
        await together(context.db, lambda session: webhooks.delete(context.db, session, row, deed))


@again
async def rotate(context: Context, caller: Caller, webhook_id: str) -> Rotated:
    """A new secret; the old one holds for OVERLAP more. Of the default row: makes it if there is none.

    Raises NotFound, Stale.
    """
    secret = webhook_signatures.new_secret()
    row = await find_own(context, caller, webhook_id)
    if row is None:
        made = webhooks.default_id(caller.user_id)
        row = await webhooks.ensure_default(
            context.db, None, caller.user_id, context.sealer.seal(made, secret)
        )
        fields: Document = {"secret": context.sealer.seal(made, secret)}
    else:
        fields = webhooks.rotated(row, context.sealer.seal(row["_id"], secret), OVERLAP)
    deed = audit.Entry(caller.user_id, "webhook.rotated", row["_id"], {})
    done = await _write(context, row, fields, deed)
    until = done["previous_until"]
    return Rotated(secret=secret, previous_valid_until=rfc3339(until) if until else None)


async def test(context: Context, caller: Caller, webhook_id: str) -> Attempted:
    """One signed request of type `webhook.test`, now; logged like any other. Raises NotFound."""
    webhook, now = await own(context, caller, webhook_id), utc_now()
    told = Told("webhook.test", now, {"webhook_id": webhook_id, "asked_by": caller.user_id}, "")
    row: Document = {"_id": new_id(), "url": None, "body": told.body}
    attempt = (await webhook_attempts.send(context, webhook, row)).attempt
    event = Event(webhook_id, told.type, told.body, id=row["_id"])
    ended = {
        "state": "delivered" if attempt.is_delivered else "failed",
        "reason": attempt.error,
        "attempts": [attempt._asdict()],
        "next_attempt_at": None,
        "created_at": now,
    }
    # The time in the database of the request itself may be over.
    await deadlines.start(deliveries.insert(context.db, None, event, **ended))
    if attempt.is_delivered:
        await deadlines.start(webhook_rests.well(context, webhook_id, attempt.seconds))
    return webhook_attempts.attempted(attempt)


async def find_own(context: Context, caller: Caller, webhook_id: str) -> Document | None:
    """A row that the caller may see; None for a default one that was not made yet. Raises NotFound."""
    known = webhooks.default_id(caller.user_id) if webhook_id == DEFAULT else webhook_id
    row = await webhooks.find(context.db, known)
    if row is None and webhook_id == DEFAULT:
        return None
    if row is None or (row["owner"] != caller.user_id and not caller.is_admin):
        raise NotFound("There is no such webhook.")
    return row


async def own(context: Context, caller: Caller, webhook_id: str) -> Document:
    """A webhook that the caller may see. Raises NotFound, for a default one too: it subscribes to nothing."""
    row = await find_own(context, caller, webhook_id)
    if row is None or row["url"] is None:
        raise NotFound("There is no such webhook.")
    return row


async def _write(context: Context, row: Document, fields: Document, deed: audit.Entry) -> Document:
    async with context.generations.changing(webhooks.GENERATION):
        return await together(
            context.db, lambda session: webhooks.change(context.db, session, row, fields, deed)
        )


async def _check_rights(context: Context, caller: Caller, form_id: str | None, events: Sequence[str]) -> None:
    if form_id is not None:
        await visible_state(context, caller, form_id, Level.MANAGE)
    if "alert.fired" in events and not caller.is_admin:
        raise Forbidden("Only admins hear of alerts.")
    for event_type in events:
        if not caller.has_scope(_SCOPES[event_type.partition(".")[0]]):
            raise Forbidden(f"This API key may not read what {event_type} tells.")


def check_url(url: str, path: str) -> None:
    """Raises BadRequest, naming the field at `path`, for what cannot be called whatever it leads to."""
    try:
        web_addresses.parse(url)
    except BadAddress as fault:
        errors = [FieldError(path, str(fault))]
        raise BadRequest("The URL is not one that can be called.", errors=errors) from None


def _check_match(row: Document, if_match: int | None) -> None:
    if if_match is not None and row["rev"] != if_match:
        raise Stale("The webhook was changed since you read it; read it again.")


def _changes(row: Document, wanted: ChangeWebhook) -> Document:
    fields: Document = {}
    if wanted.url is not UNSET:
        fields["url"] = wanted.url
    if wanted.events is not UNSET:
        fields["events"] = list(dict.fromkeys(wanted.events))
    if wanted.status is not UNSET:
        fields["status"] = wanted.status
    changes = {name: value for name, value in fields.items() if value != row[name]}
    if "status" in changes:
        is_off = changes["status"] == "disabled"
        changes["disabled_reason"] = "somebody has switched it off" if is_off else None
    return changes


def _fields(row: Document) -> Document:
    return {
        "webhook_id": row["_id"],
        "url": row["url"],
        "events": row["events"],
        "form_id": row["form_id"],
        "owner": row["owner"],
        "status": row["status"],
        "disabled_reason": row["disabled_reason"],
        "created_at": rfc3339(row["created_at"]),
        "updated_at": rfc3339(row["updated_at"]),
    }
