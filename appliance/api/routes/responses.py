"""Responses: submitting and reading."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, get, post
from litestar.params import Parameter

from appliance.api.answers import REVALIDATED, cached, created, documented, not_modified, ok, tagged
from appliance.api.guards import perhaps_signed_in, signed_in, strangers_limited
from appliance.api.paging import Cursor, Limit
from appliance.api.parameters import FormId
from appliance.api.queries import FILTER, End, Start, filters_of, moment_of
from appliance.api.requests import ApiRequest
from appliance.api.routes import batches, imports, response_edits
from appliance.services import responses, shapes, submissions
from appliance.stores.responses import TimeRange


@post(
    "/",
    scope="responses:write",
    guards=[perhaps_signed_in, strangers_limited],
    responses=documented(
        400, 401, 403, 404, 409, 410, 413, 415, 422, s200=shapes.Verdict, s201=shapes.Submitted
    ),
)
async def submit(
    request: ApiRequest,
    form_id: FormId,
    data: shapes.Submission,
    link: Annotated[str | None, Parameter(max_length=100, description="As X-Form-Link")] = None,
    dry_run: Annotated[bool, Parameter(description="Only the verdict; nothing is kept")] = False,
) -> Response[bytes]:
    """Answer a form. 201 means: on disk, once, whatever happens next. Public forms need no token."""
    attempt = submissions.Attempt(
        form_id=form_id,
        caller=request.caller,
        submission=data,
        key=request.idempotency_key(),
        pin=request.headers.get("x-form-pin"),
        link=request.headers.get("x-form-link", link),
        address=request.headers.get("x-forwarded-for"),
    )
    if dry_run:
        return ok(shapes.Verdict(await submissions.judge(request.context, attempt)))
    done, replayed = await submissions.submit(request.context, attempt)
    return created(done, f"/api/v1/forms/{form_id}/responses/{done.response_id}", replayed=replayed)


@get(
    "/",
    scope="responses:read",
    prefix=FILTER,
    guards=[signed_in],
    responses=documented(400, 401, 403, 404, s200=shapes.Responses),
)
async def list_responses(
    request: ApiRequest,
    form_id: FormId,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: Annotated[
        responses.Status | None, Parameter(description="Without it, all but deleted ones")
    ] = None,
    start: Start = None,
    end: End = None,
) -> Response[bytes]:
    """The responses, newest first. `filter.<question>=<answer>` (up to 5) keeps those that answered so."""
    if not request.query_params or set(request.query_params) == {"limit"}:
        first = await responses.first_page(request.context, request.signed_in, form_id, limit)
        return cached(request, first, REVALIDATED)
    times = TimeRange(moment_of("from", start), moment_of("to", end))
    page = await responses.newest(
        request.context,
        request.signed_in,
        form_id,
        filters=filters_of(request),
        status=status,
        times=times,
        cursor=cursor,
        limit=limit,
    )
    return ok(page)


@get(
    "/{response_id:str}",
    scope="responses:read",
    guards=[signed_in],
    responses=documented(401, 403, 404, s200=shapes.Response),
)
async def get_response(
    request: ApiRequest, form_id: FormId, response_id: Annotated[str, Parameter(max_length=64)]
) -> Response[bytes]:
    """One response."""
    found = await responses.get(request.context, request.signed_in, form_id, response_id)
    if request.is_current(f'"{found.revision}"'):
        return not_modified(found.revision)
    return tagged(found, found.revision)


router = Router(
    "/api/v1/forms/{form_id:str}/responses",
    tags=["responses"],
    route_handlers=[
        submit,
        list_responses,
        get_response,
        *response_edits.handlers,
        *batches.handlers,
        *imports.handlers,
    ],
)
