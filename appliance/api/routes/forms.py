"""Forms and their versions."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, Router, get, patch, post
from litestar.params import Parameter

from appliance.api.answers import PUBLIC, REVALIDATED, cached, created, documented, ok, tagged
from appliance.api.guards import perhaps_signed_in, signed_in
from appliance.api.paging import Cursor, Limit
from appliance.api.parameters import FormId
from appliance.api.requests import ApiRequest
from appliance.api.routes import ai, exports, form_imports, form_sharing, search
from appliance.services import forms, public_forms, shapes
from appliance.stores import idempotency

Number = Annotated[int, Parameter(ge=1, le=1_000_000_000, description="A version's number")]
_REFUSALS = (401, 403, 404)
_CHANGES = (*_REFUSALS, 409, 412)


@get("/", scope="forms:read", guards=[signed_in], responses=documented(400, 401, s200=shapes.Forms))
async def list_forms(
    request: ApiRequest,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: Annotated[shapes.Status | None, Parameter(description="Only forms in this state")] = None,
    q: Annotated[str | None, Parameter(description="Words that the title must hold", max_length=200)] = None,
) -> Response[bytes]:
    """The forms you may see, newest first, without their definitions."""
    return ok(await forms.newest(request.context, request.signed_in, status, q, cursor, limit))


@post(
    "/",
    scope="forms:write",
    guards=[signed_in],
    responses=documented(400, 401, 403, 409, 413, 415, 422, s201=shapes.Form),
)
async def create_form(request: ApiRequest, data: shapes.CreateForm) -> Response[bytes]:
    """Create a draft. The definition is SurveyJS JSON; what is not valid is a 422 that says where."""
    given = request.idempotency_key()
    caller = request.signed_in
    key = idempotency.scoped(caller.user_id, "/api/v1/forms", given, data) if given else None
    form, replayed = await forms.create(request.context, caller, data, key)
    return created(form, f"/api/v1/forms/{form.form_id}", replayed=replayed, headers={"etag": '"1"'})


@get(
    "/{form_id:str}",
    scope="forms:read",
    guards=[perhaps_signed_in],
    responses=documented(400, 401, 403, 404, s200=shapes.Form | shapes.PublicForm | shapes.LockedForm),
)
async def get_form(
    request: ApiRequest,
    form_id: FormId,
    link: Annotated[str | None, Parameter(max_length=100, description="As X-Form-Link")] = None,
) -> Response[bytes]:
    """One form: whole for those who may see it, the published questions of a public form for everybody, and
    those of another form for whoever has a link to answer it. Of a form with a PIN, others see the questions
    only with it.
    """
    seen = await public_forms.get(request.context, request.visit(form_id, link))
    headers = PUBLIC if seen.is_public and request.caller is None else REVALIDATED
    return cached(request, seen.read.cached, headers, revision=seen.read.revision)


@patch(
    "/{form_id:str}",
    scope="forms:write",
    guards=[signed_in],
    responses=documented(400, 413, 415, 422, *_CHANGES, s200=shapes.Form),
)
async def change_form(request: ApiRequest, form_id: FormId, data: shapes.ChangeForm) -> Response[bytes]:
    """Change what is given. Changed questions are asked from the next publish on; the rest holds at once."""
    done = await forms.change(request.context, request.signed_in, form_id, data, request.if_match())
    return tagged(*done)


@post(
    "/{form_id:str}/publish",
    scope="forms:write",
    status_code=200,
    guards=[signed_in],
    responses=documented(422, *_CHANGES, s200=shapes.Form),
)
async def publish_form(request: ApiRequest, form_id: FormId) -> Response[bytes]:
    """Make the draft the next version, and take responses."""
    return tagged(*await forms.publish(request.context, request.signed_in, form_id, request.if_match()))


@post(
    "/{form_id:str}/close",
    scope="forms:write",
    status_code=200,
    guards=[signed_in],
    responses=documented(*_CHANGES, s200=shapes.Form),
)
async def close_form(request: ApiRequest, form_id: FormId) -> Response[bytes]:
    """Take no more responses."""
    return tagged(
        *await forms.set_status(request.context, request.signed_in, form_id, "closed", request.if_match())
    )


@post(
    "/{form_id:str}/reopen",
    scope="forms:write",
    status_code=200,
    guards=[signed_in],
    responses=documented(*_CHANGES, s200=shapes.Form),
)
async def reopen_form(request: ApiRequest, form_id: FormId) -> Response[bytes]:
    """Take responses again after a close."""
    return tagged(
        *await forms.set_status(request.context, request.signed_in, form_id, "published", request.if_match())
    )


@get(
    "/{form_id:str}/versions",
    scope="forms:read",
    guards=[signed_in],
    responses=documented(*_REFUSALS, s200=shapes.FormVersions),
)
async def list_versions(request: ApiRequest, form_id: FormId) -> Response[bytes]:
    """All published versions, newest first, without their definitions."""
    return ok(await forms.versions(request.context, request.signed_in, form_id))


@get(
    "/{form_id:str}/versions/{number:int}",
    scope="forms:read",
    guards=[signed_in],
    responses=documented(400, *_REFUSALS, s200=shapes.FormVersion),
)
async def get_version(request: ApiRequest, form_id: FormId, number: Number) -> Response[bytes]:
    """A published version. It never changes."""
    return ok(await forms.version(request.context, request.signed_in, form_id, number))


@get(
    "/{form_id:str}/versions/{number:int}/schema.json",
    scope="forms:read",
    guards=[signed_in],
    responses=documented(400, *_REFUSALS, s200=dict[str, Any]),
)
async def get_schema(request: ApiRequest, form_id: FormId, number: Number) -> Response[bytes]:
    """The JSON Schema 2020-12 of one response's data, as far as it does not depend on other answers."""
    return ok(await forms.schema(request.context, request.signed_in, form_id, number))


router = Router(
    "/api/v1/forms",
    tags=["forms"],
    route_handlers=[
        list_forms,
        create_form,
        get_form,
        change_form,
        publish_form,
        close_form,
        reopen_form,
        list_versions,
        get_version,
        get_schema,
        *form_imports.handlers,
        *form_sharing.handlers,
        *exports.form_handlers,
        *ai.form_handlers,
        *search.form_handlers,
    ],
)
