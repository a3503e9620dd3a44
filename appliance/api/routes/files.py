"""Files that answers name: uploading one, downloading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from litestar import Response, Router, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.params import Parameter

from appliance.api.answers import PRIVATE, created, documented
from appliance.api.guards import perhaps_signed_in, uploads_limited
from appliance.api.parameters import FileId, FormId
from appliance.api.requests import ApiRequest
from appliance.api.uploads import AROUND, Body, read
from appliance.services import uploads
from appliance.services.uploads import Sent

BINARY = "application/octet-stream"
INTERNAL = "/_files/"
"""The location of nginx that gives out the data folder's `files`, to answers that say so."""
_BYTES = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)


@dataclass
class _FileBody(Operation):
    """Litestar derives no body where the handler has no `data`."""

    def __post_init__(self) -> None:
        one = Schema(type=OpenAPIType.OBJECT, properties={"file": _BYTES}, required=["file"])
        self.request_body = RequestBody(
            content={
                "multipart/form-data": OpenAPIMediaType(schema=one, example={"file": "its bytes"}),
                BINARY: OpenAPIMediaType(schema=_BYTES, example="the bytes of the file"),
            },
            description="One part `file`; or the bytes themselves, with the file's own Content-Type.",
            required=True,
        )


@post(
    "/",
    scope="responses:write",
    guards=[perhaps_signed_in, uploads_limited],
    request_max_body_size=None,  # the service counts
    operation_class=_FileBody,
    responses=documented(400, 401, 403, 404, 409, 410, 413, 422, s201=uploads.Uploaded),
)
async def upload_file(
    request: ApiRequest,
    form_id: FormId,
    question: Annotated[str, Parameter(max_length=200, description="The name of the file question")],
    name: Annotated[str | None, Parameter(max_length=300, description="The file's name")] = None,
    link: Annotated[str | None, Parameter(max_length=100, description="As X-Form-Link")] = None,
) -> Response[bytes]:
    """Upload a file for a file question, by whoever may answer the form. The answer names it by `content`.
    What no response names within a day is removed.
    """
    visit = request.visit(form_id, link)
    body = Body(request, request.context.settings.upload_mb * 1024 * 1024 + AROUND)

    async def sent() -> Sent:
        return await read(request, body, name)

    try:
        done = await uploads.upload(request.context, visit, question, sent)
    finally:
        await body.drain()
    return created(done, done.content)


@get(
    "/{file_id:str}",
    scope="responses:read",
    guards=[perhaps_signed_in],
    responses=documented(400, 401, 403, 404)
    | {200: ResponseSpec(bytes, media_type=BINARY, generate_examples=False, description="The file")},
)
async def download_file(request: ApiRequest, form_id: FormId, file_id: FileId) -> Response[bytes]:
    """A file as it was uploaded, as an attachment: for who may read the form's responses, and for who has the
    token of a half-filled response that names it.
    """
    token = request.headers.get("x-partial-token")
    row = await uploads.find(request.context, request.caller, form_id, file_id, token)
    headers = {
        **PRIVATE,
        "content-type": row["type"],
        "content-disposition": _attachment(row["name"]),
        "x-accel-redirect": INTERNAL + uploads.area(request.context).address(file_id),
    }
    return Response(b"", headers=headers, media_type=row["type"])


def _attachment(name: str) -> str:
    """RFC 6266, with a name in ASCII for those who do not know `filename*`."""
    plain = "".join(each if each.isascii() and each not in '"\\%' else "_" for each in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


router = Router(
    "/api/v1/forms/{form_id:str}/files", tags=["files"], route_handlers=[upload_file, download_file]
)
