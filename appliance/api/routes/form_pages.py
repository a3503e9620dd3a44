"""The page people fill in, /f/{slug}: shown, answered by a plain HTML form, refused kindly.

Whoever comes here is a browser, and nobody in particular: no cookie is read or set, so there is nothing that
another site could make it do in somebody's name.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

from litestar import Response, Router, get, post
from litestar.datastructures import UploadFile

from appliance import errors
from appliance.api import refusal_pages
from appliance.api.answers import PUBLIC, created
from appliance.api.guards import count_submit, perhaps_signed_in
from appliance.api.requests import ApiRequest, checked_key, decode
from appliance.domain import flat_answers
from appliance.services import form_pages, shapes, submissions
from appliance.web import form_page

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_IN_ADDRESSES = "%/:?#[]@!$&'()*+,;=~"
"""RFC 3986, 2.2: all else of an address is percent-encoded; headers are ASCII."""
_MOST_TRAPPED = 1000
_PIN, _KEY, _LINK, _TRAP = (flat_answers.CONTROL + name for name in ("pin", "key", "link", "website"))


@get("/{slug:str}", any_query=True, include_in_schema=False)
async def show_form(request: ApiRequest, slug: str) -> Response[str]:
    """The form, or a page that says why not."""
    return await refusal_pages.kindly(request, _show(request, slug))


async def _show(request: ApiRequest, slug: str) -> Response[str]:
    token = request.query_params.get("link")
    form = await form_pages.open_form(request.context, slug, token)
    asked, accepted = refusal_pages.languages(request)
    language, offered = form_page.language_of(form, asked, accepted)
    html = form_page.form_html(form, language, offered)
    status = 200 if form.body is not None else errors.Forbidden.status
    headers = dict(PUBLIC) if status == 200 and token is None else {"cache-control": "private, no-store"}
    headers["vary"] = "Accept-Language"
    headers["content-security-policy"] = form_page.policy(form.settings.get("frame_ancestors", ()))
    return Response(html, status_code=status, media_type="text/html", headers=headers)


@get("/{slug:str}/thanks", any_query=True, include_in_schema=False)
async def thank(request: ApiRequest, slug: str) -> Response[str]:
    """Where a plain HTML form ends."""
    around = await refusal_pages.around(request)
    return refusal_pages.notice(
        request, around, 200, "thanks", [refusal_pages.text(request, around, "thanks-text")]
    )


@post(
    "/{slug:str}",
    scope="responses:write",
    any_query=True,
    include_in_schema=False,
    guards=[perhaps_signed_in],
)
async def answer_form(request: ApiRequest, slug: str) -> Response[Any]:
    """JSON as the responses route takes it; or the fields of a plain HTML form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _FORMS:
        return await refusal_pages.kindly(request, _answer_plainly(request, slug))
    form_id = await _form_id(request, slug)
    if request.caller is None:
        request.hold_to(await count_submit(request, form_id))
    body = decode(await request.body(), request.headers.get("content-type"), shapes.Submission)
    attempt = submissions.Attempt(
        form_id=form_id,
        caller=request.caller,
        submission=body,
        key=request.idempotency_key(),
        pin=request.headers.get("x-form-pin"),
        link=request.headers.get("x-form-link", request.query_params.get("link")),
        address=request.headers.get("x-forwarded-for"),
    )
    done, replayed = await submissions.submit(request.context, attempt)
    return created(done, f"/api/v1/forms/{form_id}/responses/{done.response_id}", replayed=replayed)


async def _form_id(request: ApiRequest, slug: str) -> str:
    """One that there is not, where there is no such form: it is refused as such."""
    try:
        return await form_pages.form_id(request.context, slug)
    except errors.NotFound:
        return "-"


class _Fields(NamedTuple):
    """Of a plain HTML form."""

    answers: list[tuple[str, str]]
    control: dict[str, str]
    """Those that are no questions."""


async def _answer_plainly(request: ApiRequest, slug: str) -> Response[str]:
    """303 to the thanks. Raises what an answer in JSON would be refused with, UnsupportedType for files."""
    fields = await _fields(request)
    token = fields.control.get(_LINK) or request.query_params.get("link")
    form_id = await _form_id(request, slug)
    request.hold_to(await count_submit(request, form_id))
    around = await form_pages.surroundings(request.context, slug, token)
    language = refusal_pages.language(request, around)
    await submissions.submit(request.context, await _attempt(request, form_id, fields, token, language))
    thanks = f"/f/{quote(slug)}/thanks?lang={language}"
    location = quote(around.redirect_url or thanks, safe=_IN_ADDRESSES)
    return Response("", status_code=303, headers={"location": location, "cache-control": "no-store"})


async def _fields(request: ApiRequest) -> _Fields:
    found = _Fields([], {})
    for name, value in (await request.form()).multi_items():
        if isinstance(value, UploadFile):
            if value.filename:
                raise errors.UnsupportedType("Files cannot be sent by a plain HTML form.")
        elif name.startswith(flat_answers.CONTROL):
            found.control[name] = value
        else:
            found.answers.append((name, value))
    return found


async def _attempt(
    request: ApiRequest, form_id: str, fields: _Fields, token: str | None, language: str
) -> submissions.Attempt:
    schema, control = await submissions.schema(request.context, form_id), fields.control
    meta = shapes.SubmissionMeta(language=language, honeypot=control.get(_TRAP, "")[:_MOST_TRAPPED])
    return submissions.Attempt(
        form_id=form_id,
        caller=None,
        submission=shapes.Submission(flat_answers.answers(schema, fields.answers), meta),
        key=checked_key(control[_KEY]) if control.get(_KEY) else None,
        pin=control.get(_PIN),
        link=token,
        address=request.headers.get("x-forwarded-for"),
    )


router = Router("/f", route_handlers=[show_form, thank, answer_form])
