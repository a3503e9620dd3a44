"""Answers: JSON with the headers that the contract asks for."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response
from litestar.openapi.datastructures import ResponseSpec

from appliance.api.problems import ProblemDocument
from appliance.api.requests import ApiRequest
from appliance.services.background import Accepted
from appliance.services.bodies import Cached

PRIVATE = {"cache-control": "private, no-store"}
REVALIDATED = {"cache-control": "private, no-cache"}
PUBLIC = {"cache-control": "public, no-cache", "x-accel-expires": "1"}
"""What everybody sees alike: nginx may give it out for a second, browsers ask each time."""


def ok(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type="application/json",
        headers=PRIVATE | (headers or {}),
    )


def accepted(promised: Accepted, *, replayed: bool = False) -> Response[bytes]:
    """A worker does it; where to look how far it is."""
    sent = {"location": promised.status_url}
    if replayed:
        sent["idempotency-replayed"] = "true"
    return ok(promised, status=202, headers=sent)


def created(
    body: Any, location: str, *, replayed: bool = False, headers: dict[str, str] | None = None
) -> Response[bytes]:
    sent = {"location": location, **(headers or {})}
    if replayed:
        sent["idempotency-replayed"] = "true"
    return ok(body, status=201, headers=sent)


def tagged(body: Any, revision: int) -> Response[bytes]:
    """With the ETag that If-Match and If-None-Match name."""
    return ok(body, headers={"etag": f'"{revision}"', "cache-control": "private, no-cache"})


def cached(
    request: ApiRequest, found: Cached, headers: dict[str, str], *, revision: int | None = None
) -> Response[bytes]:
    """A kept body, or 304. The tag begins with the revision, where the thing has one for If-Match."""
    tag = found.body.etag if revision is None else form_tag(found, revision)
    sent = {**headers, "etag": tag, "x-cache": "HIT" if found.hit else "MISS"}
    if request.is_current(tag):
        return Response(b"", status_code=304, media_type="application/json", headers=sent)
    return Response(found.body.content, media_type="application/json", headers=sent)


def form_tag(found: Cached, revision: int) -> str:
    return f'"{revision}-{found.body.etag[1:]}'


def not_modified(revision: int) -> Response[bytes]:
    headers = {"etag": f'"{revision}"', "cache-control": "private, no-cache"}
    return Response(b"", status_code=304, media_type="application/json", headers=headers)


TEXTS = {
    400: "Not JSON, or an unknown or mistyped field or parameter",
    401: "Not authenticated",
    403: "Known to the caller, not allowed",
    404: "Absent, or of someone who may not know that it exists",
    409: "Conflict with what is there",
    410: "Not open yet, closed, full: the type ends in form-not-open, form-closed, form-full, quota-full",
    412: "Changed since the revision in If-Match",
    413: "The body is too large",
    414: "The address is too long",
    415: "The body is not JSON",
    416: "The range lies outside of the file",
    422: "Refused by the rules of the form or of definitions",
    429: "Too many requests; Retry-After says when to come back",
    500: "An error of the appliance",
    503: "A dependency is down or the disk is full; Retry-After says when to come back",
}


def documented(*statuses: int, **shapes: Any) -> dict[int, ResponseSpec]:
    """For `responses=`: problems by status; `s200=Shape` and the like for the rest."""
    always = (429, 500, 503)
    specs = {
        status: ResponseSpec(
            ProblemDocument, description=TEXTS[status], generate_examples=False, media_type=PROBLEM_JSON
        )
        for status in (*statuses, *always)
    }
    for name, shape in shapes.items():
        specs[int(name[1:])] = ResponseSpec(shape, generate_examples=False, description="Success")
    return specs


FILE = "application/octet-stream"
"""What the documentation of a file's route is derived with; the document says which types there are."""
PROBLEM_JSON: Any = "application/problem+json"
