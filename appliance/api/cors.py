"""Cross-origin requests: none by default; what the setting or a public form's `origins` allow.

Tokens travel in a header, never in a cookie, so credentials are not allowed along. Of a form only the
public routes are opened to its origins: reading and answering it, its files, what is half-filled.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from appliance.api.edge import EXTRA, ROUTE

FormOrigins = Callable[[str], Awaitable[frozenset[str]]]
"""The origins that a form's owner allowed; empty for a form that is not public."""

_PUBLIC = re.compile(r"/api/v1/forms/([^/]{1,64})(?:/responses|/files(?:/[^/]+)?|/partial/[^/]+)?")
_PREFLIGHT = "preflight"
"""What a browser asks first is counted as, whatever route it asks about."""
_PREFLIGHT_SECONDS = b"600"
_METHODS = b"GET, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = (
    b"authorization, content-type, idempotency-key, if-match, if-none-match, x-form-pin, x-form-link, "
    b"x-partial-token"
)
_EXPOSED = b"etag, location, retry-after, idempotency-replayed, x-request-id, x-cache"


class Cors:
    """ASGI, between the edge and Litestar."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...], form_origins: FormOrigins) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._form_origins = form_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            return await self._app(scope, receive, send)
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        if origin is None:
            return await self._app(scope, receive, send)
        extra: list[tuple[bytes, bytes]] = scope[EXTRA]  # type: ignore[literal-required]
        extra.append((b"vary", b"Origin"))
        if not await self._allows(origin.decode("latin-1"), scope["path"]):
            return await self._app(scope, receive, send)
        extra.append((b"access-control-allow-origin", origin))
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            scope[ROUTE] = _PREFLIGHT  # type: ignore[literal-required]
            return await _preflight(send)
        extra.append((b"access-control-expose-headers", _EXPOSED))
        return await self._app(scope, receive, send)

    async def _allows(self, origin: str, path: str) -> bool:
        if origin in self._origins:
            return True
        found = _PUBLIC.fullmatch(path)
        return found is not None and origin in await self._form_origins(found[1])


async def _preflight(send: Send) -> None:
    headers = [
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", _REQUEST_HEADERS),
        (b"access-control-max-age", _PREFLIGHT_SECONDS),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
