"""Many responses in one request, as NDJSON."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from litestar import Request, Response, post
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import HTTPResponseBodyEvent, Receive, Send

from appliance.api.answers import PRIVATE, documented
from appliance.api.guards import count_submit, perhaps_signed_in
from appliance.api.parameters import FormId
from appliance.api.requests import ApiRequest, decode
from appliance.errors import TooLarge, TooMany, UnsupportedType
from appliance.services import batches, submissions
from appliance.services.shapes import Submission

NDJSON = "application/x-ndjson"
LARGEST = 64 * 1024 * 1024
"""Bytes of a batch, as in nginx.conf."""
_TYPES = re.compile(r"application/(x-)?(ndjson|jsonl)\s*(;|$)", re.IGNORECASE)
_EXAMPLE = '{"data": {"name": "Ada"}, "key": "row-1"}\n{"data": {"name": "Bob"}, "key": "row-2"}\n'


@dataclass
class _NdjsonBody(Operation):
    request_body: Any = field(
        default_factory=lambda: RequestBody(
            content={NDJSON: OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING), example=_EXAMPLE)},
            description="A submission a line, each of at most 1 MB; all together 64 MB.",
            required=True,
        )
    )


class _Verdicts(ASGIStreamingResponse):
    """Reads the request while it answers, so it is the body's reader that learns of a client that hung up:
    Litestar's own would wait for that by reading, too, and swallow parts of the body.
    """

    async def send_body(self, send: Send, receive: Receive) -> None:
        async for chunk in self.iterator:
            body = chunk.encode() if isinstance(chunk, str) else chunk
            event: HTTPResponseBodyEvent = {"type": "http.response.body", "body": body, "more_body": True}
            await send(event)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Streamed(Response[AsyncGenerator[bytes]]):
    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **_: Any) -> _Verdicts:
        return _Verdicts(iterator=self.content, media_type=NDJSON, headers=PRIVATE, status_code=200)


@post(
    "/batch",
    scope="responses:write",
    status_code=200,
    guards=[perhaps_signed_in],
    request_max_body_size=LARGEST,
    operation_class=_NdjsonBody,
    responses=documented(400, 401, 403, 404, 409, 413, 415)
    | {
        200: ResponseSpec(
            batches.LineVerdict, media_type=NDJSON, generate_examples=False, description="One a line"
        )
    },
)
async def submit_batch(request: ApiRequest, form_id: FormId) -> _Streamed:
    """Submit many responses, one a line. Each is judged alone; the verdicts come in the same order."""
    if not _TYPES.match(request.headers.get("content-type", "")):
        raise UnsupportedType(f"A batch is sent with Content-Type: {NDJSON}.")
    if (request.content_length or 0) > LARGEST:
        raise TooLarge(f"A batch has at most {LARGEST} bytes; send the rest as another one.")
    attempt = submissions.Attempt(
        form_id=form_id,
        caller=request.caller,
        submission=Submission(None),
        pin=request.headers.get("x-form-pin"),
        link=request.headers.get("x-form-link"),
        address=request.headers.get("x-forwarded-for"),
    )
    await submissions.admit(request.context, attempt)

    async def hold() -> None:
        if request.caller is None and not (verdict := await count_submit(request)).allowed:
            raise TooMany(
                "Too many responses of strangers to this form; sign in, or send the rest later.",
                retry_after=verdict.reset_seconds,
            )

    return _Streamed(batches.verdicts(request.context, attempt, _body(request), _decode, hold))


async def _body(request: ApiRequest) -> AsyncGenerator[bytes]:
    """The chunks of the body. It ends where the client hung up, or sent more than it may."""
    try:
        async for chunk in request.stream():
            yield chunk
    except HTTPException:
        return


def _decode(line: bytes) -> batches.BatchLine:
    given: batches.BatchLine = decode(line, "application/json", batches.BatchLine)
    return given


handlers = [
    submit_batch,
]
"""For the router of the same path: one of its own would answer OPTIONS twice."""
