"""Links to answer a form by."""

from __future__ import annotations

from typing import Any

from appliance.clock import is_moment, new_id, rfc3339, utc_now
from appliance.domain.access import Caller, Level
from appliance.errors import FieldError, Forbidden, Invalid
from appliance.services import repeats
from appliance.services.context import Context
from appliance.services.form_shapes import CreatedLink, CreateLink, Link, Links
from appliance.services.forms import next_cursor, visible_state
from appliance.stores import idempotency, links
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session

ABOUT = "This link"
"""How every refusal of a link begins, and none of a PIN."""
REFUSED = f"{ABOUT} does not open the form, or not any more."
USED = f"{ABOUT} was used already; it is good for one response."


async def create(
    context: Context, caller: Caller, form_id: str, wanted: CreateLink, key: idempotency.Key | None
) -> tuple[CreatedLink, bool]:
    """The link with its token, and whether it is the repeated answer. Raises NotFound, Forbidden, Invalid.

    The token is derived from the link's id by a key of the appliance, so that a repeated request can have it
    again although only its hash is kept.
    """
    form = await visible_state(context, caller, form_id, Level.MANAGE)
    if wanted.expires_at is not None and not is_moment(wanted.expires_at):
        fault = FieldError("/expires_at", "must lie in the years 1970 to 9000")
        raise Invalid("The time is not valid.", errors=[fault])
    link_id = new_id()
    row: Document = {
        "_id": link_id,
        "form_id": form_id,
        "token_hash": links.token_hash(_token(context, link_id)),
        "single_use": wanted.single_use,
        "expires_at": wanted.expires_at,
        "note": wanted.note,
        "created_at": utc_now(),
        "created_by": caller.user_id,
    }

    async def write(session: Session) -> CreatedLink:
        return CreatedLink(**_fields(await links.create(context.db, session, row)))

    made, replayed = await repeats.once(context, key, CreatedLink, write, "Try again.")
    made.token = _token(context, made.link_id)
    made.url = f"/f/{form['slug']}?link={made.token}"
    return made, replayed


async def newest(context: Context, caller: Caller, form_id: str, cursor: str | None, limit: int) -> Links:
    """A page of a form's links, without their tokens. Raises NotFound, Forbidden, BadRequest."""
    await visible_state(context, caller, form_id, Level.MANAGE)
    scope = f"links\0{form_id}"
    high = context.cursors.read(scope, cursor) if cursor else None
    page = await links.newest(context.db, form_id, high, limit)
    return Links([Link(**_fields(row)) for row in page.rows], next_cursor(context, scope, page))


async def withdraw(context: Context, caller: Caller, form_id: str, link_id: str) -> None:
    """Raises NotFound, Forbidden."""
    await visible_state(context, caller, form_id, Level.MANAGE)
    await links.withdraw(context.db, form_id, link_id, caller.user_id)


async def check(context: Context, form_id: str, token: str) -> Document:
    """The link of a token, read anew each time. Raises Forbidden for one that does not open this form."""
    row = await links.find_by_token(context.db, token)
    if row is None or row["form_id"] != form_id or row["withdrawn_at"] is not None:
        raise Forbidden(REFUSED)
    if row["expires_at"] is not None and row["expires_at"] <= utc_now():
        raise Forbidden(f"{ABOUT} expired at {rfc3339(row['expires_at'])}.")
    return row


def _token(context: Context, link_id: str) -> str:
    """256 bits in URL-safe base64."""
    return context.cursors.derive("form-link", link_id)


def _fields(row: Document) -> dict[str, Any]:
    return {
        "link_id": row["_id"],
        "single_use": row["single_use"],
        "expires_at": rfc3339(row["expires_at"]) if row["expires_at"] else None,
        "note": row["note"],
        "created_at": rfc3339(row["created_at"]),
        "created_by": row["created_by"],
    }
