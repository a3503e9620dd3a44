"""Who is asking: checked before anything of the request is read."""

from __future__ import annotations

import functools
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from appliance.errors import BadRequest, FieldError, Unauthenticated, pointer
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


def known_parameters(connection: Connection, handler: BaseRouteHandler) -> None:
    """A parameter that is misspelt or given twice must not be passed over: `dryrun=true` would store.

    Raises BadRequest. A route that takes a family of parameters names its beginning in `opt["prefix"]`.
    """
    seen: set[str] = set()
    prefix = handler.opt.get("prefix")
    for name, _ in connection.query_params.multi_items():
        if name in seen:
            raise BadRequest(
                "A parameter was given twice.", errors=[FieldError(pointer(name), "given twice")]
            )
        seen.add(name)
        if name not in _parameters(handler) and not (prefix and name.startswith(prefix)):
            fault = FieldError(pointer(name), "unknown parameter")
            raise BadRequest("This path does not take this parameter.", errors=[fault])


def room_to_write(connection: Connection, handler: BaseRouteHandler) -> None:
    """Nothing is begun that a full disk would break off. Raises Unavailable.

    Routes with `opt["reads"]` only look, whatever their method says.
    """
    if connection.scope.get("method") not in ("GET", "HEAD") and not handler.opt.get("reads"):
        connection.app.state.context.space.check()


@functools.cache
def _parameters(handler: BaseRouteHandler) -> frozenset[str]:
    """By the names that queries use: `from`, where the function says `start`."""
    named = handler.parsed_fn_signature.parameters.items()
    return frozenset(getattr(field.kwarg_definition, "query", None) or name for name, field in named)


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
