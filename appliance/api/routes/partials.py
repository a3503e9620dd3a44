"""Half-filled responses, by their secret token."""

from __future__ import annotations

from litestar import Response, Router, delete, get, put

from appliance.api.answers import created, documented, not_modified, tagged
from appliance.api.guards import partials_limited, perhaps_signed_in
from appliance.api.parameters import FormId, PartialToken
from appliance.api.requests import ApiRequest
from appliance.services import partials
from appliance.services.partial_shapes import Partial, SavePartial

_REFUSALS = (400, 401, 403, 404, 409)
_GUARDS = [perhaps_signed_in, partials_limited]


@put(
    "/{token:str}",
    scope="responses:write",
    status_code=200,
    guards=_GUARDS,
    responses=documented(*_REFUSALS, 410, 412, 413, 415, 422, s200=Partial, s201=Partial),
)
async def save_partial(
    request: ApiRequest, form_id: FormId, token: PartialToken, data: SavePartial
) -> Response[bytes]:
    """Keep what is half-filled, for whoever has the token; 201 the first time. It is not judged yet. It goes
    when it is submitted, and when it was not changed for long.
    """
    done = await partials.save(request.context, request.visit(form_id), token, data, request.if_match())
    if done.is_new:
        tag = {"etag": f'"{done.revision}"'}
        return created(done.shape, f"/api/v1/forms/{form_id}/partial/{token}", headers=tag)
    return tagged(done.shape, done.revision)


@get(
    "/{token:str}",
    scope="responses:write",
    guards=_GUARDS,
    responses=documented(*_REFUSALS, 410, s200=Partial),
)
async def get_partial(request: ApiRequest, form_id: FormId, token: PartialToken) -> Response[bytes]:
    """What was half-filled, to go on with it on any device."""
    found, revision = await partials.get(request.context, request.visit(form_id), token)
    if request.is_current(f'"{revision}"'):
        return not_modified(revision)
    return tagged(found, revision)


@delete(
    "/{token:str}",
    scope="responses:write",
    status_code=204,
    guards=_GUARDS,
    responses=documented(*_REFUSALS),
)
async def delete_partial(request: ApiRequest, form_id: FormId, token: PartialToken) -> None:
    """Forget what was half-filled; also of a form that has closed."""
    await partials.withdraw(request.context, request.visit(form_id), token)


router = Router(
    "/api/v1/forms/{form_id:str}/partial",
    tags=["partials"],
    route_handlers=[save_partial, get_partial, delete_partial],
)
