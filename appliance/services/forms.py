"""Forms: create, read, change, publish, close."""

from __future__ import annotations

import datetime as dt
import re
import secrets
import unicodedata
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import msgspec
from pymongo.errors import DuplicateKeyError, PyMongoError

from appliance.clock import rfc3339, utc_now
from appliance.domain.access import Caller, Level, level
from appliance.errors import Conflict, Forbidden, NotFound, Stale
from appliance.queue.scripts import Job
from appliance.services import form_content, form_quotas, shapes, webhook_events
from appliance.services.bodies import Cached
from appliance.services.context import Context
from appliance.services.form_settings import stored_settings
from appliance.services.form_states import form_key, responses_key
from appliance.services.rereading import again
from appliance.stores import audit, forms, idempotency, pages, summaries
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session

_COPY = " (copy)"
LONGEST_TITLE = 200

F = TypeVar("F", bound=shapes.Form)


# -- read


class Read(NamedTuple):
    """A form's body, and the revision that it has."""

    cached: Cached
    revision: int


async def whole_body(context: Context, form_id: str) -> Cached:
    """The form as those see it who may see it whole."""
    key, made_of = _whole_body(form_id)
    return await context.bodies.get(key, made_of, lambda: _whole(context, form_id))


def find(context: Context, caller: Caller, form_id: str) -> Read | None:
    """The form for one who may see it whole, when the process has all of it at hand. It asks nobody."""
    state = context.forms.find(form_id)
    if state is None or level(caller, state.row) < Level.VIEW:
        return None
    cached = context.bodies.find(*_whole_body(form_id))
    return None if cached is None else Read(cached, state.row["rev"])


def _whole_body(form_id: str) -> tuple[str, tuple[str, ...]]:
    """The cache's name of the body, and what it is made of."""
    return f"form:{form_id}", (form_key(form_id), responses_key(form_id))


async def origins(context: Context, form_id: str) -> frozenset[str]:
    """Where pages that show this public form may be; empty for any other form."""
    try:
        settings = (await context.forms.get(form_id)).row["settings"]
    except (NotFound, PyMongoError):
        return frozenset()
    return frozenset(settings.get("origins", ())) if settings.get("public") else frozenset()


async def _whole(context: Context, form_id: str) -> bytes:
    return msgspec.json.encode(await _with_summary(context, await forms.get(context.db, form_id)))


async def visible_state(context: Context, caller: Caller, form_id: str, needed: Level) -> Document:
    """The form without its draft, as the process knows it. Raises NotFound, Forbidden."""
    return _allow(caller, (await context.forms.get(form_id)).row, needed)


async def visible_row(context: Context, caller: Caller, form_id: str, needed: Level) -> Document:
    """The stored form. Raises NotFound for one without any right to it, Forbidden for one with too little."""
    return _allow(caller, await forms.get(context.db, form_id), needed)


def _allow(caller: Caller, row: Document, needed: Level) -> Document:
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
    return shapes.Forms([shape_of(row) for row in page.rows], next_cursor(context, scope, page))


def next_cursor(context: Context, scope: str, page: pages.Page) -> str | None:
    return None if page.next_number is None else context.cursors.sign(scope, page.next_number)


async def versions(context: Context, caller: Caller, form_id: str) -> shapes.FormVersions:
    await visible_state(context, caller, form_id, Level.VIEW)
    rows = await forms.versions(context.db, form_id)
    return shapes.FormVersions([_version(row) for row in rows], None)


async def version(context: Context, caller: Caller, form_id: str, number: int) -> shapes.FormVersion:
    await visible_state(context, caller, form_id, Level.VIEW)
    return _version(await forms.get_version(context.db, form_id, number))


async def schema(context: Context, caller: Caller, form_id: str, number: int) -> dict[str, Any]:
    """The JSON Schema 2020-12 that follows from a published version."""
    await visible_state(context, caller, form_id, Level.VIEW)
    return (await context.forms.compiled(form_id, number)).schema()


# -- write


async def create(
    context: Context, caller: Caller, wanted: shapes.CreateForm, key: idempotency.Key | None
) -> tuple[shapes.Form, bool]:
    """A new draft, and whether it is the repeated answer to a key. Raises Invalid, BadRequest, Forbidden."""
    if first := await first_answer(context, caller, key, shapes.Form):
        return first, True
    asked = form_content.content(wanted.definition, wanted.schema)
    await form_content.check(context.schemas, asked)
    settings = await stored_settings(context, {}, msgspec.to_builtins(wanted.settings))
    await _check_quotas(context, asked, settings)
    fields = {"title": wanted.title, "settings": settings, **asked}
    return await store(context, caller, fields, key, shapes.Form, shape_of)


async def duplicate(
    context: Context, caller: Caller, form_id: str, key: idempotency.Key | None
) -> tuple[shapes.Form, bool]:
    """A draft like the draft of another form, the caller's own; its PIN is not copied. As `create`."""
    if first := await first_answer(context, caller, key, shapes.Form):
        return first, True
    row = await visible_row(context, caller, form_id, Level.VIEW)
    title = row["title"][: LONGEST_TITLE - len(_COPY)] + _COPY
    settings = {name: value for name, value in row["settings"].items() if name != "pin"}
    fields = {"title": title, "settings": settings, **form_content.content_of(row)}
    return await store(context, caller, fields, key, shapes.Form, shape_of, copy_of=form_id)


async def first_answer(
    context: Context, caller: Caller, key: idempotency.Key | None, shape: type[F]
) -> F | None:
    """Raises Forbidden for those who do not create forms, Invalid for a key of another body."""
    if not caller.may_create_forms:
        raise Forbidden("Your role does not create forms.")
    first = await idempotency.find(context.db, key) if key else None
    return msgspec.json.decode(first["json"], type=shape) if first else None


async def store(
    context: Context,
    caller: Caller,
    fields: Document,
    key: idempotency.Key | None,
    kind: type[F],
    tell: Callable[[Document], F],
    **details: str,
) -> tuple[F, bool]:
    """A new draft of content that was checked, as `tell` shows it; a repeated request gets the same again."""

    def remembered(row: Document) -> Document:
        """As text: a schema within is nothing that the database should read."""
        return {"json": msgspec.json.encode(tell(row)).decode()}

    fields = {"slug": _slug(fields["title"]), "owner": caller.user_id, **fields}
    deed = audit.Entry(caller.user_id, "form.created", "", {"title": fields["title"], **details})
    try:
        row = await forms.create(context.db, fields, key, remembered, deed)
    except DuplicateKeyError:
        first = await first_answer(context, caller, key, kind)
        if first is None:
            raise Conflict(
                "A request with this Idempotency-Key is under way; ask again in a moment."
            ) from None
        return first, True
    return tell(row), False


@again
async def change(
    context: Context, caller: Caller, form_id: str, wanted: shapes.ChangeForm, if_match: int | None
) -> tuple[shapes.Form, int]:
    """Change the draft. Its questions are asked from the next publish on; title and settings hold at once.

    Settings and title need `manage`, the definition needs `edit`.
    """
    needed = Level.EDIT if wanted.settings is msgspec.UNSET else Level.MANAGE
    row = await visible_row(context, caller, form_id, needed)
    check_match(row, if_match)
    fields: Document = {}
    if wanted.title is not msgspec.UNSET:
        fields["title"] = wanted.title
    if wanted.definition is not msgspec.UNSET or wanted.schema is not msgspec.UNSET:
        asked = form_content.content(wanted.definition, wanted.schema)
        await form_content.check(context.schemas, asked)
        fields |= asked
    if wanted.settings is not msgspec.UNSET:
        fields["settings"] = await stored_settings(context, row["settings"], wanted.settings)
        # They hold at once, so for the questions that are asked now.
        number = row["version"]
        asked_now = await forms.get_version(context.db, form_id, number) if number else row | fields
        await _check_quotas(context, asked_now, fields["settings"])
    if not fields:
        return await whole(context, row)
    done = await change_row(context, caller, row, fields, "form.changed", {"fields": sorted(fields)})
    return await whole(context, done)


async def _check_quotas(context: Context, asked: Document, settings: Document) -> None:
    """Raises Invalid for quotas that do not fit what the form asks."""
    if settings.get("quotas"):
        form_quotas.check(await form_content.rules_of(context.schemas, asked), settings)


@again
async def publish(
    context: Context, caller: Caller, form_id: str, if_match: int | None
) -> tuple[shapes.Form, int]:
    """Make the draft the next version and take submissions. Unchanged, it stays the same version."""
    row = await visible_row(context, caller, form_id, Level.MANAGE)
    check_match(row, if_match)
    await form_content.check(context.schemas, row)
    await _check_quotas(context, row, row["settings"])
    last = await forms.get_version(context.db, form_id, row["version"]) if row["version"] else None
    asked = {"title": row["title"], **form_content.content_of(row)}
    if last and idempotency.is_same(asked, {"title": last["title"], **form_content.content_of(last)}):
        if row["status"] == "published":
            return await whole(context, row)
        done = await _publish(context, caller, row, {"status": "published"}, {}, None)
    else:
        number = row["version"] + 1
        new = {
            "_id": f"{form_id}/{number}",
            "form_id": form_id,
            "version": number,
            **asked,
            "published_at": utc_now(),
            "published_by": caller.user_id,
        }
        fields = {"status": "published", "version": number}
        done = await _publish(context, caller, row, fields, {"version": number}, new)
    return await whole(context, done)


async def _publish(
    context: Context,
    caller: Caller,
    row: Document,
    fields: Document,
    details: Document,
    version: Document | None,
) -> Document:
    """The change, and with it the deliveries to who asked to hear of it."""
    subscribers = await context.subscriptions.of_form("form.published", row)
    summary = await summaries.get(context.db, row["_id"]) if subscribers else None
    jobs: list[Job] = []

    async def tell(session: Session, done: Document) -> None:
        shape = shape_of(done, summary)
        jobs[:] = await webhook_events.form_published(context, session, subscribers, shape, done)

    done = await change_row(
        context, caller, row, fields, "form.published", details, version=version, also=tell
    )
    context.sender.offer(jobs)
    return done


@again
async def set_status(
    context: Context, caller: Caller, form_id: str, status: shapes.Status, if_match: int | None
) -> tuple[shapes.Form, int]:
    """Close a form or open it again. Raises Conflict for a form that was never published."""
    row = await visible_row(context, caller, form_id, Level.MANAGE)
    check_match(row, if_match)
    if row["status"] == "draft":
        raise Conflict("The form was never published; publish it first.")
    if row["status"] != status:
        deed = "form.closed" if status == "closed" else "form.reopened"
        row = await change_row(context, caller, row, {"status": status}, deed, {})
    return await whole(context, row)


async def whole(context: Context, row: Document) -> tuple[shapes.Form, int]:
    """The form as its editors see it, and its revision."""
    return await _with_summary(context, row), row["rev"]


async def change_row(
    context: Context,
    caller: Caller,
    row: Document,
    fields: Document,
    action: str,
    details: Document,
    *,
    version: Document | None = None,
    also: forms.Also | None = None,
) -> Document:
    """One change of a form, in the audit log, after which nobody gets an older body."""
    deed = audit.Entry(caller.user_id, action, row["_id"], details)
    async with context.generations.changing(form_key(row["_id"])):
        return await forms.change(context.db, row, fields, deed, version=version, also=also)


def check_match(row: Document, if_match: int | None) -> None:
    if if_match is not None and row["rev"] != if_match:
        raise Stale("The form was changed since you read it; read it again.")


def _slug(title: str) -> str:
    """Readable, in ASCII, and not to be guessed from the title alone."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    return "-".join(filter(None, (words, secrets.token_hex(4))))


async def _with_summary(context: Context, row: Document) -> shapes.Form:
    return shape_of(row, await summaries.get(context.db, row["_id"]))


def shape_of(row: Document, summary: summaries.Summary | None = None) -> shapes.Form:
    """The form as its editors see it."""
    shape = _plain_shape(row)
    if summary is not None:
        shape.response_count = summary.responses
        shape.last_response_at = rfc3339(summary.last_at) if summary.last_at else None
    return shape


def _plain_shape(row: Document) -> shapes.Form:
    settings = {name: value for name, value in row["settings"].items() if name != "pin"}
    times = {name: rfc3339(value) for name, value in settings.items() if isinstance(value, dt.datetime)}
    return shapes.Form(
        form_id=row["_id"],
        slug=row["slug"],
        title=row["title"],
        status=row["status"],
        version=row["version"],
        definition=form_content.definition_of(row),
        schema=form_content.schema_of(row),
        settings=settings | times,
        pin_required=row["settings"].get("pin") is not None,
        owner=row["owner"],
        created_at=rfc3339(row["created_at"]),
        updated_at=rfc3339(row["updated_at"]),
    )


def _version(row: Document) -> shapes.FormVersion:
    return shapes.FormVersion(
        version=row["version"],
        published_at=rfc3339(row["published_at"]),
        published_by=row["published_by"],
        definition=form_content.definition_of(row),
        schema=form_content.schema_of(row),
    )
