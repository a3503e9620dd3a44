"""Signing in and out, and passwords."""

from __future__ import annotations

from litestar import Response, Router, get, post

from appliance.api.answers import documented, ok
from appliance.api.guards import signed_in
from appliance.api.requests import ApiRequest
from appliance.services import account_shapes as shapes
from appliance.services import accounts

_BODY = (400, 413, 415)


@post("/login", reads=True, status_code=200, responses=documented(*_BODY, 401, s200=shapes.Session))
async def login(request: ApiRequest, data: shapes.Credentials) -> Response[bytes]:
    """Trade a username and a password for a token. 5 a minute for one account, 20 from one address."""
    request.hold_to(await accounts.login_verdict(request.context, data.username, request.origin))
    return ok(await accounts.login(request.context, data, request.origin))


@post("/logout", status_code=204, guards=[signed_in], responses=documented(401, 403, 409))
async def logout(request: ApiRequest) -> None:
    """End this session. Others of the same account go on."""
    await accounts.logout(request.context, request.signed_in)


@get("/me", guards=[signed_in], responses=documented(401, 403, 404, s200=shapes.User))
async def me(request: ApiRequest) -> Response[bytes]:
    """Who you are."""
    return ok(await accounts.me(request.context, request.signed_in))


@post(
    "/password",
    status_code=200,
    guards=[signed_in],
    responses=documented(*_BODY, 401, 403, 404, 409, 422, s200=shapes.User),
)
async def change_password(request: ApiRequest, data: shapes.ChangePassword) -> Response[bytes]:
    """Change your password. Your other sessions end, this one goes on."""
    request.hold_to(await accounts.password_verdict(request.context, request.signed_in))
    return ok(await accounts.change_password(request.context, request.signed_in, data))


@post("/forgot", status_code=200, responses=documented(*_BODY, 409, s200=dict[str, str]))
async def forgot(request: ApiRequest, data: shapes.ForgotPassword) -> Response[bytes]:
    """Says how to get a token for POST /auth/reset. The answer is the same for every name."""
    raise accounts.forgot()


@post("/reset", status_code=200, responses=documented(*_BODY, 403, 422, s200=shapes.User))
async def reset(request: ApiRequest, data: shapes.ResetPassword) -> Response[bytes]:
    """Set a password by a one-time token. All sessions of the account end."""
    request.hold_to(await accounts.reset_verdict(request.context, request.origin))
    return ok(await accounts.reset_password(request.context, data))


router = Router("/auth", tags=["auth"], route_handlers=[login, logout, me, change_password, forgot, reset])
