"""Every error as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException
from litestar.exceptions import NotFoundException as RouteNotFound
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from appliance import errors, logs
from appliance.api import bad_parameters
from appliance.stores import mongo

log = logs.get(__name__)

AnyRequest = Request[Any, Any, Any]
_SECRET = re.compile(r"(/partial/)[^/]+")


class FieldFault(msgspec.Struct):
    path: str
    message: str


class ProblemDocument(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 9457, with `request_id`, and `errors` for invalid input."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[FieldFault] = []
    form_version: int | msgspec.UnsetType = msgspec.UNSET
    """Of `form-changed`: the form's current version."""


def answer(
    request: AnyRequest, problem: errors.Problem, headers: dict[str, str] | None = None
) -> Response[bytes]:
    document = ProblemDocument(
        type=problem.type,
        title=problem.title,
        status=problem.status,
        detail=problem.detail,
        instance=_shown_path(request),
        request_id=logs.request_id.get() or "",
        errors=[FieldFault(error.path, error.message) for error in problem.errors],
        form_version=problem.version if isinstance(problem, errors.FormOutdated) else msgspec.UNSET,
    )
    sent = {"cache-control": "no-store", **(headers or {})}
    if problem.retry_after is not None:
        sent["retry-after"] = str(problem.retry_after)
    if problem.status == errors.Unauthenticated.status:
        sent["www-authenticate"] = "Bearer"
    return Response(
        content=msgspec.json.encode(document),
        status_code=problem.status,
        media_type="application/problem+json",
        headers=sent,
    )


def _shown_path(request: AnyRequest) -> str:
    """For eyes and logs: without the secret that the paths of half-filled responses end with."""
    return _SECRET.sub(r"\1-", request.scope["path"])


def on_problem(request: AnyRequest, problem: errors.Problem) -> Response[bytes]:
    return answer(request, problem)


def on_database_error(request: AnyRequest, error: PyMongoError) -> Response[bytes]:
    problem = mongo.as_problem(error)
    if problem is None:
        return on_unexpected(request, error)
    log.warning("database", extra={"path": _shown_path(request), "error": str(error)[:300]})
    return answer(request, problem)


def on_redis_error(request: AnyRequest, error: RedisError) -> Response[bytes]:
    log.warning("redis", extra={"path": _shown_path(request), "error": str(error)[:300]})
    return answer(request, errors.Unavailable("Redis does not answer; try again."))


def on_framework_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Litestar's own: no such path, wrong method, a parameter that does not parse."""
    if isinstance(error, RouteNotFound):
        return answer(request, errors.NotFound("There is nothing at this path; see /docs."))
    if isinstance(error, MethodNotAllowedException):
        headers = {"allow": (error.headers or {}).get("allow", "")}
        return answer(
            request, errors.MethodNotAllowed("This path does not take this method; see /docs."), headers
        )
    if error.status_code == 413:
        return answer(request, errors.TooLarge(f"The body is larger than this path takes{_most(request)}."))
    if error.status_code >= 500:
        return on_unexpected(request, error)
    return answer(request, bad_parameters.problem(request, error))


def _most(request: AnyRequest) -> str:
    most = request.route_handler.resolve_request_max_body_size()
    return "" if most is None else f": at most {most} bytes"


def on_unexpected(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Ours. The log has the whole of it, the caller only the id to ask about."""
    log.error("unexpected error", extra={"path": _shown_path(request)}, exc_info=error)
    return answer(
        request, errors.InternalError("Something went wrong here. The log has it under this request_id.")
    )


HANDLERS: dict[int | type[Exception], Any] = {
    errors.Problem: on_problem,
    PyMongoError: on_database_error,
    RedisError: on_redis_error,
    HTTPException: on_framework_error,
    Exception: on_unexpected,
}
