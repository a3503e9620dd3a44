"""Reading responses."""

from __future__ import annotations

from typing import Literal

import msgspec

from appliance.clock import rfc3339
from appliance.domain.access import Caller, Level, level
from appliance.errors import BadRequest, NotFound
from appliance.services import shapes
from appliance.services.bodies import Cached
from appliance.services.context import Context
from appliance.services.form_content import rules_of
from appliance.services.form_states import responses_key
from appliance.services.forms import visible_state
from appliance.stores import forms, pages, responses
from appliance.stores.mongo import Document
from appliance.stores.responses import TimeRange

Status = Literal["accepted", "flagged", "deleted"]
MOST_FILTERS = 5


async def get(context: Context, caller: Caller, form_id: str, response_id: str) -> shapes.Response:
    """Raises NotFound, also for a deleted one below `edit`."""
    form = await visible_state(context, caller, form_id, Level.VIEW)
    row = await responses.get(context.db, form_id, response_id)
    if row["status"] == "deleted" and level(caller, form) < Level.EDIT:
        raise NotFound("The form has no such response.")
    return response_shape(row)


async def first_page(context: Context, caller: Caller, form_id: str, limit: int) -> Cached:
    """The page that everybody asks for first, from the cache where it is there. Raises NotFound."""
    await visible_state(context, caller, form_id, Level.VIEW)

    async def make() -> bytes:
        open_times = TimeRange(None, None)
        page = await newest(
            context, caller, form_id, filters={}, status=None, times=open_times, cursor=None, limit=limit
        )
        return msgspec.json.encode(page)

    return await context.bodies.get(f"responses:{form_id}:{limit}", (responses_key(form_id),), make)


async def newest(
    context: Context,
    caller: Caller,
    form_id: str,
    *,
    filters: dict[str, str],
    status: Status | None,
    times: TimeRange,
    cursor: str | None,
    limit: int,
) -> shapes.Responses:
    """A page of a form's responses, newest first. Raises NotFound, BadRequest, Forbidden (deleted ones)."""
    await visible_state(context, caller, form_id, Level.EDIT if status == "deleted" else Level.VIEW)
    terms = await index_terms(context, form_id, filters, status)
    query: Document = {"status": status} if status else {"status": {"$ne": "deleted"}}
    scope = "\0".join(map(str, ("responses", form_id, sorted(filters.items()), status, *times)))
    span = await _span(context, form_id, times, scope, cursor)
    page = await responses.newest(context.db, form_id, terms, query, times, span, limit)
    following = None
    if page.next_number is not None:
        following = context.cursors.sign(scope, [span.low, page.next_number])
    return shapes.Responses([response_shape(row) for row in page.rows], following)


async def index_terms(
    context: Context, form_id: str, filters: dict[str, str], status: Status | None
) -> list[str]:
    """The index terms of what is asked for, that of the fewest responses first. Raises BadRequest."""
    terms = await _terms(context, form_id, filters)
    if status in ("flagged", "deleted"):
        terms.insert(0, responses.status_term(status))  # few are: found by the index
    return terms


async def _terms(context: Context, form_id: str, filters: dict[str, str]) -> list[str]:
    """Raises BadRequest."""
    if len(filters) > MOST_FILTERS:
        raise BadRequest(f"A list takes at most {MOST_FILTERS} filters.")
    if not filters:
        return []
    rules = (await context.forms.get(form_id)).published
    if rules is None:  # a draft, which has no responses yet: its filters are checked all the same
        rules = await rules_of(context.schemas, await forms.get(context.db, form_id))
    return [rules.term(name, text) for name, text in filters.items()]


async def _span(
    context: Context, form_id: str, times: TimeRange, scope: str, cursor: str | None
) -> pages.Span:
    """The numbers that the rest of the list may have: from the cursor, else found once by time."""
    if cursor is not None:
        low, high = context.cursors.read(scope, cursor)
        return pages.Span(low, high)
    counters = await forms.get_counters(context.db, form_id)
    high = int(counters["seq"])
    return (
        pages.Span(1, high) if times.is_open else await responses.find_span(context.db, form_id, times, high)
    )


def response_shape(row: Document) -> shapes.Response:
    return shapes.Response(
        response_id=row["_id"],
        form_id=row["form_id"],
        form_version=row["form_version"],
        created_at=rfc3339(row["created_at"]),
        updated_at=rfc3339(row["updated_at"]),
        submitter=row["submitter"],
        status=row["status"],
        data=row["data"],
        meta=row["meta"],
        tags=row["tags"],
        revision=row["revision"],
    )
