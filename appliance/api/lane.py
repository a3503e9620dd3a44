"""The shortest way to the body that is read most: a form, by somebody who may see it, from memory.

It answers only what is all at hand: a credential that was verified, a state and a body that are current (see
`stores.generations`). Everything else, each refusal too, is Litestar's to answer. A third of Litestar's CPU.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from appliance.api.answers import REVALIDATED, form_tag
from appliance.api.edge import ROUTE
from appliance.services import forms

_FORM = re.compile(r"/api/v1/forms/([^/]{1,64})")
_ROUTE = "/api/v1/forms/{form_id}"
"""As Litestar calls it."""
_SCOPE = "forms:read"
"""What `GET /api/v1/forms/{form_id}` asks of an API key."""
_CACHE_CONTROL = REVALIDATED["cache-control"].encode()


class Lane:
    """ASGI, between CORS and Litestar."""

    def __init__(self, app: Litestar) -> None:
        self._app: ASGIApp = app
        self._state = app.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["method"] == "GET" and not scope["query_string"]:
            path = _FORM.fullmatch(scope["path"])
            read = self._find(path[1], scope["headers"]) if path else None
            if read is not None:
                scope[ROUTE] = _ROUTE  # type: ignore[literal-required]
                return await _answer(read, send)
        return await self._app(scope, receive, send)

    def _find(self, form_id: str, headers: Iterable[tuple[bytes, bytes]]) -> forms.Read | None:
        token = None
        for name, value in headers:
            if name == b"authorization" and token is None and value[:7] == b"Bearer ":
                token = value[7:].decode("latin-1")
            elif name in (b"if-none-match", b"authorization", b"x-form-link"):
                return None
        caller = None if token is None else self._state.callers.find(token)
        if caller is None or not caller.has_scope(_SCOPE):
            return None
        return forms.find(self._state.context, caller, form_id)


async def _answer(read: forms.Read, send: Send) -> None:
    content = read.cached.body.content
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", _CACHE_CONTROL),
        (b"etag", form_tag(read.cached, read.revision).encode()),
        (b"x-cache", b"HIT"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": False})
