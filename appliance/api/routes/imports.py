"""Importing responses from a file."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from litestar import Response, post
from litestar.exceptions import HTTPException
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import Parameter

from appliance.api.answers import accepted, documented
from appliance.api.guards import signed_in
from appliance.api.parameters import FormId
from appliance.api.requests import ApiRequest
from appliance.errors import BadRequest, TooLarge, UnsupportedType
from appliance.services import response_imports
from appliance.services.background import Accepted
from appliance.services.export_shapes import Media
from appliance.services.response_imports import LARGEST, StartImport

_TYPES: tuple[tuple[re.Pattern[str], Media], ...] = (
    (re.compile(r"text/csv\s*(;|$)", re.IGNORECASE), "csv"),
    (re.compile(r"application/(x-)?(ndjson|jsonl)\s*(;|$)", re.IGNORECASE), "ndjson"),
)
_CSV = "name,age\r\nAda,36\r\nBob,\r\n"
_NDJSON = '{"data": {"name": "Ada", "age": 36}}\n{"data": {"name": "Bob"}}\n'


@dataclass
class _FileBody(Operation):
    """Litestar derives no body where the handler has no `data`, and says so over any default."""

    def __post_init__(self) -> None:
        text = Schema(type=OpenAPIType.STRING, min_length=1)
        self.request_body = RequestBody(
            content={
                "text/csv": OpenAPIMediaType(schema=text, example=_CSV),
                "application/x-ndjson": OpenAPIMediaType(schema=text, example=_NDJSON),
            },
            description="CSV with columns of an export, or a submission or response a line; at most 64 MB.",
            required=True,
        )


@post(
    "/import",
    scope="responses:write",
    status_code=202,
    guards=[signed_in],
    request_max_body_size=LARGEST,
    operation_class=_FileBody,
    responses=documented(400, 401, 403, 404, 409, 410, 413, 415, 422, s202=Accepted),
)
async def import_responses(
    request: ApiRequest,
    form_id: FormId,
    keep_origin: Annotated[
        bool, Parameter(description="Take over who answered and when, as the file has it; needs `manage`")
    ] = False,
    webhook_url: Annotated[
        str | None, Parameter(max_length=2000, description="Is told of the end of the task")
    ] = None,
) -> Response[bytes]:
    """Keep the responses of a file, each judged as a submission is. The task's result counts those that were
    accepted and refused; the report of the refused ones is `GET /api/v1/exports/{task_id}`, for 24 hours.
    """
    content_type = request.headers.get("content-type", "")
    media = next((media for pattern, media in _TYPES if pattern.match(content_type)), None)
    if media is None:
        raise UnsupportedType("Send CSV as text/csv, or JSON by lines as application/x-ndjson.")
    if (request.content_length or 0) > LARGEST:
        raise TooLarge(f"A file has at most {LARGEST} bytes; send the rest as another one.")
    asked = StartImport(media=media, keep_origin=keep_origin, webhook_url=webhook_url)
    key = request.idempotency_key()
    await response_imports.allow(request.context, request.signed_in, form_id, asked)
    promised, replayed = await response_imports.start(
        request.context, request.signed_in, form_id, asked, _body(request), key
    )
    return accepted(promised, replayed=replayed)


async def _body(request: ApiRequest) -> AsyncIterator[bytes]:
    """All of it. Raises TooLarge, BadRequest where the client hung up before its end."""
    try:
        async for chunk in request.stream():
            yield chunk
    except HTTPException as fault:
        if fault.status_code == TooLarge.status:
            raise TooLarge(f"A file has at most {LARGEST} bytes; send the rest as another one.") from None
        raise BadRequest("The body has ended before its time.") from None


handlers = [import_responses]
"""For the router of the same path: one of its own would answer OPTIONS twice."""
