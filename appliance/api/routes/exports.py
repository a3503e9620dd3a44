"""Exports of responses: sent at once, or made by a task and downloaded."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import IO, Annotated

from litestar import Response, Router, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream

from appliance.api.answers import FILE, PRIVATE, accepted, documented
from appliance.api.guards import signed_in
from appliance.api.parameters import FormId
from appliance.api.queries import FILTER, End, Start, filters_of, moment_of
from appliance.api.requests import ApiRequest
from appliance.services import export_running, exports
from appliance.services.background import Accepted
from appliance.services.export_shapes import Format, StartExport, Status
from appliance.stores.exports import Finished

_CHUNK = 256 * 1024
_INTERNAL = "/_exports/"
"""Where nginx has the files, for nobody but itself."""
ExportId = Annotated[str, Parameter(max_length=64, description="The id of the task that made it")]


def _file(description: str) -> ResponseSpec:
    return ResponseSpec(bytes, media_type=FILE, generate_examples=False, description=description)


_FILES = {
    200: _file("The file"),
    206: _file("The part that Range asked for"),
    304: ResponseSpec(None, description="What If-None-Match names is current"),
}


@get(
    "/{form_id:str}/export",
    tags=["exports"],
    scope="responses:read",
    prefix=FILTER,
    guards=[signed_in],
    responses=documented(400, 401, 403, 404, 409, 422) | {200: _file("The file")},
)
async def export_responses(
    request: ApiRequest,
    form_id: FormId,
    format: Annotated[Format, Parameter(description="Of the file")] = "csv",
    table: Annotated[
        str | None,
        Parameter(max_length=1000, description="csv, parquet: a dynamic panel or matrix instead of all"),
    ] = None,
    bom: Annotated[bool, Parameter(description="csv: begin with a byte order mark, for Excel")] = False,
    time_zone: Annotated[
        str | None, Parameter(max_length=64, description="Of times; else the form's, else UTC")
    ] = None,
    status: Annotated[Status | None, Parameter(description="Without it, all but deleted ones")] = None,
    start: Start = None,
    end: End = None,
) -> Stream:
    """Up to 50,000 responses and 256 MB as a file, the oldest first. The answer begins when the file is
    whole: `Content-Length`, `Repr-Digest` and `X-Row-Count` tell whether all of it has arrived.
    `filter.<question>=<answer>` (up to 5) keeps those that answered so.
    """
    asked = StartExport(
        format=format,
        table=table,
        bom=bom,
        time_zone=time_zone,
        status=status,
        start=moment_of("from", start),
        end=moment_of("to", end),
        filter=filters_of(request),
    )
    made = await export_running.at_once(request.context, request.signed_in, form_id, asked)
    return Stream(
        _chunks(made.file),
        media_type=made.about.media_type,
        headers={**_headers(made.about), "content-length": str(made.about.bytes)},
    )


@post(
    "/{form_id:str}/exports",
    tags=["exports"],
    scope="responses:read",
    status_code=202,
    guards=[signed_in],
    responses=documented(400, 401, 403, 404, 409, 413, 415, 422, s202=Accepted),
)
async def start_export(request: ApiRequest, form_id: FormId, data: StartExport) -> Response[bytes]:
    """Have an export of any size made. Its download is `GET /api/v1/exports/{task_id}`, for 24 hours."""
    promised, replayed = await exports.start(
        request.context, request.signed_in, form_id, data, request.idempotency_key()
    )
    return accepted(promised, replayed=replayed)


@get(
    "/{export_id:str}",
    scope="responses:read",
    guards=[signed_in],
    responses=documented(400, 401, 403, 404, 409, 416, s202=Accepted) | _FILES,
)
async def download_export(request: ApiRequest, export_id: ExportId) -> Response[bytes]:
    """The file; 202 while it is being made. Parts of it can be asked for with `Range`."""
    found = await exports.get(request.context, request.signed_in, export_id)
    if not isinstance(found, Finished):
        return accepted(found)
    headers = {**_headers(found), "x-accel-redirect": _INTERNAL + export_id}
    return Response(b"", media_type=found.media_type, headers=headers)


def _headers(about: Finished) -> dict[str, str]:
    """RFC 9530: the digest of the whole file, also where only a part of it is sent."""
    digest = base64.b64encode(bytes.fromhex(about.sha256)).decode()
    return {
        **PRIVATE,
        "content-disposition": f'attachment; filename="{about.name}"',
        "repr-digest": f"sha-256=:{digest}:",
        "x-row-count": str(about.rows),
    }


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


form_handlers = [export_responses, start_export]
"""For the router of the forms' path."""
router = Router("/api/v1/exports", tags=["exports"], route_handlers=[download_export])
