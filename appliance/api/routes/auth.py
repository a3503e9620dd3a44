"""Signing in."""

from __future__ import annotations

from litestar import Response, Router, post

from appliance.api.answers import documented, ok
from appliance.api.requests import ApiRequest
from appliance.services import accounts
from appliance.services.shapes import Credentials, Session


@post(
    "/login",
    reads=True,
    status_code=200,
    responses=documented(400, 401, 413, 415, s200=Session),
    tags=["auth"],
)
async def login(request: ApiRequest, data: Credentials) -> Response[bytes]:
    """Trade a username and a password for a token."""
    return ok(await accounts.login(request.context, data))


router = Router("/auth", route_handlers=[login])
