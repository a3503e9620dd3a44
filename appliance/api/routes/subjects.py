"""Finding, reading out and erasing what is kept of a person, for admins."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream

from appliance.api.answers import PRIVATE, accepted, documented, ok
from appliance.api.guards import admin_only
from appliance.api.paging import Cursor, Limit
from appliance.api.requests import ApiRequest
from appliance.services import erasure_export, erasures, repeats
from appliance.services import erasure_shapes as shapes
from appliance.services.background import Accepted

ErasureId = Annotated[str, Parameter(max_length=64, description="The id of the task that looks for it")]
_LINES = "application/x-ndjson"
_PATH = "/api/v1/subjects"


@post(
    "/",
    scope="admin",
    status_code=202,
    guards=[admin_only],
    responses=documented(400, 401, 403, 404, 413, 415, 422, s202=Accepted),
)
async def start_erasure(request: ApiRequest, data: shapes.StartErasure) -> Response[bytes]:
    """Look for what is kept of a person, in all forms. Nothing is erased by it: `POST …/{erasure_id}/confirm`
    does that, within a week. The erasure's id is the task's.
    """
    context, caller = request.context, request.signed_in
    key = repeats.key(context, caller, _PATH, request.idempotency_key(), data)
    promised, replayed = await erasures.start(context, caller.user_id, data, key)
    return accepted(promised, replayed=replayed)


@get("/", scope="admin", guards=[admin_only], responses=documented(400, 401, 403, s200=shapes.Erasures))
async def list_erasures(request: ApiRequest, limit: Limit = 50, cursor: Cursor = None) -> Response[bytes]:
    """All that were asked for, newest first: the records stay."""
    return ok(await erasures.newest(request.context, cursor, limit))


@get(
    "/{erasure_id:str}",
    scope="admin",
    guards=[admin_only],
    responses=documented(400, 401, 403, 404, s200=shapes.Erasure),
)
async def get_erasure(request: ApiRequest, erasure_id: ErasureId) -> Response[bytes]:
    """What was found, by form, and what became of it."""
    return ok(await erasures.get(request.context, erasure_id))


@get(
    "/{erasure_id:str}/export",
    scope="admin",
    guards=[admin_only],
    responses=documented(400, 401, 403, 404, 409)
    | {200: ResponseSpec(bytes, media_type=_LINES, generate_examples=False, description="A document a line")},
)
async def export_subject(request: ApiRequest, erasure_id: ErasureId) -> Stream:
    """All that was found, as JSON by lines: each response with its earlier states, what models found in it
    and its files; half-filled ones; the account.
    """
    context = request.context
    row = await erasure_export.begin(context, request.signed_in.user_id, erasure_id)
    disposition = f'attachment; filename="{erasure_export.name_of(row)}"'
    return Stream(
        erasure_export.lines(context, row),
        media_type=_LINES,
        headers={**PRIVATE, "content-disposition": disposition},
    )


@post(
    "/{erasure_id:str}/confirm",
    scope="admin",
    status_code=202,
    guards=[admin_only],
    responses=documented(400, 401, 403, 404, 409, s202=Accepted),
)
async def confirm_erasure(request: ApiRequest, erasure_id: ErasureId) -> Response[bytes]:
    """Erase what was found, for good."""
    return accepted(await erasures.confirm(request.context, request.signed_in.user_id, erasure_id))


router = Router(
    _PATH,
    tags=["subjects"],
    route_handlers=[start_erasure, list_erasures, get_erasure, export_subject, confirm_erasure],
)
