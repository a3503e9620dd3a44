"""Forms: who else, links, copies, and what is deleted and restored."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, delete, get, post, put
from litestar.params import Parameter

from appliance.api.answers import created, documented, ok, tagged
from appliance.api.guards import signed_in
from appliance.api.paging import Cursor, Limit
from appliance.api.parameters import FormId
from appliance.api.requests import ApiRequest
from appliance.errors import Forbidden
from appliance.services import form_content, form_links, form_shapes, form_sharing, forms, repeats, shapes
from appliance.stores import idempotency

_REFUSALS = (400, 401, 403, 404)
_BODIES = (*_REFUSALS, 413, 415, 422)


@post(
    "/validate",
    scope="forms:read",
    reads=True,
    status_code=200,
    guards=[signed_in],
    responses=documented(400, 401, 403, 413, 415, 422, s200=form_shapes.Judged),
)
async def validate_form(request: ApiRequest, data: form_shapes.JudgeForm) -> Response[bytes]:
    """The same check as before a form is created or published; nothing is stored. `warnings` tell what is
    valid, but perhaps not what was meant, each after its JSON Pointer."""
    if not request.signed_in.may_create_forms:
        raise Forbidden("Your role does not create forms.")
    asked = form_content.content(data.definition, data.schema)
    warnings = await form_content.advice(request.context.schemas, asked)
    return ok(form_shapes.Judged(valid=True, warnings=warnings))


@post(
    "/{form_id:str}/duplicate",
    scope="forms:write",
    guards=[signed_in],
    responses=documented(*_REFUSALS, 409, 422, s201=shapes.Form),
)
async def duplicate_form(request: ApiRequest, form_id: FormId) -> Response[bytes]:
    """A draft of your own that is like the draft of this form. Its PIN, shares and links are not copied."""
    given, caller = request.idempotency_key(), request.signed_in
    path = f"/api/v1/forms/{form_id}/duplicate"
    key = idempotency.scoped(caller.user_id, path, given, None) if given else None
    form, replayed = await forms.duplicate(request.context, caller, form_id, key)
    return created(form, f"/api/v1/forms/{form.form_id}", replayed=replayed, headers={"etag": '"1"'})


@delete(
    "/{form_id:str}",
    scope="forms:write",
    status_code=204,
    guards=[signed_in],
    responses=documented(*_REFUSALS, 409, 412),
)
async def delete_form(request: ApiRequest, form_id: FormId) -> None:
    """Take the form away, with its responses, until it is restored."""
    await form_sharing.delete(request.context, request.signed_in, form_id, request.if_match())


@post(
    "/{form_id:str}/restore",
    scope="forms:write",
    status_code=200,
    guards=[signed_in],
    responses=documented(*_REFUSALS, 409, 412, s200=shapes.Form),
)
async def restore_form(request: ApiRequest, form_id: FormId) -> Response[bytes]:
    """Bring a deleted form back as it was."""
    return tagged(
        *await form_sharing.restore(request.context, request.signed_in, form_id, request.if_match())
    )


@get(
    "/{form_id:str}/shares",
    scope="forms:read",
    guards=[signed_in],
    responses=documented(*_REFUSALS, s200=form_shapes.Shares),
)
async def list_shares(request: ApiRequest, form_id: FormId) -> Response[bytes]:
    """Who else may do what with the form."""
    return tagged(*await form_sharing.shares(request.context, request.signed_in, form_id))


@put(
    "/{form_id:str}/shares",
    scope="forms:write",
    guards=[signed_in],
    responses=documented(*_BODIES, 409, 412, s200=form_shapes.Shares),
)
async def set_shares(request: ApiRequest, form_id: FormId, data: form_shapes.GiveShares) -> Response[bytes]:
    """Replace all shares. Who is not named is out at once."""
    done = await form_sharing.set_shares(
        request.context, request.signed_in, form_id, data.shares, request.if_match()
    )
    return tagged(*done)


@post(
    "/{form_id:str}/links",
    scope="forms:write",
    guards=[signed_in],
    responses=documented(*_BODIES, 409, s201=form_shapes.CreatedLink),
)
async def create_link(request: ApiRequest, form_id: FormId, data: form_shapes.CreateLink) -> Response[bytes]:
    """A link to answer the form by, public or not: its token goes into `?link=` or X-Form-Link. `{}` makes
    one for many answers and for good."""
    path = f"/api/v1/forms/{form_id}/links"
    key = repeats.key(request.context, request.signed_in, path, request.idempotency_key(), data)
    link, replayed = await form_links.create(request.context, request.signed_in, form_id, data, key)
    return created(link, f"{path}/{link.link_id}", replayed=replayed)


@get(
    "/{form_id:str}/links",
    scope="forms:read",
    guards=[signed_in],
    responses=documented(*_REFUSALS, s200=form_shapes.Links),
)
async def list_links(
    request: ApiRequest, form_id: FormId, limit: Limit = 50, cursor: Cursor = None
) -> Response[bytes]:
    """The links that were not withdrawn, newest first, without their tokens."""
    return ok(await form_links.newest(request.context, request.signed_in, form_id, cursor, limit))


@delete(
    "/{form_id:str}/links/{link_id:str}",
    scope="forms:write",
    status_code=204,
    guards=[signed_in],
    responses=documented(*_REFUSALS),
)
async def withdraw_link(
    request: ApiRequest, form_id: FormId, link_id: Annotated[str, Parameter(max_length=64)]
) -> None:
    """Nobody answers through it from now on."""
    await form_links.withdraw(request.context, request.signed_in, form_id, link_id)


handlers = [
    validate_form,
    duplicate_form,
    delete_form,
    restore_form,
    list_shares,
    set_shares,
    create_link,
    list_links,
    withdraw_link,
]
"""For the router of the same path: one of its own would answer OPTIONS twice."""
