"""Many responses in one request, as NDJSON."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from litestar import post
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.response import Stream

from appliance.addresses import Paths
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
_Kept = tempfile.SpooledTemporaryFile[bytes]
_IN_MEMORY = 1024 * 1024
_CHUNK = 64 * 1024
_TYPES = re.compile(r"application/(x-)?(ndjson|jsonl)\s*(;|$)", re.IGNORECASE)
_EXAMPLE = '{"data": {"name": "Ada"}, "key": "row-1"}\n{"data": {"name": "Bob"}, "key": "row-2"}\n'


@dataclass
class _NdjsonBody(Operation):
    """Litestar derives no body where the handler has no `data`, and says so over any default."""

    def __post_init__(self) -> None:
        lines = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING), example=_EXAMPLE)
        self.request_body = RequestBody(
            content={NDJSON: lines},
            description="A submission a line, each of at most 1 MB; all together 64 MB.",
            required=True,
        )


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
async def submit_batch(request: ApiRequest, form_id: FormId) -> Stream:
    """Submit many responses, one a line. Each is judged alone; the verdicts come in the same order,
    once all lines were read. Give up on the answer, and the rest of the lines is not read.
    """
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

    body = _body(request)
    answer = batches.verdicts(request.context, attempt, body, _decode, hold)
    kept = await _keep(answer, Paths(request.context.settings.data).run)
    async for _ in body:  # of a batch with too many lines
        pass
    return Stream(_read(kept), media_type=NDJSON, headers=PRIVATE)


async def _keep(answer: AsyncGenerator[bytes], folder: Path) -> _Kept:
    """The verdicts, in memory or in a file without a name, until the whole batch was read.

    nginx sends no more of a body once the answer has begun, and many clients read nothing before they have
    sent all: whoever answered meanwhile would wait for them for ever.
    """
    kept = _Kept(max_size=_IN_MEMORY, dir=str(folder))
    async for verdict in answer:
        kept.write(verdict)
    kept.seek(0)
    return kept


async def _read(kept: _Kept) -> AsyncGenerator[bytes]:
    with kept:
        while chunk := kept.read(_CHUNK):
            yield chunk


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
