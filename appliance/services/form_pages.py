"""What the page of a form shows to somebody who comes by its address, signed in as nobody.

Contract of `open_form`: it refuses whom `submissions.submit` would refuse whatever they answer, so that
nobody fills in what cannot be sent. It is a courtesy: the verdict is the submission's.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from typing import Any

from appliance.domain.node import Node
from appliance.domain.rules import SurveyRules
from appliance.errors import Forbidden, FormFull, NotFound
from appliance.services import admission, form_links, public_forms
from appliance.services.admission import Admitted, Visit
from appliance.services.bodies import Body
from appliance.services.context import Context
from appliance.services.form_states import FormState
from appliance.stores import forms as stored_forms


@dataclass(frozen=True, slots=True)
class OpenForm:
    """A form that may be answered now. `body` is its JSON as strangers see it; None: PIN first."""

    form_id: str
    slug: str
    title: str
    version: int
    settings: dict[str, Any]
    body: Body | None
    survey: Node | None
    """Its definition as read; None for one by JSON Schema, and while the PIN is missing."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Of a page about a form, whether or not it may be answered."""

    title: str
    language: str | None
    frame_ancestors: tuple[str, ...]
    redirect_url: str | None
    opens: str | None
    """When it does, in the form's time zone."""


NOWHERE = Surroundings("", None, (), None, None)


async def open_form(context: Context, slug: str, token: str | None) -> OpenForm:
    """Raises NotFound, Forbidden (the link), Conflict (it was used), Unauthenticated (one answer a person),
    FormNotOpen, FormClosed, FormFull, Unavailable.
    """
    admitted = await _admitted(context, slug, token)
    row = admitted.state.row
    visit = Visit(form_id=row["_id"], caller=None, link=token)
    admission.check_access(visit, admitted)
    await admission.check_unanswered(context, visit, admitted)
    admission.check_open(admitted.state)
    await _check_room(context, admitted.state)
    body, survey, rules = None, None, admitted.state.published
    if row["settings"].get("pin") is None:
        body = (await public_forms.get(context, visit)).read.cached.body
        survey = rules.form.survey if isinstance(rules, SurveyRules) else None
    return OpenForm(row["_id"], slug, row["title"], row["version"], row["settings"], body, survey)


async def surroundings(context: Context, slug: str, token: str | None = None) -> Surroundings:
    """Of a form that whoever asks may know of; else NOWHERE."""
    try:
        state = (await _admitted(context, slug, token)).state
    except (NotFound, Forbidden):
        return NOWHERE
    settings = state.row["settings"]
    return Surroundings(
        state.row["title"],
        settings.get("language"),
        tuple(settings.get("frame_ancestors", ())),
        settings.get("redirect_url"),
        _moment(settings.get("opens_at"), settings.get("time_zone")),
    )


def _moment(moment: dt.datetime | None, time_zone: str | None) -> str | None:
    if moment is None:
        return None
    zone = zoneinfo.ZoneInfo(time_zone or "UTC")
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"


async def form_id(context: Context, slug: str) -> str:
    """Raises NotFound."""
    return str((await context.forms.by_slug(slug)).row["_id"])


async def _admitted(context: Context, slug: str, token: str | None) -> Admitted:
    """A published form and the link to it. Raises NotFound; with a token Forbidden, whatever there is."""
    try:
        state = await context.forms.by_slug(slug)
        link = None if token is None else await form_links.check(context, state.row["_id"], token)
        is_known = link is not None or state.row["settings"].get("public")
        if state.row["status"] == "draft" or not is_known:
            raise NotFound("There is no such form.")
    except NotFound:
        if token is not None:
            raise Forbidden(form_links.REFUSED) from None
        raise
    return Admitted(state, link)


async def _check_room(context: Context, state: FormState) -> None:
    most = state.row["settings"].get("max_responses")
    if most is not None:
        counters = await stored_forms.get_counters(context.db, state.row["_id"])
        if counters["taken"] >= most:
            raise FormFull("The form has all the answers that it takes.")
