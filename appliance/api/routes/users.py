"""Accounts, for admins."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, get, patch, post
from litestar.params import Parameter

from appliance.api.answers import created, documented, ok, tagged
from appliance.api.guards import admin_only
from appliance.api.paging import Cursor, Limit
from appliance.api.requests import ApiRequest
from appliance.services import account_shapes as shapes
from appliance.services import repeats, users

UserId = Annotated[str, Parameter(description="A user's id", max_length=64)]
_PATH = "/api/v1/users"


@post(
    "/",
    scope="admin",
    guards=[admin_only],
    responses=documented(400, 401, 403, 409, 413, 415, 422, s201=shapes.CreatedUser),
)
async def create_user(request: ApiRequest, data: shapes.CreateUser) -> Response[bytes]:
    """Create an account. Without a password it is an invited one, and the answer has its `reset_token`."""
    context, caller = request.context, request.signed_in
    key = repeats.key(context, caller, _PATH, request.idempotency_key(), data)
    made, replayed = await users.create(context, caller.user_id, data, key)
    return created(made, f"{_PATH}/{made.user_id}", replayed=replayed, headers={"etag": '"1"'})


@get("/", scope="admin", guards=[admin_only], responses=documented(400, 401, 403, s200=shapes.Users))
async def list_users(
    request: ApiRequest,
    limit: Limit = 50,
    cursor: Cursor = None,
    q: Annotated[
        str | None, Parameter(description="Part of the username or the address", max_length=100)
    ] = None,
) -> Response[bytes]:
    """All accounts, newest first."""
    return ok(await users.newest(request.context, q, cursor, limit))


@get(
    "/{user_id:str}",
    scope="admin",
    guards=[admin_only],
    responses=documented(400, 401, 403, 404, s200=shapes.User),
)
async def get_user(request: ApiRequest, user_id: UserId) -> Response[bytes]:
    """One account."""
    return tagged(*await users.get(request.context, user_id))


@patch(
    "/{user_id:str}",
    scope="admin",
    guards=[admin_only],
    responses=documented(400, 401, 403, 404, 409, 412, 413, 415, s200=shapes.User),
)
async def change_user(request: ApiRequest, user_id: UserId, data: shapes.ChangeUser) -> Response[bytes]:
    """Change what is given. Disabling ends all sessions and withdraws all keys of the account."""
    actor = request.signed_in.user_id
    return tagged(*await users.change(request.context, actor, user_id, data, request.if_match()))


router = Router(_PATH, tags=["users"], route_handlers=[create_user, list_users, get_user, change_user])
