"""A form as those see it who answer it: the published questions, and few of the settings."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from appliance.domain.access import Level, level
from appliance.errors import NotFound, Unauthenticated
from appliance.services import admission, form_content, shapes
from appliance.services.admission import Visit
from appliance.services.bodies import Body, Cached, etag
from appliance.services.context import Context
from appliance.services.form_states import form_key
from appliance.services.forms import Read, whole_body
from appliance.stores import forms
from appliance.stores.mongo import Document

_SETTINGS = ("redirect_url", "language", "time_zone", "consent")


class Seen(NamedTuple):
    """What a visitor sees, and whether everybody sees it so."""

    read: Read
    is_public: bool


async def get(context: Context, visit: Visit) -> Seen:
    """The form as the visitor may see it: whole for those who may; of one with a PIN, no more than that to
    those who do not send it. From the cache where it is there.

    Raises NotFound, Forbidden for a wrong link or PIN, TooMany, or Unauthenticated for a stranger, who is not
    to learn what exists.
    """
    invited = await admission.link_of(context, visit) is not None
    try:
        state = await context.forms.get(visit.form_id)
        row, granted = state.row, level(visit.caller, state.row)
        is_open = invited or row["settings"].get("public")
        if granted == Level.NONE and (row["status"] == "draft" or not is_open):
            raise NotFound("There is no such form.")
    except NotFound:
        if visit.caller is None:
            raise Unauthenticated("This form is not public; sign in.") from None
        raise
    if granted >= Level.VIEW:
        return Seen(Read(await whole_body(context, visit.form_id), row["rev"]), is_public=False)
    has_pin = row["settings"].get("pin") is not None
    if has_pin and not visit.pin:
        return Seen(Read(_locked(row), row["rev"]), is_public=False)
    await admission.check_pin(context, visit, state)
    name, made_of = f"public-form:{visit.form_id}", (form_key(visit.form_id),)
    cached = await context.bodies.get(name, made_of, lambda: _public(context, visit.form_id))
    return Seen(Read(cached, row["rev"]), is_public=not invited and not has_pin)


def _locked(row: Document) -> Cached:
    """Of a form with a PIN that was not sent."""
    settings = {name: row["settings"][name] for name in ("language",) if name in row["settings"]}
    shape = shapes.LockedForm(form_id=row["_id"], slug=row["slug"], settings=settings)
    content = msgspec.json.encode(shape)
    return Cached(Body(content, etag(content)), hit=False)


async def _public(context: Context, form_id: str) -> bytes:
    row = await forms.get(context.db, form_id)
    version = await forms.get_version(context.db, form_id, row["version"])
    public = {name: row["settings"][name] for name in _SETTINGS if name in row["settings"]}
    shape = shapes.PublicForm(
        form_id=row["_id"],
        slug=row["slug"],
        title=version["title"],
        version=row["version"],
        pin_required=row["settings"].get("pin") is not None,
        definition=form_content.definition_of(version),
        schema=form_content.schema_of(version),
        settings=public,
    )
    return msgspec.json.encode(shape)
