"""Who else may see, edit or manage a form; and forms that are deleted and come back."""

from __future__ import annotations

from msgspec import UNSET

from appliance.clock import utc_now
from appliance.domain.access import Caller, Level, level
from appliance.errors import BadRequest, FieldError, Invalid, NotFound, pointer
from appliance.services import forms
from appliance.services.context import Context
from appliance.services.form_shapes import GiveShare, Share, Shares
from appliance.services.rereading import again
from appliance.services.shapes import Form
from appliance.stores import forms as rows
from appliance.stores import shares as people
from appliance.stores.mongo import Document


async def shares(context: Context, caller: Caller, form_id: str) -> tuple[Shares, int]:
    """With the form's revision. Raises NotFound, Forbidden below `manage`."""
    row = await forms.visible_row(context, caller, form_id, Level.MANAGE)
    return await _shape(context, row), row["rev"]


@again
async def set_shares(
    context: Context, caller: Caller, form_id: str, wanted: list[GiveShare], if_match: int | None
) -> tuple[Shares, int]:
    """These and no others, in every process once this returns. Raises Invalid for unknown users, Stale."""
    row = await forms.visible_row(context, caller, form_id, Level.MANAGE)
    forms.check_match(row, if_match)
    given = await _resolve(context, row, wanted)
    if given != row["shares"]:
        details = {"shares": [f"{share['user_id']}:{share['level']}" for share in given]}
        row = await forms.change_row(context, caller, row, {"shares": given}, "form.shared", details)
    return await _shape(context, row), row["rev"]


@again
async def delete(context: Context, caller: Caller, form_id: str, if_match: int | None) -> None:
    """Gone for everybody, until it is restored. Raises NotFound, Forbidden, Stale."""
    row = await forms.visible_row(context, caller, form_id, Level.MANAGE)
    forms.check_match(row, if_match)
    await forms.change_row(context, caller, row, {"deleted_at": utc_now()}, "form.deleted", {})


@again
async def restore(context: Context, caller: Caller, form_id: str, if_match: int | None) -> tuple[Form, int]:
    """As it was. What is not deleted stays as it is. Raises NotFound, Forbidden below `manage`, Stale."""
    row = await rows.get_deleted(context.db, form_id)
    if row is not None and level(caller, row) == Level.NONE:
        raise NotFound("There is no such form.")
    if row is not None and level(caller, row) == Level.MANAGE:
        forms.check_match(row, if_match)
        await forms.change_row(context, caller, row, {"deleted_at": None}, "form.restored", {})
    return await forms.whole(context, await forms.visible_row(context, caller, form_id, Level.MANAGE))


async def _resolve(context: Context, row: Document, wanted: list[GiveShare]) -> list[Document]:
    """The shares as stored, in the order of the user ids."""
    known = await _known(context, wanted)
    faults: list[FieldError] = []
    given: dict[str, Document] = {}
    for index, share in enumerate(wanted):
        name, who = _named(share, index)
        at = pointer("shares", index, name)
        user = known.get(who.lower() if name == "username" else who)
        if user is None:
            faults.append(FieldError(at, "there is no such user"))
        elif user["_id"] == row["owner"]:
            faults.append(FieldError(at, "the owner has every right already"))
        elif user["_id"] in given:
            faults.append(FieldError(at, "named twice"))
        else:
            given[user["_id"]] = {"user_id": user["_id"], "level": share.level}
    if faults:
        raise Invalid("The shares are not valid.", errors=faults[:50])
    return [given[user_id] for user_id in sorted(given)]


def _named(share: GiveShare, index: int) -> tuple[str, str]:
    """Raises BadRequest unless exactly one name is given."""
    names = {"username": share.username, "user_id": share.user_id}
    given = [(name, who) for name, who in names.items() if who is not UNSET]
    if len(given) != 1:
        fault = FieldError(pointer("shares", index), "give either `username` or `user_id`")
        raise BadRequest("A share names one person.", errors=[fault])
    return given[0]


async def _known(context: Context, wanted: list[GiveShare]) -> dict[str, Document]:
    """The users that are named, by id and by name."""
    ids = [share.user_id for share in wanted if share.user_id is not UNSET]
    names = [share.username.lower() for share in wanted if share.username is not UNSET]
    found = await people.find_users(context.db, ids, names)
    return {user["_id"]: user for user in found} | {user["username"]: user for user in found}


async def _shape(context: Context, row: Document) -> Shares:
    ids = [share["user_id"] for share in row["shares"]]
    known = {user["_id"]: user for user in await people.find_users(context.db, ids, [])}
    return Shares(
        [
            Share(share["user_id"], known[share["user_id"]]["username"], share["level"])
            for share in row["shares"]
            if share["user_id"] in known
        ]
    )
