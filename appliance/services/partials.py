"""Half-filled responses: kept for whoever has their token, so that a form can be finished on another device.

Their data is not judged; that comes with the submission. They are read and written by who may submit.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

import msgspec

from appliance.clock import rfc3339, utc_now
from appliance.domain.file_rule import file_of
from appliance.errors import BadRequest, FieldError, Invalid, NotFound
from appliance.services import admission, fair_shares
from appliance.services.admission import Visit
from appliance.services.context import Context
from appliance.services.partial_shapes import Partial, SavePartial
from appliance.stores import partials
from appliance.stores.mongo import Document

_MOST_FILES = 1000
_NAMED = re.compile(rb'"(/api/v1/forms/[A-Za-z0-9-]{1,64}/files/[A-Za-z0-9-]{1,64})"')


class Saved(NamedTuple):
    shape: Partial
    revision: int
    is_new: bool


async def save(
    context: Context, visit: Visit, token: str, wanted: SavePartial, if_match: int | None
) -> Saved:
    """Raises what a submission by the same visitor would raise because of who they are, BadRequest, Invalid
    for a version that there is not, Stale, Conflict when it was submitted, StorageFull.
    """
    admitted = await admission.enter(context, visit)
    await admission.check_unanswered(context, visit, admitted)
    version = _version(wanted, admitted.state.row["version"])
    text = _text(wanted)
    now = utc_now()
    fields: Document = {
        "form_id": visit.form_id,
        "form_version": version,
        "data": text.decode(),
        "page": wanted.page,
        "size": len(text),
        "updated_at": now,
        "expires_at": now + dt.timedelta(days=context.settings.partial_days),
    }
    if files := _files(text, visit.form_id):
        fields["files"] = files
    partial_id = partials.partial_id(visit.form_id, token)
    share = fair_shares.of_partials(context, visit, admitted.state)
    row, begun = await partials.save(context.db, partial_id, fields, if_match, share)
    return Saved(_shape(row), row["revision"], begun)


async def get(context: Context, visit: Visit, token: str) -> tuple[Partial, int]:
    """With its revision. Raises NotFound, and what `save` does because of who asks."""
    await admission.enter(context, visit)
    row = await partials.find(context.db, partials.partial_id(visit.form_id, token), utc_now())
    if row is None:
        raise NotFound("There is no half-filled response of this token.")
    return _shape(row), row["revision"]


async def withdraw(context: Context, visit: Visit, token: str) -> None:
    """Also of a form that takes no answers any more. Raises as `get`."""
    await admission.enter(context, visit, until_closed=False)
    partial_id = partials.partial_id(visit.form_id, token)
    if not await partials.end(context.db, partial_id, "withdrawn", utc_now()):
        raise NotFound("There is no half-filled response of this token.")


def _version(wanted: SavePartial, current: int) -> int:
    if wanted.form_version is msgspec.UNSET:
        return current
    if wanted.form_version > current:
        fault = FieldError("/form_version", f"the form's current version is {current}")
        raise Invalid("The form has no such version.", errors=[fault])
    return wanted.form_version


def _text(wanted: SavePartial) -> bytes:
    """Raises BadRequest for what JSON can spell but nobody can keep."""
    try:
        return msgspec.json.encode(wanted.data)
    except (ValueError, OverflowError, RecursionError) as fault:
        raise BadRequest("The data cannot be kept.", errors=[FieldError("/data", str(fault))]) from None


def _files(text: bytes, form_id: str) -> list[str]:
    """Ids of the form's files that are named anywhere in it."""
    named = (file_of(found.decode()) for found in _NAMED.findall(text))
    mine = dict.fromkeys(found[1] for found in named if found is not None and found[0] == form_id)
    return list(mine)[:_MOST_FILES]


def _shape(row: Document) -> Partial:
    return Partial(
        form_id=row["form_id"],
        form_version=row["form_version"],
        data=msgspec.Raw(row["data"].encode()),
        page=row["page"],
        created_at=rfc3339(row["created_at"]),
        updated_at=rfc3339(row["updated_at"]),
        expires_at=rfc3339(row["expires_at"]),
    )
