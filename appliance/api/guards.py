"""Who is asking: checked before anything of the request is read."""

from __future__ import annotations

import functools
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from appliance.api.requests import ApiRequest
from appliance.domain.access import Caller
from appliance.errors import BadRequest, FieldError, Forbidden, TooMany, Unauthenticated, pointer
from appliance.metrics import counts
from appliance.services.callers import Callers
from appliance.stores.limits import Verdict

Connection = ASGIConnection[Any, Any, Any, Any]


_MINUTE = 60.0
"""Seconds that the limits by account and by form are counted in."""
_TESTS = 10
"""Test deliveries a minute of one account: each may hold a connection for ten seconds."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

SCOPE = "scope"
"""Key of a route's `opt`: the scope that an API key needs there. A route without one takes no keys."""


async def signed_in(connection: Connection, handler: BaseRouteHandler) -> None:
    """Sets the caller. Raises Unauthenticated, and Forbidden for a key without the route's scope."""
    await perhaps_signed_in(connection, handler)
    if connection.scope["user"] is None:
        raise Unauthenticated("Sign in: send Authorization: Bearer with a token of POST /auth/login.")


async def admin_only(connection: Connection, handler: BaseRouteHandler) -> None:
    """Sets the caller. Raises Unauthenticated, Forbidden."""
    await signed_in(connection, handler)
    if not connection.scope["user"].is_admin:
        raise Forbidden("Only an admin may do this.")


async def may_ask_models(connection: Connection, handler: BaseRouteHandler) -> None:
    """After `signed_in`. Raises Forbidden for those who only look at what others share."""
    if not connection.scope["user"].may_ask_models:
        raise Forbidden("Only editors, analysts and admins may ask the models.")


async def perhaps_signed_in(connection: Connection, handler: BaseRouteHandler) -> None:
    """Sets the caller, or None where no token came along. A token that is wrong is refused all the same."""
    token = _bearer(connection)
    caller = None if token is None else await _callers(connection).get(token)
    if caller is not None and caller.scopes is not None and handler.opt.get(SCOPE) not in caller.scopes:
        raise Forbidden("This API key was not made for this.")
    connection.scope["user"] = caller
    if caller is not None and isinstance(connection, ApiRequest) and connection.method not in _SAFE:
        context = connection.context
        bucket = (f"writes:{caller.user_id}", context.settings.limit_writes, _MINUTE)
        connection.hold_to(await context.limits.take(*bucket))


async def still_signed_in(connection: Connection) -> Caller:
    """Who the request's token speaks for by now. Raises Unauthenticated."""
    token = _bearer(connection)
    if token is None:
        raise Unauthenticated("Sign in again.")
    return await _callers(connection).get(token)


async def strangers_limited(connection: Connection, _: BaseRouteHandler) -> None:
    """For the submit of public forms, after `perhaps_signed_in`. Raises TooMany."""
    if connection.scope["user"] is None and isinstance(connection, ApiRequest):
        connection.hold_to(await count_submit(connection))


async def tests_limited(connection: Connection, _: BaseRouteHandler) -> None:
    """For what waits for somebody else's server, after `signed_in`. Raises TooMany."""
    if isinstance(connection, ApiRequest):
        name = f"webhook-tests:{connection.signed_in.user_id}"
        connection.hold_to(await connection.context.limits.take(name, _TESTS, _MINUTE))


async def uploads_limited(connection: Connection, _: BaseRouteHandler) -> None:
    """For strangers' uploads, after `perhaps_signed_in`. Raises TooMany."""
    if connection.scope["user"] is None and isinstance(connection, ApiRequest):
        limit = connection.context.settings.limit_uploads
        connection.hold_to(await _count(connection, "upload", limit))


async def partials_limited(connection: Connection, _: BaseRouteHandler) -> None:
    """For strangers' half-filled responses, after `perhaps_signed_in`. Raises TooMany."""
    if connection.scope["user"] is None and isinstance(connection, ApiRequest):
        limit = connection.context.settings.limit_partials
        connection.hold_to(await _count(connection, "partial", limit))


async def count_submit(request: ApiRequest, form_id: str | None = None) -> Verdict:
    """One more answer to a form from an address; the form of the path, where none is named."""
    verdict = await _count(request, "submit", request.context.settings.limit_submits, form_id)
    if not verdict.allowed:
        counts.add("submissions_rejected", TooMany.slug)
    return verdict


async def _count(request: ApiRequest, what: str, limit: int, form_id: str | None = None) -> Verdict:
    """By form and address."""
    name = f"{what}:{form_id or request.path_params['form_id']}:{request.origin}"
    return await request.context.limits.take(name, limit, _MINUTE)


def known_parameters(connection: Connection, handler: BaseRouteHandler) -> None:
    """A parameter that is misspelt or given twice must not be passed over: `dryrun=true` would store.

    Raises BadRequest. A route that takes a family of parameters names its beginning in `opt["prefix"]`; pages
    for browsers have `opt["any_query"]`, for what others add to an address (`utm_source`).
    """
    if handler.opt.get("any_query"):
        return
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
    return frozenset(getattr(field.kwarg_definition, "name", None) or name for name, field in named)


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
