"""API keys: made and withdrawn by people, so none of these routes takes one."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, delete, get, post
from litestar.params import Parameter

from appliance.api.answers import created, documented, ok
from appliance.api.guards import signed_in
from appliance.api.paging import Cursor, Limit
from appliance.api.requests import ApiRequest
from appliance.services import account_shapes as shapes
from appliance.services import api_keys, repeats

KeyId = Annotated[str, Parameter(description="A key's id", max_length=64)]
_PATH = "/api/v1/api-keys"


@post(
    "/", guards=[signed_in], responses=documented(400, 401, 403, 409, 413, 415, 422, s201=shapes.CreatedKey)
)
async def create_key(request: ApiRequest, data: shapes.CreateKey) -> Response[bytes]:
    """Make a key for a program. It may do what its scopes say, never more than you. Shown this once."""
    context, caller = request.context, request.signed_in
    key = repeats.key(context, caller, _PATH, request.idempotency_key(), data)
    made, replayed = await api_keys.create(context, caller, data, key)
    return created(made, f"{_PATH}/{made.key_id}", replayed=replayed)


@get("/", guards=[signed_in], responses=documented(400, 401, 403, s200=shapes.ApiKeys))
async def list_keys(
    request: ApiRequest,
    limit: Limit = 50,
    cursor: Cursor = None,
    user_id: Annotated[str | None, Parameter(description="Whose; admins only", max_length=64)] = None,
) -> Response[bytes]:
    """Your keys, newest first, without the keys themselves."""
    return ok(await api_keys.newest(request.context, request.signed_in, user_id, cursor, limit))


@delete("/{key_id:str}", status_code=204, guards=[signed_in], responses=documented(400, 401, 403, 404, 409))
async def delete_key(request: ApiRequest, key_id: KeyId) -> None:
    """Withdraw a key. Admins may withdraw anybody's."""
    await api_keys.delete(request.context, request.signed_in, key_id)


router = Router(_PATH, tags=["api-keys"], route_handlers=[create_key, list_keys, delete_key])
