"""Taking a submission: may this be answered now, are the answers right, then one durable write.

Judged by the form as the process knows it; what would be refused is judged again by the form as it is now,
and what the form's state changed under is judged anew. A key that was used before gives the first answer,
even where the form has closed, filled up or changed meanwhile.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from typing import Any

import msgspec

from appliance.clock import new_id, rfc3339, utc_now
from appliance.domain import event
from appliance.domain.access import Caller, Level, level
from appliance.domain.rules import Rules
from appliance.errors import (
    Conflict,
    Forbidden,
    FormClosed,
    FormNotOpen,
    Invalid,
    NotFound,
    Problem,
    Unauthenticated,
    Unavailable,
)
from appliance.queue.scripts import Job
from appliance.services import form_links, notices
from appliance.services.context import Context
from appliance.services.form_states import FormState, responses_key
from appliance.services.shapes import Submission, SubmissionMeta, Submitted
from appliance.stores import idempotency, response_edits, responses
from appliance.stores.mongo import Document
from appliance.stores.response_writer import DuplicateKey, FormChanged, Gate

_TRIES = 20
_LONGEST_SECONDS = 30 * 24 * 3600.0
_VERIFIED_PINS: set[bytes] = set()
_PIN_SALT = secrets.token_bytes(16)


class Attempt(msgspec.Struct, kw_only=True, frozen=True):
    """One submission with all that it is judged by."""

    form_id: str
    caller: Caller | None
    submission: Submission
    key: str | None = None
    pin: str | None = None
    link: str | None = None
    """The token of a link that the submission came through."""
    address: str | None = None

    @property
    def scoped_key(self) -> str | None:
        """Keys belong to their caller and form; those of strangers to the form."""
        if self.key is None:
            return None
        return f"{self.form_id}:{self.caller.user_id if self.caller else 'anonymous'}:{self.key}"


async def submit(context: Context, attempt: Attempt) -> tuple[Submitted, bool]:
    """The stored response, and whether it is the repeated answer to a key.

    Raises Invalid (answers, or a key used for another body), NotFound, Conflict, Forbidden, FormNotOpen,
    FormClosed, FormFull, Unauthenticated, Unavailable.
    """
    try:
        return _submitted(await _write(context, attempt)), False
    except (Problem, DuplicateKey) as refusal:
        if isinstance(refusal, Unavailable) or attempt.scoped_key is None:
            raise
        first = await _first_answer(context, attempt, attempt.scoped_key)
        if first is None:
            raise refusal if isinstance(refusal, Problem) else Conflict("Try again.") from None
        # It may have been written after its first verdict was lost, and after others had read on.
        context.generations.change(responses_key(attempt.form_id))
        return _submitted(first), True


async def admit(context: Context, attempt: Attempt) -> None:
    """Raises what `submit` would raise because of who asks, whatever they answer."""
    state = await _read_state(context, attempt)
    _check_access(attempt, state, await _link(context, attempt))


async def judge(context: Context, attempt: Attempt) -> dict[str, Any]:
    """The data as it would be stored. Raises what `submit` would, full forms and keys apart."""
    _, _, data = await _judge(context, attempt, await _read_state(context, attempt))
    return data


async def _write(context: Context, attempt: Attempt) -> Document:
    known = context.forms.find(attempt.form_id)
    if known is not None:
        try:
            return await _write_once(context, attempt, known)
        except Unavailable:
            raise
        except (Problem, FormChanged):
            pass  # perhaps only because the state was old
    for _ in range(_TRIES):
        try:
            return await _write_once(context, attempt, await _read_state(context, attempt))
        except FormChanged:
            continue
    raise Unavailable("The form is changing all the time; send the response again.")


async def _read_state(context: Context, attempt: Attempt) -> FormState:
    """Raises NotFound; Unauthenticated instead for a stranger, who is not to learn what exists."""
    try:
        return await context.forms.read(attempt.form_id)
    except NotFound:
        if attempt.link is not None:  # what a link to nothing gets
            raise Forbidden(form_links.REFUSED) from None
        if attempt.caller is None:
            raise Unauthenticated("This form is not public; sign in.") from None
        raise


async def _write_once(context: Context, attempt: Attempt, state: FormState) -> Document:
    link, rules, data = await _judge(context, attempt, state)
    events = event.rows("response.created", notices.watchers(context.settings, state.row))
    row = _row(attempt, state, data, rules.terms(data), events)
    if link is not None and link["single_use"]:
        row["person"] = f"link:{link['_id']}"  # whoever comes through it is that person, once
    try:
        # Before and after, whether it succeeds or not: a verdict that is lost may have been a yes.
        async with context.generations.changing(responses_key(attempt.form_id)):
            written = await context.writer.write(_gate(state), row)
    except Conflict:
        if link is not None and link["single_use"]:
            raise Conflict("This link was used already; it is good for one response.") from None
        raise
    context.sender.offer(_jobs(written))
    return written


def _gate(state: FormState) -> Gate:
    settings = state.row["settings"]
    return Gate(state.row["_id"], state.row["rev"], settings.get("max_responses"), settings.get("closes_at"))


async def _judge(
    context: Context, attempt: Attempt, state: FormState
) -> tuple[Document | None, Rules, dict[str, Any]]:
    """The link it came through, the rules and the checked data."""
    link = await _link(context, attempt)
    _check_access(attempt, state, link)
    _check_open(state)
    await _check_pin(context, attempt, state)
    assert state.published is not None  # noqa: S101 (a form past draft has a version)
    return link, state.published, await context.schemas.check(state.published, attempt.submission.data)


async def _link(context: Context, attempt: Attempt) -> Document | None:
    """What the submission came through. Raises Forbidden."""
    return None if attempt.link is None else await form_links.check(context, attempt.form_id, attempt.link)


def _check_access(attempt: Attempt, state: FormState, link: Document | None) -> None:
    settings, granted = state.row["settings"], level(attempt.caller, state.row)
    is_open = bool(settings.get("public")) or link is not None
    if attempt.caller is None and not is_open:
        raise Unauthenticated("This form is not public; sign in.")
    if granted == Level.NONE and (state.row["status"] == "draft" or not is_open):
        raise NotFound("There is no such form.")
    if state.row["status"] == "draft":
        raise Conflict("The form is a draft; publish it first.")
    if granted < Level.EDIT and not is_open:
        raise Forbidden("You may see this form, but not answer it.")
    if settings.get("one_per_person") and attempt.caller is None and not (link and link["single_use"]):
        raise Unauthenticated("This form takes one answer a person; sign in to answer it.")


def _check_open(state: FormState) -> None:
    settings, now = state.row["settings"], utc_now()
    opens, closes = settings.get("opens_at"), settings.get("closes_at")
    if opens is not None and now < opens:
        raise FormNotOpen(f"The form opens at {rfc3339(opens)}.")
    if state.row["status"] == "closed" or (closes is not None and now >= closes):
        raise FormClosed("The form has closed.")


async def _check_pin(context: Context, attempt: Attempt, state: FormState) -> None:
    """A PIN that was right once is remembered (keyed, in memory only): argon2 for each answer costs 23 ms."""
    pin_hash = state.row["settings"].get("pin")
    if pin_hash is None or level(attempt.caller, state.row) >= Level.EDIT:
        return
    given = attempt.pin or ""
    seen = hmac.digest(_PIN_SALT, f"{pin_hash}\0{given}".encode(), hashlib.sha256)
    if seen in _VERIFIED_PINS:
        return
    if not given or not await context.passwords.verify(pin_hash, given):
        raise Forbidden("This form needs its PIN, in the header X-Form-Pin.")
    if len(_VERIFIED_PINS) > 1000:
        _VERIFIED_PINS.clear()
    _VERIFIED_PINS.add(seen)


def _row(
    attempt: Attempt, state: FormState, data: dict[str, Any], terms: list[str], events: list[Document]
) -> Document:
    """The response as stored, but for `seq` and the times, which the writer gives."""
    settings, caller = state.row["settings"], attempt.caller
    row: Document = {
        "_id": new_id(),
        "form_id": attempt.form_id,
        "form_version": state.row["version"],
        "submitter": caller.user_id if caller else None,
        "status": "accepted",
        "revision": 1,
        "tags": [],
        "data": data,
        "meta": _meta(attempt.submission.meta, utc_now()),
        "kv": terms,
        "events": events,
        "task_ids": [row["id"] for row in events],
    }
    if attempt.scoped_key is not None:
        row["key"] = attempt.scoped_key
        row["body_hash"] = _body_hash(attempt)
    if settings.get("one_per_person") and caller is not None:
        row["person"] = caller.user_id
    if settings.get("store_address") and attempt.address is not None:
        row["meta"]["address"] = attempt.address
    return row


def _meta(told: SubmissionMeta, now: dt.datetime) -> Document:
    """What the client told, bounded: nothing began in the future, or lasted longer than it can have."""
    meta: Document = msgspec.to_builtins(told, builtin_types=(dt.datetime,))
    longest = _LONGEST_SECONDS
    if told.started_at is not None:
        started = min(max(told.started_at, now - dt.timedelta(seconds=longest)), now)
        longest = (now - started).total_seconds()
        meta["started_at"] = rfc3339(started)
        meta.setdefault("completion_time", longest)
    if "completion_time" in meta:
        meta["completion_time"] = min(meta["completion_time"], longest)
    for page in meta.get("pages", ()):
        page["seconds"] = min(page["seconds"], longest)
    return meta


def _jobs(row: Document) -> list[Job]:
    return [
        Job(
            event["id"],
            event["task"],
            {"form_id": row["form_id"], "response_id": row["_id"], "to": event["to"]},
        )
        for event in row["events"]
    ]


async def _first_answer(context: Context, attempt: Attempt, key: str) -> Document | None:
    """Raises Invalid when the key was used for another body."""
    row = await responses.find_by_key(context.db, key)
    if row is None:
        return None
    if row["body_hash"] != _body_hash(attempt):
        raise Invalid("This Idempotency-Key was used for another body; take a new key for a new response.")
    if row["revision"] > 1:  # edited since
        row["data"] = await response_edits.first_data(context.db, row["_id"])
    return row


def _body_hash(attempt: Attempt) -> str:
    return idempotency.body_hash(attempt.submission)


def _submitted(row: Document) -> Submitted:
    return Submitted(
        response_id=row["_id"],
        form_id=row["form_id"],
        form_version=row["form_version"],
        created_at=rfc3339(row["created_at"]),
        data=row["data"],
        task_ids=row["task_ids"],
    )
