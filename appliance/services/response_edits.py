"""Changing responses: edit, delete, restore, many at once; and what they were before."""

from __future__ import annotations

from msgspec import UNSET

from appliance.clock import rfc3339
from appliance.domain.access import Caller, Level
from appliance.errors import BadRequest, Conflict, FieldError, Stale
from appliance.services import deadlines, file_answers, shapes
from appliance.services.context import Context
from appliance.services.form_states import responses_key
from appliance.services.forms import next_cursor, visible_state
from appliance.services.rereading import again
from appliance.services.response_shapes import Bulk, BulkDone, ChangeResponse, EarlierState, History
from appliance.services.responses import response_shape
from appliance.stores import audit, idempotency, outbox, response_edits, responses
from appliance.stores.mongo import Document
from appliance.stores.response_edits import Change, Happening

MAX_TAGS = 50
PIECE = 100
"""Responses that are changed together: some 200 ms of the embedded database."""


@again
async def change(
    context: Context,
    caller: Caller,
    form_id: str,
    response_id: str,
    wanted: ChangeResponse,
    if_match: int | None,
) -> shapes.Response:
    """Judged anew by the version of the form that the response answered. The same again changes nothing.

    Raises NotFound, Forbidden below `edit`, Invalid, Stale, Conflict for a deleted response.
    """
    row = await _row(context, caller, form_id, response_id, if_match)
    if row["status"] == "deleted":
        raise Conflict("The response is deleted; restore it first.")
    asked: Document = {}
    if wanted.status is not UNSET:
        asked["status"] = wanted.status
    if wanted.tags is not UNSET:
        asked["tags"] = list(dict.fromkeys(wanted.tags))
    if wanted.data is not UNSET:
        rules = await context.forms.compiled(form_id, row["form_version"])
        wanted_in = await _languages(context, row)
        data = await context.schemas.check(rules, wanted.data, *wanted_in)
        asked["data"], files = await file_answers.resolve(
            context, form_id, rules, data, wanted_in, own=response_id
        )
    fields = {name: value for name, value in asked.items() if not idempotency.is_same(value, row[name])}
    if "data" in fields:
        fields["kv"] = rules.terms(fields["data"])
        if held := file_answers.all_files(row, files):
            fields["files"] = held
    return await _write(context, caller, row, fields, "response.updated")


@again
async def delete(
    context: Context, caller: Caller, form_id: str, response_id: str, if_match: int | None
) -> None:
    """Out of every list, until it is restored. Raises NotFound, Forbidden, Stale."""
    row = await _row(context, caller, form_id, response_id, if_match)
    await _write(context, caller, row, _deleted(row), "response.deleted")


@again
async def restore(
    context: Context, caller: Caller, form_id: str, response_id: str, if_match: int | None
) -> shapes.Response:
    """With the status it had. Raises NotFound, Forbidden, Stale."""
    row = await _row(context, caller, form_id, response_id, if_match)
    return await _write(context, caller, row, _restored(row), "response.restored")


async def history(
    context: Context, caller: Caller, form_id: str, response_id: str, cursor: str | None, limit: int
) -> History:
    """The states before the present one, newest first. Raises NotFound, Forbidden, BadRequest."""
    row = await _row(context, caller, form_id, response_id, None)
    scope = f"history\0{response_id}"
    high = context.cursors.read(scope, cursor) if cursor else row["revision"] - 1
    page = await response_edits.history(context.db, response_id, high, limit)
    return History([_earlier(state) for state in page.rows], next_cursor(context, scope, page))


async def bulk(context: Context, caller: Caller, form_id: str, wanted: Bulk) -> BulkDone:
    """In pieces of PIECE responses, each all or none. The same again does what is left, and no more.

    Raises NotFound, Forbidden, BadRequest.
    """
    form = await visible_state(context, caller, form_id, Level.EDIT)
    change, event_type = _change_of(wanted)
    happening = Happening(event_type, await context.subscriptions.of_form(event_type, form))
    details: Document = {"action": wanted.action}
    if wanted.value is not UNSET:
        details["value"] = wanted.value
    deed = audit.Entry(caller.user_id, "responses.changed", form_id, details)
    ids = list(dict.fromkeys(wanted.response_ids))
    changed, found = 0, set[str]()
    async with context.generations.changing(responses_key(form_id)):
        for first in range(0, len(ids), PIECE):
            piece = ids[first : first + PIECE]
            work = again(response_edits.change_many)(context.db, form_id, piece, change, deed, happening)
            done = await deadlines.start(work)
            context.sender.offer(done.jobs)
            changed, found = changed + done.changed, found | done.found
    missing = [response_id for response_id in ids if response_id not in found]
    return BulkDone(changed, len(found) - changed, missing)


async def _languages(context: Context, row: Document) -> list[str | None]:
    """Those that the answer is told its faults in, the best first: its own, else the form's."""
    state = await context.forms.get(row["form_id"])
    return [row["meta"].get("language"), state.row["settings"].get("language")]


async def _row(
    context: Context, caller: Caller, form_id: str, response_id: str, if_match: int | None
) -> Document:
    await visible_state(context, caller, form_id, Level.EDIT)
    row = await responses.get(context.db, form_id, response_id)
    if if_match is not None and row["revision"] != if_match:
        raise Stale("The response was changed since you read it; read it again.")
    return row


async def _write(
    context: Context, caller: Caller, row: Document, fields: Document, event_type: str
) -> shapes.Response:
    if not fields:
        return response_shape(row)
    names = sorted(fields.keys() - {"kv", "files", "deleted_from"})
    deed = audit.Entry(caller.user_id, event_type, row["_id"], {"form_id": row["form_id"], "fields": names})
    form = (await context.forms.get(row["form_id"])).row
    happening = Happening(event_type, await context.subscriptions.of_form(event_type, form))
    async with context.generations.changing(responses_key(row["form_id"])):
        done = await response_edits.change(context.db, row, fields, deed, happening)
    context.sender.offer(outbox.jobs_of(done))
    return response_shape(done)


def _deleted(row: Document) -> Document:
    if row["status"] == "deleted":
        return {}
    return {"status": "deleted", "deleted_from": row["status"]}


def _restored(row: Document) -> Document:
    return {"status": row["deleted_from"]} if row["status"] == "deleted" else {}


def _change_of(wanted: Bulk) -> tuple[Change, str]:
    """What to do with each response, and the event of it. Raises BadRequest."""
    if wanted.action in ("delete", "restore"):
        if wanted.value is not UNSET:
            raise _value_fault(f"`{wanted.action}` takes no value")
        if wanted.action == "delete":
            return _deleted, "response.deleted"
        return _restored, "response.restored"
    if wanted.value is UNSET:
        raise _value_fault(f"missing: `{wanted.action}` needs a value")
    value = wanted.value
    if wanted.action == "set_status":
        if value not in ("accepted", "flagged"):
            raise _value_fault("a status is `accepted` or `flagged`")
        return lambda row: _unless_deleted(row, {"status": value}), "response.updated"
    return lambda row: _unless_deleted(row, {"tags": _tags(row, wanted.action, value)}), "response.updated"


def _tags(row: Document, action: str, tag: str) -> list[str]:
    others = [one for one in row["tags"] if one != tag]
    if action == "untag":
        return others
    return row["tags"] if tag in row["tags"] or len(others) >= MAX_TAGS else [*others, tag]


def _unless_deleted(row: Document, fields: Document) -> Document:
    if row["status"] == "deleted":
        return {}
    return {name: value for name, value in fields.items() if row[name] != value}


def _value_fault(message: str) -> BadRequest:
    return BadRequest("The action and its value do not fit.", errors=[FieldError("/value", message)])


def _earlier(row: Document) -> EarlierState:
    return EarlierState(
        revision=row["revision"],
        status=row["status"],
        tags=row["tags"],
        data=row["data"],
        updated_at=rfc3339(row["updated_at"]),
        replaced_at=rfc3339(row["replaced_at"]),
        replaced_by=row["replaced_by"],
    )
