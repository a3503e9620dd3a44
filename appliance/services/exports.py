"""Exports of responses: at once while the caller waits, or as a task with a download.

Who may read a form's responses may export them (deleted ones: who may edit). A download belongs to whoever
asked for it, and their rights are looked at anew each time.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from appliance.addresses import Paths
from appliance.clock import is_time_zone, utc_now
from appliance.domain.access import Caller, Level
from appliance.errors import BadRequest, Conflict, FieldError, Invalid, NotFound
from appliance.queue.scripts import Job
from appliance.services import background, export_making, repeats, webhooks
from appliance.services.background import Accepted
from appliance.services.context import Context
from appliance.services.export_making import Wanted, file_name
from appliance.services.export_shapes import StartExport
from appliance.services.forms import visible_state
from appliance.services.responses import index_terms
from appliance.stores import audit, exports, outbox
from appliance.stores.exports import Finished
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session

TASK = "export_responses"
MOST_KEPT = 100
"""Of one person: being made, or ready and not yet expired."""


async def wanted(
    context: Context, caller: Caller, form_id: str, asked: StartExport
) -> tuple[Wanted, Document]:
    """What is asked for, checked, and the form. Raises NotFound, Forbidden, Invalid."""
    level = Level.EDIT if asked.status == "deleted" else Level.VIEW
    form = await visible_state(context, caller, form_id, level)
    zone = asked.time_zone or form["settings"].get("time_zone") or "UTC"
    if not is_time_zone(zone):
        fault = FieldError("/time_zone", "not a time zone of the IANA database, such as Europe/Berlin")
        raise Invalid("There is no such time zone.", errors=[fault])
    try:
        terms = await index_terms(context, form_id, asked.filter, asked.status)
    except BadRequest as refusal:
        raise Invalid(refusal.detail) from None
    found = Wanted(
        format=asked.format,
        table=asked.table,
        bom=asked.bom,
        time_zone=zone,
        start=asked.start,
        end=asked.end,
        status=asked.status,
        terms=terms,
    )
    if asked.bom and asked.format != "csv":
        fault = FieldError("/bom", "only csv takes a byte order mark")
        raise Invalid("There is no such thing in this format.", errors=[fault])
    if asked.table is not None:
        export_making.check_table(found, await export_making.columns_of(context, form_id))
    return found, form


def deed_of(caller: Caller, form_id: str, found: Wanted) -> audit.Entry:
    """What the audit log says of it."""
    return audit.Entry(caller.user_id, "responses.exported", form_id, {"format": found.format})


async def start(
    context: Context, caller: Caller, form_id: str, asked: StartExport, given_key: str | None
) -> tuple[Accepted, bool]:
    """Promise the export, and whether that is the repeated answer to a key.

    Raises NotFound, Forbidden, Invalid, BadRequest (webhook_url), Conflict for somebody with too many.
    """
    found, form = await wanted(context, caller, form_id, asked)
    if asked.webhook_url is not None:
        webhooks.check_url(asked.webhook_url, "/webhook_url")
    now = utc_now()
    if await exports.count(context.db, caller.user_id, now) >= MOST_KEPT:
        raise Conflict(f"You have {MOST_KEPT} exports already; each is gone 24 hours after it was made.")
    made: list[Job] = []

    async def write(session: Session) -> Accepted:
        job = await background.promise(
            context, session, caller, TASK, {"form_id": form_id}, webhook_url=asked.webhook_url
        )
        row = {
            "_id": job.id,
            "form_id": form_id,
            "owner": caller.user_id,
            "needs_edit": found.status == "deleted",
            "wanted": msgspec.to_builtins(found, builtin_types=(dt.datetime,)),
            "name": file_name(form, found),
            "state": "pending",
            "created_at": now,
            "expires_at": now + exports.KEPT,
        }
        await exports.insert(context.db, session, row)
        await audit.record(context.db, session, deed_of(caller, form_id, found))
        made[:] = [job]
        return background.accepted(job)

    key = repeats.key(context, caller, f"/api/v1/forms/{form_id}/exports", given_key, asked)
    answer, replayed = await repeats.once(
        context, key, Accepted, write, "A request with this Idempotency-Key is under way."
    )
    if made and not replayed:
        background.begin(context, made[0])
    return answer, replayed


async def get(context: Context, caller: Caller, export_id: str) -> Finished | Accepted:
    """What may be downloaded now, or the task that makes it.

    Raises NotFound for what is absent, expired or somebody else's, Forbidden, Conflict for one that failed.
    """
    row = await exports.find(context.db, export_id)
    absent = NotFound("There is no such export; each is kept for 24 hours.")
    if row is None or row["expires_at"] <= utc_now():
        raise absent
    if row["owner"] != caller.user_id and not caller.is_admin:
        raise absent
    needed = Level.EDIT if row.get("needs_edit") else Level.VIEW
    await visible_state(context, caller, row["form_id"], needed)
    if row["state"] == "ready":
        if not (Paths(context.settings.data).exports / export_id).exists():
            raise absent
        return Finished(*(row[name] for name in Finished._fields))
    return await _under_way(context, export_id, absent)


async def _under_way(context: Context, export_id: str, absent: NotFound) -> Accepted:
    promise = await outbox.find(context.db, export_id)
    if promise is None:  # cancelled, or ready since we looked
        row = await exports.find(context.db, export_id)
        if row is None or row["state"] != "ready":
            raise absent
    elif promise["state"] != "pending":
        raise Conflict("Making this export failed; its task and the dead letters tell why.")
    return background.accepted(Job(export_id, TASK, {}))
