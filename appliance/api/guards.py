"""Who is asking: checked before anything of the request is read."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from appliance.errors import Unauthenticated
from appliance.services.accounts import Callers

Connection = ASGIConnection[Any, Any, Any, Any]


async def signed_in(connection: Connection, _: BaseRouteHandler) -> None:
    """Sets the caller. Raises Unauthenticated."""
    token = _bearer(connection)
    if token is None:
        raise Unauthenticated("Sign in: send Authorization: Bearer with a token of POST /auth/login.")
    connection.scope["user"] = await _callers(connection).get(token)


async def perhaps_signed_in(connection: Connection, _: BaseRouteHandler) -> None:
    """Sets the caller, or None where no token came along. A token that is wrong is refused all the same."""
    token = _bearer(connection)
    connection.scope["user"] = None if token is None else await _callers(connection).get(token)


def _callers(connection: Connection) -> Callers:
    callers: Callers = connection.app.state.callers
    return callers


def _bearer(connection: Connection) -> str | None:
    """Raises Unauthenticated for another scheme."""
    given = connection.headers.get("authorization")
    if given is None:
        return None
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Only Authorization: Bearer is understood.")
    return token.strip()
