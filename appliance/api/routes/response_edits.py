"""Responses: changing one, or many at once."""

from __future__ import annotations

from litestar import Response, delete, get, patch, post

from appliance.api.answers import documented, ok, tagged
from appliance.api.guards import signed_in
from appliance.api.paging import Cursor, Limit
from appliance.api.parameters import FormId, ResponseId
from appliance.api.requests import ApiRequest
from appliance.services import response_edits, response_shapes, shapes

_REFUSALS = (400, 401, 403, 404)


@patch(
    "/{response_id:str}",
    scope="responses:write",
    guards=[signed_in],
    responses=documented(*_REFUSALS, 409, 412, 413, 415, 422, s200=shapes.Response),
)
async def change_response(
    request: ApiRequest, form_id: FormId, response_id: ResponseId, data: response_shapes.ChangeResponse
) -> Response[bytes]:
    """Change a response. Its data is judged by the version it answered; the earlier state is kept."""
    done = await response_edits.change(
        request.context, request.signed_in, form_id, response_id, data, request.if_match()
    )
    return tagged(done, done.revision)


@delete(
    "/{response_id:str}",
    scope="responses:write",
    status_code=204,
    guards=[signed_in],
    responses=documented(*_REFUSALS, 409, 412),
)
async def delete_response(request: ApiRequest, form_id: FormId, response_id: ResponseId) -> None:
    """Take a response out of all lists. It can be restored, and counts towards limits until it is purged."""
    await response_edits.delete(request.context, request.signed_in, form_id, response_id, request.if_match())


@post(
    "/{response_id:str}/restore",
    scope="responses:write",
    status_code=200,
    guards=[signed_in],
    responses=documented(*_REFUSALS, 409, 412, s200=shapes.Response),
)
async def restore_response(request: ApiRequest, form_id: FormId, response_id: ResponseId) -> Response[bytes]:
    """Bring a deleted response back with the status it had."""
    done = await response_edits.restore(
        request.context, request.signed_in, form_id, response_id, request.if_match()
    )
    return tagged(done, done.revision)


@get(
    "/{response_id:str}/history",
    scope="responses:read",
    guards=[signed_in],
    responses=documented(*_REFUSALS, s200=response_shapes.History),
)
async def list_history(
    request: ApiRequest,
    form_id: FormId,
    response_id: ResponseId,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[bytes]:
    """The states before the present one, newest first."""
    return ok(
        await response_edits.history(request.context, request.signed_in, form_id, response_id, cursor, limit)
    )


@post(
    "/bulk",
    scope="responses:write",
    status_code=200,
    guards=[signed_in],
    responses=documented(*_REFUSALS, 409, 412, 413, 415, s200=response_shapes.BulkDone),
)
async def change_responses(
    request: ApiRequest, form_id: FormId, data: response_shapes.Bulk
) -> Response[bytes]:
    """Delete, restore, tag, untag or set the status of up to 1,000 responses. It can be repeated."""
    return ok(await response_edits.bulk(request.context, request.signed_in, form_id, data))


handlers = [
    change_response,
    delete_response,
    restore_response,
    list_history,
    change_responses,
]
"""For the router of the same path: one of its own would answer OPTIONS twice."""
