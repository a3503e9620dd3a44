"""`appliance.api.edge.Edge` without its counting: what the same costs without."""

from __future__ import annotations

import pymongo
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from appliance import logs
from appliance.api.edge import _HEADERS, EXTRA, _request_id
from appliance.stores.mongo import DEADLINE


class PlainEdge:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = _request_id(scope)
        token = logs.request_id.set(request_id)
        mine = [*_HEADERS, (b"x-request-id", request_id.encode())]
        scope[EXTRA] = mine  # type: ignore[literal-required]
        is_head = scope.get("method") == "HEAD"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *mine]
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            with pymongo.timeout(DEADLINE):
                await self._app(scope, receive, send_with_headers)
        finally:
            logs.request_id.reset(token)
