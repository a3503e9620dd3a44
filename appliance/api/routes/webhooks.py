"""Webhooks: subscriptions to events, their secrets, and the log of what was delivered."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, delete, get, patch, post
from litestar.params import Parameter

from appliance.api.answers import accepted, created, documented, ok, tagged
from appliance.api.guards import signed_in, tests_limited
from appliance.api.paging import Cursor, Limit
from appliance.api.requests import ApiRequest
from appliance.services import background, repeats, webhook_deliveries, webhooks
from appliance.services import webhook_shapes as shapes

WebhookId = Annotated[str, Parameter(description="A webhook's id", max_length=100)]
OwnWebhookId = Annotated[
    str,
    Parameter(
        description="A webhook's id, or `default`: what signs the `webhook_url` of your requests",
        max_length=100,
    ),
]
DeliveryId = Annotated[str, Parameter(description="A delivery's id", max_length=64)]
_PATH = "/api/v1/webhooks"
_SCOPE = "webhooks"
_REFUSALS = (400, 401, 403, 404)
_BODIES = (*_REFUSALS, 413, 415)


@post(
    "/",
    scope=_SCOPE,
    guards=[signed_in],
    responses=documented(*_BODIES, 409, 422, s201=shapes.CreatedWebhook),
)
async def create_webhook(request: ApiRequest, data: shapes.CreateWebhook) -> Response[bytes]:
    """Subscribe a URL to events: of one form, which you must be able to manage, or of all that you manage.
    The secret that its deliveries are signed with is shown this once.
    """
    context, caller = request.context, request.signed_in
    key = repeats.key(context, caller, _PATH, request.idempotency_key(), data)
    made, replayed = await webhooks.create(context, caller, data, key)
    return created(made, f"{_PATH}/{made.webhook_id}", replayed=replayed, headers={"etag": '"1"'})


@get("/", scope=_SCOPE, guards=[signed_in], responses=documented(400, 401, 403, s200=shapes.Webhooks))
async def list_webhooks(
    request: ApiRequest,
    limit: Limit = 50,
    cursor: Cursor = None,
    user_id: Annotated[str | None, Parameter(description="Whose; admins only", max_length=64)] = None,
) -> Response[bytes]:
    """Your webhooks, newest first, without their secrets."""
    return ok(await webhooks.newest(request.context, request.signed_in, user_id, cursor, limit))


@get(
    "/{webhook_id:str}",
    scope=_SCOPE,
    guards=[signed_in],
    responses=documented(*_REFUSALS, s200=shapes.Webhook),
)
async def get_webhook(request: ApiRequest, webhook_id: WebhookId) -> Response[bytes]:
    """One webhook, without its secret."""
    return tagged(*await webhooks.get(request.context, request.signed_in, webhook_id))


@patch(
    "/{webhook_id:str}",
    scope=_SCOPE,
    guards=[signed_in],
    responses=documented(*_BODIES, 409, 412, s200=shapes.Webhook),
)
async def change_webhook(
    request: ApiRequest, webhook_id: WebhookId, data: shapes.ChangeWebhook
) -> Response[bytes]:
    """Change its URL, its events, or switch it off and on. What waits for it is tried at once afterwards."""
    done = await webhooks.change(request.context, request.signed_in, webhook_id, data, request.if_match())
    return tagged(*done)


@delete(
    "/{webhook_id:str}",
    scope=_SCOPE,
    status_code=204,
    guards=[signed_in],
    responses=documented(*_REFUSALS, 409, 412),
)
async def delete_webhook(request: ApiRequest, webhook_id: WebhookId) -> None:
    """Unsubscribe. What was not delivered yet is not delivered any more."""
    await webhooks.delete(request.context, request.signed_in, webhook_id, request.if_match())


@post(
    "/{webhook_id:str}/rotate",
    scope=_SCOPE,
    status_code=200,
    guards=[signed_in],
    responses=documented(*_REFUSALS, 409, 412, s200=shapes.Rotated),
)
async def rotate_webhook(request: ApiRequest, webhook_id: OwnWebhookId) -> Response[bytes]:
    """Replace its secret. For 24 hours deliveries carry the signatures of both, then of the new one alone."""
    return ok(await webhooks.rotate(request.context, request.signed_in, webhook_id))


@post(
    "/{webhook_id:str}/test",
    scope=_SCOPE,
    status_code=200,
    guards=[signed_in, tests_limited],
    responses=documented(*_REFUSALS, s200=shapes.Attempted),
)
async def test_webhook(request: ApiRequest, webhook_id: WebhookId) -> Response[bytes]:
    """Send it an event `webhook.test` now, signed like any other, and tell what came of it."""
    return ok(await webhooks.test(request.context, request.signed_in, webhook_id))


@get(
    "/{webhook_id:str}/deliveries",
    scope=_SCOPE,
    guards=[signed_in],
    responses=documented(*_REFUSALS, s200=shapes.Deliveries),
)
async def list_deliveries(
    request: ApiRequest, webhook_id: OwnWebhookId, limit: Limit = 50, cursor: Cursor = None
) -> Response[bytes]:
    """What was and is to be delivered, newest first, with every attempt. What ended is kept for 30 days."""
    found = await webhook_deliveries.newest(request.context, request.signed_in, webhook_id, cursor, limit)
    return ok(found)


@post(
    "/{webhook_id:str}/deliveries/{delivery_id:str}/redeliver",
    scope=_SCOPE,
    status_code=202,
    guards=[signed_in],
    responses=documented(*_REFUSALS, 409, s202=background.Accepted),
)
async def redeliver_delivery(
    request: ApiRequest, webhook_id: OwnWebhookId, delivery_id: DeliveryId
) -> Response[bytes]:
    """Send it once more, under the same id and with the same body, whether it got through or not."""
    return await _again(request, webhook_id, delivery_id)


@post(
    "/deliveries/{delivery_id:str}/redeliver",
    scope=_SCOPE,
    status_code=202,
    guards=[signed_in],
    responses=documented(*_REFUSALS, 409, s202=background.Accepted),
)
async def redeliver(request: ApiRequest, delivery_id: DeliveryId) -> Response[bytes]:
    """The same, for one who does not know its webhook."""
    return await _again(request, None, delivery_id)


async def _again(request: ApiRequest, webhook_id: str | None, delivery_id: str) -> Response[bytes]:
    done = await webhook_deliveries.redeliver(request.context, request.signed_in, webhook_id, delivery_id)
    return accepted(done)


router = Router(
    _PATH,
    tags=["webhooks"],
    route_handlers=[
        create_webhook,
        list_webhooks,
        get_webhook,
        change_webhook,
        delete_webhook,
        rotate_webhook,
        test_webhook,
        list_deliveries,
        redeliver_delivery,
        redeliver,
    ],
)
