"""What surrounds every request: its id, its database deadline, its count, and headers of every answer."""

from __future__ import annotations

import os
import re
from asyncio import CancelledError
from collections.abc import Callable
from time import perf_counter_ns
from typing import cast

import pymongo
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from appliance import logs
from appliance.metrics import counts
from appliance.metrics.requests import GONE, UNMATCHED, Requests
from appliance.stores.mongo import DEADLINE

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


EXTRA = "appliance.headers"
"""Key of the scope: a list of headers that this request's answer carries, whatever it becomes."""
ROUTE = "path_template"
"""Key of the scope: the route that took the request, such as `/api/v1/forms/{form_id}`. Litestar sets it, and
whoever answers before Litestar.
"""


class Edge:
    """ASGI, outside of Litestar: the cheapest place, and errors pass through it too.

    Once `leaves` says so, each answer ends its connection: nginx must not ask a process again that is about
    to go, since a POST that it sent and got no answer to fails.
    """

    def __init__(self, app: ASGIApp, leaves: Callable[[], bool] = lambda: False) -> None:
        self._app, self._leaves = app, leaves
        self._requests = Requests(counts.own())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            return await self._app(scope, receive, send)
        begun = perf_counter_ns()
        method = scope["method"]
        request_id = _request_id(scope)
        token = logs.request_id.set(request_id)
        mine = [*_HEADERS, (b"x-request-id", request_id.encode())]
        scope[EXTRA] = mine  # type: ignore[literal-required]

        is_head = method == "HEAD"
        if is_head:  # as GET, without its body (RFC 9110, 9.3.2)
            scope["method"] = "GET"

        noted = False

        def note(status: int) -> None:
            nonlocal noted
            if not noted:
                noted = True
                route = cast(str, scope.get(ROUTE, UNMATCHED))
                self._requests.note(route, method, status, perf_counter_ns() - begun)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                note(message["status"])
                last = [(b"connection", b"close")] if self._leaves() else []
                message["headers"] = [*message["headers"], *mine, *last]
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            with pymongo.timeout(DEADLINE):
                await self._app(scope, receive, send_with_headers)
        except CancelledError:
            note(GONE)
            raise
        except Exception:
            note(500)  # Granian's answer
            raise
        finally:
            logs.request_id.reset(token)


def _request_id(scope: Scope) -> str:
    """The caller's, if it is sane: it goes into logs and headers."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return value.decode()
    return os.urandom(16).hex()
