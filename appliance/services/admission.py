"""Who may answer a form now: asked before anything of what they send is looked at.

The same for a submission, an upload and a half-filled response.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

import msgspec

from appliance.clock import rfc3339, utc_now
from appliance.domain.access import Caller, Level, level
from appliance.errors import (
    Conflict,
    Forbidden,
    FormClosed,
    FormNotOpen,
    NotFound,
    TooMany,
    Unauthenticated,
)
from appliance.services import form_links
from appliance.services.context import Context
from appliance.services.form_states import FormState
from appliance.stores import responses
from appliance.stores.buckets import Backoff
from appliance.stores.limits import origin
from appliance.stores.mongo import Document

_GUESSES, _MINUTE = 10, 60.0
"""PINs a minute that one address may try on one form; right ones that were seen before are not counted."""
_AFTER_WRONG_PINS = Backoff(free=5, first=15, longest=900, forget=1800)
PIN_NEEDED = "This form needs its PIN, in the header X-Form-Pin."
_KNOWN_PINS: dict[bytes, bool] = {}
"""Whether one was right. Keyed by a salt that no other process has."""
_PIN_SALT = secrets.token_bytes(16)


class Visit(msgspec.Struct, kw_only=True, frozen=True):
    """Somebody at the door of a form, with what they have shown there."""

    form_id: str
    caller: Caller | None
    pin: str | None = None
    link: str | None = None
    """The token of a link that they came through."""
    address: str | None = None


class Admitted(msgspec.Struct, frozen=True):
    """The form as they were let in to it, and the link that they came through."""

    state: FormState
    link: Document | None

    @property
    def person(self) -> str | None:
        """Whom a response through a single-use link stands for: whoever comes through it is one, once."""
        return f"link:{self.link['_id']}" if self.link is not None and self.link["single_use"] else None


async def read_state(context: Context, visit: Visit, *, anew: bool = True) -> FormState:
    """The form as it is now; without `anew`, as the process knows it. Raises NotFound; Unauthenticated
    instead for a stranger, who is not to learn what exists.
    """
    try:
        return await (context.forms.read(visit.form_id) if anew else context.forms.get(visit.form_id))
    except NotFound:
        if visit.link is not None:  # what a link to nothing gets
            raise Forbidden(form_links.REFUSED) from None
        if visit.caller is None:
            raise Unauthenticated("This form is not public; sign in.") from None
        raise


async def enter(context: Context, visit: Visit, *, until_closed: bool = True) -> Admitted:
    """For what is not a submission. Raises what `admit` does."""
    state = await read_state(context, visit, anew=False)
    return await admit(context, visit, state, until_closed=until_closed)


async def admit(context: Context, visit: Visit, state: FormState, *, until_closed: bool = True) -> Admitted:
    """Raises Forbidden, Unauthenticated, NotFound, Conflict, FormNotOpen, FormClosed, TooMany.

    Without `until_closed` a form that takes no answers (any more) is no hindrance.
    """
    admitted = Admitted(state, await link_of(context, visit))
    check_access(visit, admitted)
    if until_closed:
        check_open(state)
    await check_pin(context, visit, state)
    return admitted


async def link_of(context: Context, visit: Visit) -> Document | None:
    """Raises Forbidden."""
    return None if visit.link is None else await form_links.check(context, visit.form_id, visit.link)


def check_access(visit: Visit, admitted: Admitted) -> None:
    state, link = admitted.state, admitted.link
    settings, granted = state.row["settings"], level(visit.caller, state.row)
    is_open = bool(settings.get("public")) or link is not None
    if visit.caller is None and not is_open:
        raise Unauthenticated("This form is not public; sign in.")
    if granted == Level.NONE and (state.row["status"] == "draft" or not is_open):
        raise NotFound("There is no such form.")
    if state.row["status"] == "draft":
        raise Conflict("The form is a draft; publish it first.")
    if granted < Level.EDIT and not is_open:
        raise Forbidden("You may see this form, but not answer it.")
    if settings.get("one_per_person") and visit.caller is None and admitted.person is None:
        raise Unauthenticated("This form takes one answer a person; sign in to answer it.")


def check_open(state: FormState) -> None:
    """Raises FormNotOpen, FormClosed."""
    settings, now = state.row["settings"], utc_now()
    opens, closes = settings.get("opens_at"), settings.get("closes_at")
    if opens is not None and now < opens:
        raise FormNotOpen(f"The form opens at {rfc3339(opens)}.")
    if state.row["status"] == "closed" or (closes is not None and now >= closes):
        raise FormClosed("The form has closed.")


async def check_unanswered(context: Context, visit: Visit, admitted: Admitted) -> None:
    """Raises Conflict for a person who has answered a form that takes one answer each."""
    person = admitted.person
    if person is None and visit.caller is not None and admitted.state.row["settings"].get("one_per_person"):
        person = visit.caller.user_id
    if person is not None and await responses.has_answered(context.db, visit.form_id, person):
        raise Conflict(
            "This person has answered already, and the form takes one answer each."
            if admitted.person is None
            else form_links.USED
        )


async def check_pin(context: Context, visit: Visit, state: FormState) -> None:
    """What came of a PIN is remembered (keyed, in memory only): argon2 for each answer costs 23 ms, and who
    sends the same wrong one again has not guessed once more.

    Raises Forbidden, and TooMany for an address that guesses.
    """
    pin_hash = state.row["settings"].get("pin")
    if pin_hash is None or level(visit.caller, state.row) >= Level.EDIT:
        return
    given = visit.pin or ""
    seen = hmac.digest(_PIN_SALT, f"{pin_hash}\0{given}".encode(), hashlib.sha256)
    if not given:
        raise Forbidden(PIN_NEEDED)
    is_right = _KNOWN_PINS.get(seen)
    if is_right is None:
        is_right = await _guess(context, visit, pin_hash, given)
        if len(_KNOWN_PINS) > 10_000:
            _KNOWN_PINS.clear()
        _KNOWN_PINS[seen] = is_right
    if not is_right:
        raise Forbidden("This is not the form's PIN.")


async def _guess(context: Context, visit: Visit, pin_hash: str, given: str) -> bool:
    """The bucket holds those back who guess at once, the wait those who guess on and on. Raises TooMany."""
    name = f"pin:{visit.form_id}:{origin(visit.address)}"
    tries = await context.limits.take(name, _GUESSES, _MINUTE)
    wait = await context.limits.blocked(name)
    if not tries.allowed or wait > 0:
        after = max(1, round(wait)) if tries.allowed else tries.reset_seconds
        raise TooMany("Too many PINs from this address; try again later.", retry_after=after)
    if await context.passwords.verify(pin_hash, given):
        await context.limits.clear(name)
        return True
    await context.limits.fail(name, _AFTER_WRONG_PINS)
    return False
