"""What browsers get instead of problem+json: a page that says what is the matter, in their language."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Any

from litestar import Response
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from appliance import errors
from appliance.api.requests import ApiRequest
from appliance.services import admission, form_links, form_pages
from appliance.services.form_pages import NOWHERE, Surroundings
from appliance.stores import mongo
from appliance.web import form_page, words

_WORDS: dict[type[errors.Problem], str] = {
    errors.NotFound: "not-found",
    errors.Unauthenticated: "one-person",
    errors.FormClosed: "form-closed",
    errors.FormNotOpen: "form-not-open",
    errors.FormFull: "form-full",
    errors.QuotaFull: "form-full",
    errors.UnsupportedType: "no-files",
    errors.TooMany: "unavailable",
    errors.Unavailable: "unavailable",
}
"""Keys of the words (web/texts); the longer line has `-text` at its end."""


async def kindly(request: ApiRequest, work: Awaitable[Response[Any]]) -> Response[Any]:
    """What it answers, or the page of its refusal."""
    try:
        return await work
    except errors.Problem as problem:
        return await refusal(request, problem)
    except PyMongoError as fault:
        problem_of = mongo.as_problem(fault)
        if problem_of is None:
            raise
        return await refusal(request, problem_of)
    except RedisError:
        return await refusal(request, errors.Unavailable("Redis does not answer; try again."))


async def refusal(request: ApiRequest, problem: errors.Problem) -> Response[Any]:
    about = await around(request)
    if about is NOWHERE and isinstance(problem, errors.Unauthenticated):
        problem = errors.NotFound("There is no such form.")
    headers = {} if problem.retry_after is None else {"retry-after": str(problem.retry_after)}
    if problem.status == errors.Unauthenticated.status:
        headers["www-authenticate"] = "Bearer"
    if isinstance(problem, errors.Invalid):
        faults = [_fault(each) for each in problem.errors] or [problem.detail]
        return notice(request, about, 422, "faultsTitle", [text(request, about, "faultsHint")], faults)
    key = _key(problem)
    if key is None:
        return notice(request, about, problem.status, "brokenTitle", [problem.detail], headers=headers)
    longer = "pinText" if problem.detail == admission.PIN_NEEDED else f"{key}-text"
    line = text(request, about, longer).replace("{moment}", about.opens or "")
    return notice(request, about, problem.status, key, [line], headers=headers)


def _key(problem: errors.Problem) -> str | None:
    if isinstance(problem, errors.Conflict):
        return "link-used" if problem.detail == form_links.USED else None
    if isinstance(problem, errors.Forbidden):
        return "link-refused" if problem.detail.startswith(form_links.ABOUT) else "pin"
    return _WORDS.get(type(problem))


async def around(request: ApiRequest) -> Surroundings:
    """The form that the request is about, if whoever asks may know of it; also without the database."""
    try:
        slug = request.path_params["slug"]
        return await form_pages.surroundings(request.context, slug, request.query_params.get("link"))
    except (errors.Problem, PyMongoError):
        return NOWHERE


def notice(
    request: ApiRequest,
    about: Surroundings,
    status: int,
    title: str,
    lines: Iterable[str],
    faults: Iterable[str] = (),
    *,
    headers: dict[str, str] | None = None,
) -> Response[Any]:
    """`title` is a key of the words."""
    chosen = language(request, about)
    # A reload may have lost the link that this tab came by.
    script = "refused.js" if request.method == "GET" and status in (401, 404) else None
    html = form_page.notice_html(chosen, words.texts(chosen)[title], lines, faults, script=script)
    sent = {
        "cache-control": "no-store",
        "vary": "Accept-Language",
        "content-security-policy": form_page.policy(about.frame_ancestors),
        **(headers or {}),
    }
    return Response(html, status_code=status, media_type="text/html", headers=sent)


def languages(request: ApiRequest) -> tuple[str | None, str]:
    """What the address asks for, and what the browser would like."""
    return request.query_params.get("lang"), request.headers.get("accept-language", "")


def language(request: ApiRequest, about: Surroundings) -> str:
    return words.choose(*languages(request), (), about.language)


def text(request: ApiRequest, about: Surroundings, key: str) -> str:
    return words.texts(language(request, about))[key]


def _fault(error: errors.FieldError) -> str:
    place = error.path.removeprefix("/data").strip("/").replace("/", " / ")
    return f"{place}: {error.message}" if place else error.message
