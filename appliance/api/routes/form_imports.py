"""Forms from what users already have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from litestar import Response, post
from litestar.datastructures import UploadFile
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.params import Parameter, QueryParameter

from appliance.api.answers import created, documented, ok
from appliance.api.guards import signed_in
from appliance.api.requests import ApiRequest
from appliance.errors import BadRequest, FieldError, TooLarge, UnsupportedType
from appliance.services import imports
from appliance.services.import_shapes import ImportDraft, ImportedForm, Source

_ENVELOPE = 64 * 1024
"""Bytes that multipart may put around a file."""
_PART = "file"
_MULTIPART = "multipart/form-data"
_RAW = "application/octet-stream"
_TYPES = re.compile(
    r"(application/(octet-stream|vnd\.openxmlformats-officedocument\.spreadsheetml\.sheet|(\w[\w.+-]*\+)?json)"
    r"|text/(csv|plain))\s*(;|$)",
    re.IGNORECASE,
)
_EXAMPLE = "survey,type,name,label\n,text,name,What is your name?\n"


@dataclass
class _FileBody(Operation):
    """Litestar derives no body where the handler has no `data`, and says so over any default."""

    def __post_init__(self) -> None:
        file = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
        form = Schema(type=OpenAPIType.OBJECT, properties={_PART: file}, required=[_PART])
        self.request_body = RequestBody(
            content={
                _RAW: OpenAPIMediaType(schema=file, example=_EXAMPLE),
                _MULTIPART: OpenAPIMediaType(schema=form, example={_PART: _EXAMPLE}),
            },
            description=(
                "The file: its bytes, also under its own type (xlsx, text/csv, application/json), or as the "
                f"part `{_PART}`. At most {imports.LARGEST} bytes."
            ),
            required=True,
        )


@post(
    "/import",
    scope="forms:write",
    guards=[signed_in],
    request_max_body_size=imports.LARGEST + _ENVELOPE,
    operation_class=_FileBody,
    responses=documented(400, 401, 403, 409, 413, 415, 422, s201=ImportedForm)
    | {200: ResponseSpec(ImportDraft, generate_examples=False, description="With dry_run")},
)
async def import_form(
    request: ApiRequest,
    source: Annotated[Source, QueryParameter(name="from", description="What the file is")],
    title: Annotated[
        str | None, Parameter(min_length=1, max_length=200, description="Instead of the file's own")
    ] = None,
    dry_run: Annotated[bool, Parameter(description="Tell what would be made; store nothing")] = False,
) -> Response[bytes]:
    """A draft of the questions of an XLSForm (xlsx or csv) or a JSON Schema, with a warning for all that
    could not be carried over.
    """
    key = request.idempotency_key()
    body, caller = await _file(request), request.signed_in
    if dry_run:
        return ok(await imports.look(request.context, caller, source, body, title))
    form, replayed = await imports.create(request.context, caller, source, body, title, key)
    return created(form, f"/api/v1/forms/{form.form_id}", replayed=replayed, headers={"etag": '"1"'})


async def _file(request: ApiRequest) -> bytes:
    """Raises TooLarge, UnsupportedType, BadRequest for a form without the part."""
    kind = request.headers.get("content-type", "")
    if kind.lower().startswith(_MULTIPART):
        body = await _part(request)
    elif _TYPES.match(kind):
        body = await request.body()
    else:
        raise UnsupportedType(f"A form is imported from a file: as {_MULTIPART}, or its bytes as {_RAW}.")
    if len(body) > imports.LARGEST:
        raise TooLarge(f"A file to import has at most {imports.LARGEST} bytes.")
    return body


async def _part(request: ApiRequest) -> bytes:
    try:
        form = await request.form()
    except (HTTPException, ValueError):
        raise BadRequest("The body is no multipart form.") from None
    part = form.get(_PART)
    if isinstance(part, UploadFile):
        return await part.read()
    if isinstance(part, str):
        return part.encode()
    fault = FieldError(f"/{_PART}", "missing required part")
    raise BadRequest("The form has no file.", errors=[fault])


handlers = [
    import_form,
]
"""For the router of the same path: one of its own would answer OPTIONS twice."""
