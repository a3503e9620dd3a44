"""What surrounds every request: its id, its database deadline, and headers that every answer carries."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import pymongo
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from appliance import logs
from appliance.stores.mongo import DEADLINE

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


EXTRA = "appliance.headers"
"""Key of the scope: a list of headers that this request's answer carries, whatever it becomes."""


class Edge:
    """ASGI, outside of Litestar: the cheapest place, and errors pass through it too.

    Once `leaves` says so, each answer ends its connection: nginx must not ask a process again that is about
    to go, since a POST that it sent and got no answer to fails.
    """

    def __init__(self, app: ASGIApp, leaves: Callable[[], bool] = lambda: False) -> None:
        self._app, self._leaves = app, leaves

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            return await self._app(scope, receive, send)
        request_id = _request_id(scope)
        token = logs.request_id.set(request_id)
        mine = [*_HEADERS, (b"x-request-id", request_id.encode())]
        scope[EXTRA] = mine  # type: ignore[literal-required]

        is_head = scope["method"] == "HEAD"
        if is_head:  # as GET, without its body (RFC 9110, 9.3.2)
            scope["method"] = "GET"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                last = [(b"connection", b"close")] if self._leaves() else []
                message["headers"] = [*message["headers"], *mine, *last]
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            with pymongo.timeout(DEADLINE):
                await self._app(scope, receive, send_with_headers)
        finally:
            logs.request_id.reset(token)


def _request_id(scope: Scope) -> str:
    """The caller's, if it is sane: it goes into logs and headers."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return value.decode()
    return os.urandom(16).hex()
