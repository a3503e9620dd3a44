"""What stands behind nginx in these tests: an ASGI program that tells what reached it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    path: str = scope["path"]
    if path.endswith("/problem"):
        await answer(send, 422, b'{"title":"of the app"}', b"application/problem+json")
    elif path.startswith("/api/status/"):
        await answer(send, int(path.rpartition("/")[2]), b"{}", b"application/json")
    elif path.endswith("/events"):
        await events(send)
    else:
        await echo(scope, receive, send)


async def echo(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    seen = {
        "program": os.environ["SLOT"],
        "method": scope["method"],
        "path": scope["path"],
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
        "bytes": size,
    }
    await answer(send, 200, json.dumps(seen).encode(), b"application/json")


async def events(send: Send) -> None:
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"text/event-stream")],
    }
    await send(start)
    for number in range(3):
        await send({"type": "http.response.body", "body": f"data: {number}\n\n".encode(), "more_body": True})
        await asyncio.sleep(0.3)
    await send({"type": "http.response.body", "body": b""})


async def answer(send: Send, status: int, body: bytes, kind: bytes) -> None:
    # Its own id: nginx must not let a second one through.
    headers = [(b"content-type", kind), (b"x-request-id", b"of-the-app")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
