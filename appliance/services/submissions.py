"""Taking a submission: may this be answered now, are the answers right, then one durable write.

Judged by the form as the process knows it; what would be refused is judged again by the form as it is now,
and what the form's state changed under is judged anew. A key that was used before gives the first answer,
even where the form has closed, filled up or changed meanwhile.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from pymongo.errors import PyMongoError

from appliance import logs
from appliance.clock import new_id, rfc3339, utc_now
from appliance.domain import event
from appliance.errors import (
    Conflict,
    FormOutdated,
    InternalError,
    Invalid,
    NotFound,
    Problem,
    Unavailable,
)
from appliance.metrics import counts
from appliance.services import admission, file_answers, form_links, notices
from appliance.services.context import Context
from appliance.services.form_states import FormState, responses_key
from appliance.services.shapes import Submission, SubmissionMeta, Submitted
from appliance.stores import idempotency, mongo, outbox, partials, response_edits, responses
from appliance.stores.mongo import Document
from appliance.stores.reservations import DuplicateKey, FilesTaken, FormChanged, Gate

_TRIES = 20
_LONGEST_SECONDS = 30 * 24 * 3600.0

log = logs.get(__name__)


class Origin(msgspec.Struct, kw_only=True, frozen=True):
    """Of a response that was given elsewhere or earlier, and is imported: nobody is told of it.

    `meta` is believed as it is where the importer may say so; None: it is bounded as always.
    """

    submitter: str | None = None
    meta: dict[str, Any] | None = None


class Attempt(admission.Visit, kw_only=True, frozen=True):
    """One submission with all that it is judged by."""

    submission: Submission
    key: str | None = None
    origin: Origin | None = None

    @property
    def partial_id(self) -> str | None:
        """Of the half-filled response that this one finishes."""
        token = self.submission.partial
        return None if token is msgspec.UNSET else partials.partial_id(self.form_id, token)

    @property
    def scoped_key(self) -> str | None:
        """Keys belong to their caller and form; those of strangers to the form.

        Of a half-filled response one response comes, whatever Idempotency-Key is sent with it.
        """
        if self.partial_id is not None:
            return partials.submit_key(self.partial_id)
        if self.key is None:
            return None
        return f"{self.form_id}:{self.caller.user_id if self.caller else 'anonymous'}:{self.key}"

    @property
    def submitter(self) -> str | None:
        """The account that has answered, where one has."""
        if self.origin is not None:
            return self.origin.submitter
        return self.caller.user_id if self.caller else None

    @property
    def is_flagged(self) -> bool:
        """Somebody filled in the field that people do not see."""
        return bool(self.submission.meta.honeypot)


class _Judged(msgspec.Struct, frozen=True):
    """What a submission was found to be: by whom, its data as stored, its index terms and its files."""

    admitted: admission.Admitted
    data: dict[str, Any]
    terms: list[str]
    files: list[str]


async def submit(context: Context, attempt: Attempt) -> tuple[Submitted, bool]:
    """The stored response, and whether it is the repeated answer to a key.

    Raises Invalid (answers, or a key used for another body), NotFound, Conflict, Forbidden, FormNotOpen,
    FormClosed, FormFull, Unauthenticated, Unavailable.
    """
    try:
        submitted, is_repeated = await _submit(context, attempt)
    except (Problem, PyMongoError) as refusal:
        problem = refusal if isinstance(refusal, Problem) else mongo.as_problem(refusal)
        counts.add("submissions_rejected", InternalError.slug if problem is None else problem.slug)
        raise
    counts.add("submissions_repeated" if is_repeated else "submissions_accepted")
    return submitted, is_repeated


async def _submit(context: Context, attempt: Attempt) -> tuple[Submitted, bool]:
    try:
        written = await _write(context, attempt)
    except (Problem, DuplicateKey) as refusal:
        if isinstance(refusal, Unavailable) or attempt.scoped_key is None:
            raise
        first = await _first_answer(context, attempt, attempt.scoped_key)
        if first is None:
            raise refusal if isinstance(refusal, Problem) else Conflict("Try again.") from None
        await _finish(context, attempt, first)
        # It may have been written after its first verdict was lost, and after others had read on.
        context.generations.change(responses_key(attempt.form_id))
        return _submitted(first), True
    await _finish(context, attempt, written)
    return _submitted(written), False


async def _finish(context: Context, attempt: Attempt, row: Document) -> None:
    """The half-filled response has done its work. What cannot be cleared now, the hourly pruning clears."""
    if attempt.partial_id is None:
        return
    try:
        await partials.finish(context.db, attempt.partial_id, row["_id"], row["created_at"])
    except PyMongoError as fault:
        log.warning("a partial response stays for now", extra={"error": str(fault)[:200]})


async def admit(context: Context, attempt: Attempt) -> None:
    """Raises what `submit` would raise because of who asks, whatever they answer."""
    state = await admission.read_state(context, attempt)
    link = await admission.link_of(context, attempt)
    admission.check_access(attempt, admission.Admitted(state, link))


async def admit_now(context: Context, attempt: Attempt) -> None:
    """The same, and FormNotOpen and FormClosed."""
    await admission.admit(context, attempt, await admission.read_state(context, attempt))


async def judge(context: Context, attempt: Attempt) -> dict[str, Any]:
    """The data as it would be stored. Raises what `submit` would, full forms and keys apart."""
    return (await _judge(context, attempt, await admission.read_state(context, attempt))).data


async def schema(context: Context, form_id: str) -> dict[str, Any]:
    """The JSON Schema of the answers to the published version; of nothing, where there is none."""
    try:
        state = await context.forms.get(form_id)
    except NotFound:
        return {}
    return {} if state.published is None else state.published.schema()


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
            return await _write_once(context, attempt, await admission.read_state(context, attempt))
        except FormChanged:
            continue
    raise Unavailable("The form is changing all the time; send the response again.")


async def _write_once(context: Context, attempt: Attempt, state: FormState) -> Document:
    judged = await _judge(context, attempt, state)
    row = _row(attempt, judged, [] if attempt.origin else await _events(context, attempt, judged))
    try:
        # Before and after, whether it succeeds or not: a verdict that is lost may have been a yes.
        async with context.generations.changing(responses_key(attempt.form_id)):
            written = await context.writer.write(_gate(state), row)
    except FilesTaken:
        raise
    except Conflict:
        if judged.admitted.person is not None:
            raise Conflict(form_links.USED) from None
        raise
    context.sender.offer(outbox.jobs_of(written))
    return written


def _gate(state: FormState) -> Gate:
    settings = state.row["settings"]
    limits = settings.get("max_responses"), settings.get("closes_at"), state.quotas
    return Gate(state.row["_id"], state.row["rev"], *limits, has_text=state.has_text)


async def _judge(context: Context, attempt: Attempt, state: FormState) -> _Judged:
    admitted = await admission.admit(context, attempt, state)
    asked, version = attempt.submission.form_version, state.row["version"]
    if asked is not msgspec.UNSET and asked != version:
        raise FormOutdated(f"The form has changed: its version is {version} by now.", version=version)
    assert state.published is not None  # noqa: S101 (a form past draft has a version)
    submission, settings = attempt.submission, state.row["settings"]
    wanted = submission.meta.language, settings.get("language")
    data = await context.schemas.check(state.published, submission.data, *wanted)
    data, files = await file_answers.resolve(context, attempt.form_id, state.published, data, wanted)
    return _Judged(admitted, data, state.published.terms(data), files)


async def _events(context: Context, attempt: Attempt, judged: _Judged) -> list[Document]:
    """What is to be done about it. Nobody gets an e-mail about what a robot filled in."""
    form, settings = judged.admitted.state.row, context.settings
    subscribers = await context.subscriptions.of_form("response.created", form)
    if attempt.is_flagged:
        return event.rows("response.created", subscribers=subscribers)
    return event.rows(
        "response.created",
        watchers=notices.watchers(settings, form),
        submitter=notices.submitter(settings, form, attempt.caller, judged.data),
        subscribers=subscribers,
    )


def _row(attempt: Attempt, judged: _Judged, events: list[Document]) -> Document:
    """The response as stored, but for `seq` and the times, which the writer gives."""
    form = judged.admitted.state.row
    believed = None if attempt.origin is None else attempt.origin.meta
    status = "flagged" if attempt.is_flagged else "accepted"
    row: Document = {
        "_id": new_id(),
        "form_id": attempt.form_id,
        "form_version": form["version"],
        "submitter": attempt.submitter,
        "status": status,
        "revision": 1,
        "tags": [],
        "data": judged.data,
        "meta": _meta(attempt.submission.meta, utc_now()) if believed is None else believed,
        "kv": responses.terms_with_status(judged.terms, status),
        "events": events,
        "task_ids": [row["id"] for row in events],
    }
    if form["settings"].get("store_address") and attempt.address is not None:
        row["meta"]["address"] = attempt.address
    return row | _only_once(attempt, judged)


def _only_once(attempt: Attempt, judged: _Judged) -> Document:
    """The fields that no two responses share: each has an index that sees to it."""
    row: Document = {}
    if attempt.scoped_key is not None:
        row |= {"key": attempt.scoped_key, "body_hash": _body_hash(attempt)}
    settings = judged.admitted.state.row["settings"]
    if settings.get("one_per_person") and attempt.submitter is not None:
        row["person"] = attempt.submitter
    if judged.admitted.person is not None:
        row["person"] = judged.admitted.person
    if judged.files:  # never an empty list: two of those are the same to the index
        row["files"] = judged.files
    return row


def _meta(told: SubmissionMeta, now: dt.datetime) -> Document:
    """What the client told, bounded: nothing began in the future, or lasted longer than it can have."""
    meta: Document = msgspec.to_builtins(told, builtin_types=(dt.datetime,))
    meta.pop("honeypot", None)
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


async def _first_answer(context: Context, attempt: Attempt, key: str) -> Document | None:
    """Raises Invalid when the key was used for another body."""
    row = await responses.find_by_key(context.db, key)
    if row is None:
        return None
    if row["body_hash"] != _body_hash(attempt):
        if attempt.partial_id is not None:
            raise Invalid("What was half-filled was submitted already, with other answers.")
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
