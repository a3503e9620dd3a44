"""Reading out what was found of a person: a JSON document a line, for them to have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from appliance.clock import rfc3339, utc_now
from appliance.errors import Conflict
from appliance.services import deadlines
from appliance.services.accounts import fields as account_fields
from appliance.services.context import Context
from appliance.services.responses import response_shape
from appliance.stores import audit, erasures, users
from appliance.stores.mongo import Document
from appliance.stores.transactions import together

_AT_A_TIME: Final = 50
_STATE: Final = ("revision", "status", "tags", "data")


async def begin(context: Context, actor: str | None, erasure_id: str) -> Document:
    """The erasure, whose `lines` may be read out now. Raises NotFound, Conflict for one without finds."""
    row = await erasures.get(context.db, erasure_id)
    if "finds" not in row:
        raise Conflict(f"Nothing can be read out of an erasure that is {row['state']}.")
    deed = audit.Entry(actor, "erasure.exported", erasure_id, {})
    await together(context.db, lambda session: audit.record(context.db, session, deed))
    return row


async def lines(context: Context, row: Document) -> AsyncIterator[bytes]:
    """What is there of it by now: `{"kind": "response" | "partial" | "account", …}`. Raises PyMongoError."""
    if row["account"] and (user := await users.find(context.db, row["user_id"])):
        yield _line("account", account_fields(user))
    for form_id, finds in sorted(row["finds"].items()):
        ids = finds["responses"]
        for first in range(0, len(ids), _AT_A_TIME):
            for line in await deadlines.start(_responses(context, ids[first : first + _AT_A_TIME])):
                yield line
        partials = finds["partials"]
        for first in range(0, len(partials), _AT_A_TIME):
            for line in await deadlines.start(
                _partials(context, form_id, partials[first : first + _AT_A_TIME])
            ):
                yield line


async def _responses(context: Context, ids: list[str]) -> list[bytes]:
    db = context.db
    rows = await db.responses.find({"_id": {"$in": ids}}).to_list()
    history = await db.response_history.find({"response_id": {"$in": ids}}).to_list()
    results = {each["_id"]: each for each in await db.ai_results.find({"_id": {"$in": ids}}).to_list()}
    named = [one for row in rows for one in row.get("files", ())]
    files = {each["_id"]: each for each in await db.files.find({"_id": {"$in": named}}).to_list()}
    found = []
    for row in rows:
        earlier = [_earlier(each) for each in history if each["response_id"] == row["_id"]]
        told: dict[str, Any] = {
            "response": response_shape(row),
            "history": sorted(earlier, key=lambda each: int(each["revision"])),
            "ai_result": _result(results.get(row["_id"])),
            "files": [_file(files[one]) for one in row.get("files", ()) if one in files],
        }
        found.append(_line("response", told))
    return found


async def _partials(context: Context, form_id: str, ids: list[str]) -> list[bytes]:
    rows = await context.db.partials.find({"_id": {"$in": ids}, "state": "open"}).to_list()
    return [
        _line(
            "partial",
            {
                "form_id": form_id,
                "data": msgspec.json.decode(row["data"]),
                "created_at": rfc3339(row["created_at"]),
                "updated_at": rfc3339(row["updated_at"]),
            },
        )
        for row in rows
    ]


def _earlier(row: Document) -> dict[str, Any]:
    return {**{name: row[name] for name in _STATE}, "replaced_at": rfc3339(row["replaced_at"])}


def _result(row: Document | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {"text": row.get("prompt"), "result": row["result"], "made_at": rfc3339(row["created_at"])}


def _file(row: Document) -> dict[str, Any]:
    shown = ("name", "type", "size", "question")
    content = f"/api/v1/forms/{row['form_id']}/files/{row['_id']}"
    return {
        **{name: row[name] for name in shown},
        "content": content,
        "created_at": rfc3339(row["created_at"]),
    }


def _line(kind: str, told: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"kind": kind, **told}, enc_hook=_plain) + b"\n"


def _plain(value: Any) -> Any:
    """Whole numbers of 64 bits, vectors and moments, as the database has them."""
    if isinstance(value, int):
        return int(value)
    return rfc3339(value) if hasattr(value, "tzinfo") else str(value)


def name_of(row: Document) -> str:
    return f"subject-{row['_id']}-{utc_now():%Y%m%d-%H%M}.ndjson"
