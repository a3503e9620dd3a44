"""Forms: create, read, change, publish, close."""

from __future__ import annotations

import datetime as dt
import re
import secrets
import unicodedata
import zoneinfo
from typing import Any, cast

import msgspec
from pymongo.errors import DuplicateKeyError

from appliance.clock import rfc3339, utc_now
from appliance.domain.access import Caller, Level, level
from appliance.domain.json_schema import json_schema
from appliance.errors import BadRequest, Conflict, FieldError, Forbidden, NotFound, Stale, Unauthenticated
from appliance.services import shapes
from appliance.services.context import Context
from appliance.services.form_states import compile_form
from appliance.stores import forms, idempotency, pages, summaries
from appliance.stores.mongo import Document

_PUBLIC_SETTINGS = ("redirect_url", "language", "time_zone", "consent")


# -- read


async def get(
    context: Context, caller: Caller | None, form_id: str
) -> tuple[shapes.Form | shapes.PublicForm, int]:
    """The form as the caller may see it, and its revision.

    Raises NotFound, or Unauthenticated for a stranger, who is not to learn what exists.
    """
    try:
        row = await forms.get(context.db, form_id)
        if level(caller, row) >= Level.VIEW:
            return await _with_summary(context, row), row["rev"]
        if row["status"] == "draft" or not row["settings"].get("public"):
            raise NotFound("There is no such form.")
    except NotFound:
        if caller is None:
            raise Unauthenticated("This form is not public; sign in.") from None
        raise
    version = await forms.get_version(context.db, form_id, row["version"])
    public = {name: row["settings"][name] for name in _PUBLIC_SETTINGS if name in row["settings"]}
    return shapes.PublicForm(
        form_id=row["_id"],
        slug=row["slug"],
        title=version["title"],
        version=row["version"],
        definition=version["definition"],
        settings=public,
    ), row["rev"]


async def visible_row(context: Context, caller: Caller, form_id: str, needed: Level) -> Document:
    """The stored form. Raises NotFound for one without any right to it, Forbidden for one with too little."""
    row = await forms.get(context.db, form_id)
    granted = level(caller, row)
    if granted == Level.NONE:
        raise NotFound("There is no such form.")
    if granted < needed:
        raise Forbidden("You may see this form, but not do this with it.")
    return row


async def newest(
    context: Context, caller: Caller, status: str | None, words: str | None, cursor: str | None, limit: int
) -> shapes.Forms:
    """A page of the caller's forms; `words` must all be in the title."""
    scope = f"forms\0{caller.user_id}\0{status}\0{words}"
    query: Document = {"status": status} if status else {}
    if words:
        query["$and"] = [{"title": {"$regex": re.escape(word), "$options": "i"}} for word in words.split()]
    high = context.cursors.read(scope, cursor) if cursor else None
    page = await forms.newest(context.db, caller, query, high, limit)
    return shapes.Forms([_shape(row) for row in page.rows], next_cursor(context, scope, page))


def next_cursor(context: Context, scope: str, page: pages.Page) -> str | None:
    return None if page.next_number is None else context.cursors.sign(scope, page.next_number)


async def versions(context: Context, caller: Caller, form_id: str) -> shapes.FormVersions:
    await visible_row(context, caller, form_id, Level.VIEW)
    rows = await forms.versions(context.db, form_id)
    return shapes.FormVersions([_version(row) for row in rows], None)


async def version(context: Context, caller: Caller, form_id: str, number: int) -> shapes.FormVersion:
    await visible_row(context, caller, form_id, Level.VIEW)
    return _version(await forms.get_version(context.db, form_id, number))


async def schema(context: Context, caller: Caller, form_id: str, number: int) -> dict[str, Any]:
    """The JSON Schema 2020-12 that follows from a published version."""
    await visible_row(context, caller, form_id, Level.VIEW)
    return json_schema(await context.forms.compiled(form_id, number))


# -- write


async def create(
    context: Context, caller: Caller, wanted: shapes.CreateForm, key: idempotency.Key | None
) -> tuple[shapes.Form, bool]:
    """A new draft, and whether it is the repeated answer to a key. Raises Invalid, BadRequest, Forbidden."""
    if not caller.may_create_forms:
        raise Forbidden("Your role does not create forms.")
    if key is not None and (first := await idempotency.find(context.db, key)):
        return msgspec.convert(first, shapes.Form), True
    await compile_form(wanted.definition)
    fields = {
        "slug": _slug(wanted.title),
        "title": wanted.title,
        "definition": wanted.definition,
        "settings": await _settings(context, {}, msgspec.to_builtins(wanted.settings)),
        "owner": caller.user_id,
    }
    try:
        row = await forms.create(context.db, fields, key, lambda row: msgspec.to_builtins(_shape(row)))
    except DuplicateKeyError:
        first = await idempotency.find(context.db, key) if key else None
        if first is None:
            raise Conflict(
                "A request with this Idempotency-Key is under way; ask again in a moment."
            ) from None
        return msgspec.convert(first, shapes.Form), True
    return _shape(row), False


async def change(
    context: Context, caller: Caller, form_id: str, wanted: shapes.ChangeForm, if_match: int | None
) -> tuple[shapes.Form, int]:
    """Change the draft. Its questions are asked from the next publish on; title and settings hold at once.

    Settings and title need `manage`, the definition needs `edit`.
    """
    needed = Level.EDIT if wanted.settings is msgspec.UNSET else Level.MANAGE
    row = await visible_row(context, caller, form_id, needed)
    _match(row, if_match)
    fields: Document = {}
    if wanted.title is not msgspec.UNSET:
        fields["title"] = wanted.title
    if wanted.definition is not msgspec.UNSET:
        await compile_form(wanted.definition)
        fields["definition"] = wanted.definition
    if wanted.settings is not msgspec.UNSET:
        fields["settings"] = await _settings(context, row["settings"], wanted.settings)
    if not fields:
        return await _with_summary(context, row), row["rev"]
    done = await forms.change(context.db, row, fields)
    return await _with_summary(context, done), done["rev"]


async def publish(
    context: Context, caller: Caller, form_id: str, if_match: int | None
) -> tuple[shapes.Form, int]:
    """Make the draft the next version and take submissions. Unchanged, it stays the same version."""
    row = await visible_row(context, caller, form_id, Level.MANAGE)
    _match(row, if_match)
    await compile_form(row["definition"])
    last = await forms.get_version(context.db, form_id, row["version"]) if row["version"] else None
    if last and last["definition"] == row["definition"] and last["title"] == row["title"]:
        if row["status"] == "published":
            return await _with_summary(context, row), row["rev"]
        done = await forms.change(context.db, row, {"status": "published"})
    else:
        number = row["version"] + 1
        new = {
            "_id": f"{form_id}/{number}",
            "form_id": form_id,
            "version": number,
            "title": row["title"],
            "definition": row["definition"],
            "published_at": utc_now(),
            "published_by": caller.user_id,
        }
        done = await forms.change(context.db, row, {"status": "published", "version": number}, version=new)
    return await _with_summary(context, done), done["rev"]


async def set_status(
    context: Context, caller: Caller, form_id: str, status: shapes.Status, if_match: int | None
) -> tuple[shapes.Form, int]:
    """Close a form or open it again. Raises Conflict for a form that was never published."""
    row = await visible_row(context, caller, form_id, Level.MANAGE)
    _match(row, if_match)
    if row["status"] == "draft":
        raise Conflict("The form was never published; publish it first.")
    if row["status"] != status:
        row = await forms.change(context.db, row, {"status": status})
    return await _with_summary(context, row), row["rev"]


def _match(row: Document, if_match: int | None) -> None:
    if if_match is not None and row["rev"] != if_match:
        raise Stale("The form was changed since you read it; read it again.")


async def _settings(context: Context, known: Document, changes: dict[str, Any]) -> Document:
    """Settings as stored: only what differs from the default, the PIN as a hash. Raises BadRequest."""
    merged = {**known, **changes}
    kept_pin = known.get("pin") if "pin" not in changes else None
    given = {name: value for name, value in merged.items() if value is not None and name != "pin"}
    if changes.get("pin") is not None:
        given["pin"] = changes["pin"]
    given = {name: rfc3339(v) if hasattr(v, "isoformat") else v for name, v in given.items()}
    try:
        settings = msgspec.convert(given, shapes.FormSettings)
    except msgspec.ValidationError as fault:
        raise setting_problem(fault) from None
    _check_together(settings)
    stored = cast(Document, msgspec.to_builtins(settings, builtin_types=(dt.datetime,)))
    if settings.pin is not None:
        stored["pin"] = await context.passwords.hash(settings.pin)
    elif kept_pin is not None:
        stored["pin"] = kept_pin
    return stored


def setting_problem(fault: msgspec.ValidationError) -> BadRequest:
    """What msgspec says of one setting, as a problem that names its place."""
    text = str(fault)
    found = re.search(r"unknown field `([^`]+)`", text) or re.search(r"at `\$\.(\w+)", text)
    path = f"/settings/{found[1]}" if found else "/settings"
    message = re.sub(r" - at `.*`$", "", text)
    return BadRequest("A setting is not valid.", errors=[FieldError(path, message)])


def _check_together(settings: shapes.FormSettings) -> None:
    for name, value in msgspec.structs.asdict(settings).items():
        _check_setting(name, value)
    opens, closes = settings.opens_at, settings.closes_at
    if opens is not None and closes is not None and opens >= closes:
        fault = FieldError("/settings/closes_at", "closes_at must be after opens_at")
        raise BadRequest("The form would close before it opens.", errors=[fault])
    if settings.time_zone is not None and settings.time_zone not in zoneinfo.available_timezones():
        fault = FieldError(
            "/settings/time_zone", "not a time zone of the IANA database, such as Europe/Berlin"
        )
        raise BadRequest("There is no such time zone.", errors=[fault])


def _check_setting(name: str, value: object) -> None:
    """What the shape cannot say. Raises BadRequest."""
    texts = value if isinstance(value, list) else [value]
    message = None
    if name != "consent" and any(isinstance(text, str) and not text.isprintable() for text in texts):
        message = "must not hold line ends or other control characters"
    if isinstance(value, dt.datetime) and not 1970 <= value.year <= 9000:
        message = "must lie in the years 1970 to 9000"
    if message is not None:
        fault = FieldError(f"/settings/{name}", message)
        raise BadRequest("A setting is not valid.", errors=[fault])


def _slug(title: str) -> str:
    """Readable, in ASCII, and not to be guessed from the title alone."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    return "-".join(filter(None, (words, secrets.token_hex(4))))


async def _with_summary(context: Context, row: Document) -> shapes.Form:
    shape = _shape(row)
    summary = await summaries.find(context.db, row["_id"])
    shape.response_count = summary["responses"] if summary else 0
    shape.last_response_at = rfc3339(summary["last_response_at"]) if summary else None
    return shape


def _shape(row: Document) -> shapes.Form:
    settings = {name: value for name, value in row["settings"].items() if name != "pin"}
    times = {name: rfc3339(value) for name, value in settings.items() if isinstance(value, dt.datetime)}
    return shapes.Form(
        form_id=row["_id"],
        slug=row["slug"],
        title=row["title"],
        status=row["status"],
        version=row["version"],
        definition=row.get("definition", msgspec.UNSET),
        settings=settings | times,
        owner=row["owner"],
        created_at=rfc3339(row["created_at"]),
        updated_at=rfc3339(row["updated_at"]),
    )


def _version(row: Document) -> shapes.FormVersion:
    return shapes.FormVersion(
        version=row["version"],
        published_at=rfc3339(row["published_at"]),
        published_by=row["published_by"],
        definition=row.get("definition", msgspec.UNSET),
    )
