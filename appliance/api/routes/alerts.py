"""The inbox of alerts, for admins; and the inner door, by which Alertmanager fills it."""

from __future__ import annotations

import hmac
from typing import Annotated

from litestar import Response, Router, delete, get, post
from litestar.handlers.base import BaseRouteHandler
from litestar.params import Parameter, QueryParameter

from appliance import addresses
from appliance.addresses import Paths
from appliance.api.answers import documented, ok
from appliance.api.guards import Connection, admin_only
from appliance.api.paging import Cursor, Limit
from appliance.api.requests import ApiRequest
from appliance.errors import CannotStart, NotFound
from appliance.services import inbox
from appliance.services import inbox_shapes as shapes

AlertId = Annotated[str, Parameter(max_length=64)]
_CHANGE = documented(400, 401, 403, 404, 409, 415, 422, s200=shapes.Alert)
_BACK = documented(401, 403, 404, 409, s200=shapes.Alert)


@get("/", scope="admin", guards=[admin_only], responses=documented(400, 401, 403, s200=shapes.Alerts))
async def list_alerts(
    request: ApiRequest,
    limit: Limit = 50,
    cursor: Cursor = None,
    wanted: Annotated[
        shapes.State | None, QueryParameter(name="state", description="Only those in this state")
    ] = None,
) -> Response[bytes]:
    """What is wrong and what was, the last ones to begin first."""
    return ok(await inbox.newest(request.context, wanted, cursor, limit))


@get(
    "/{alert_id:str}",
    scope="admin",
    guards=[admin_only],
    responses=documented(401, 403, 404, s200=shapes.Alert),
)
async def get_alert(request: ApiRequest, alert_id: AlertId) -> Response[bytes]:
    """One of them, with what became of it."""
    return ok(await inbox.get(request.context, alert_id))


@post(
    "/{alert_id:str}/acknowledge",
    scope="admin",
    status_code=200,
    guards=[admin_only],
    reads=True,
    responses=_CHANGE,
)
async def acknowledge_alert(
    request: ApiRequest, alert_id: AlertId, data: shapes.Acknowledge
) -> Response[bytes]:
    """You care for it: nobody is told of it again until it is over. If it begins anew, they are."""
    return ok(await inbox.acknowledge(request.context, request.signed_in, alert_id, data.note))


@delete(
    "/{alert_id:str}/acknowledge",
    scope="admin",
    status_code=200,
    guards=[admin_only],
    reads=True,
    responses=_BACK,
)
async def unacknowledge_alert(request: ApiRequest, alert_id: AlertId) -> Response[bytes]:
    """It is told again."""
    return ok(await inbox.unacknowledge(request.context, request.signed_in, alert_id))


@post(
    "/{alert_id:str}/silence",
    scope="admin",
    status_code=200,
    guards=[admin_only],
    reads=True,
    responses=_CHANGE,
)
async def silence_alert(request: ApiRequest, alert_id: AlertId, data: shapes.Silence) -> Response[bytes]:
    """Nobody is told of it for so long, whether it ends and begins anew or not."""
    return ok(await inbox.silence(request.context, request.signed_in, alert_id, data))


@delete(
    "/{alert_id:str}/silence",
    scope="admin",
    status_code=200,
    guards=[admin_only],
    reads=True,
    responses=_BACK,
)
async def unsilence_alert(request: ApiRequest, alert_id: AlertId) -> Response[bytes]:
    """It is told again; of one that is over meanwhile, its end."""
    return ok(await inbox.unsilence(request.context, request.signed_in, alert_id))


@post("/alerts", include_in_schema=False, status_code=200, reads=True)
async def take_alerts(request: ApiRequest, data: shapes.Message) -> Response[bytes]:
    """Alertmanager's webhook. nginx has this address on a port of 127.0.0.1 alone, and who does not know
    Alertmanager's password is told that there is none. An answer of 2xx says that all is on disk.
    """
    return ok({"changed": await inbox.receive(request.context, data.alerts)})


async def _alertmanager_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Raises NotFound."""
    try:
        path = Paths(connection.app.state.context.settings.data).alertmanager_password
        wanted = f"Bearer {addresses.read_line(path)}"
    except CannotStart:
        wanted = ""
    given = connection.headers.get("authorization", "")
    if not wanted or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise NotFound("There is nothing at this address.")


router = Router(
    "/api/v1/alerts",
    tags=["alerts"],
    route_handlers=[
        list_alerts,
        get_alert,
        acknowledge_alert,
        unacknowledge_alert,
        silence_alert,
        unsilence_alert,
    ],
)
inner = Router("/internal", guards=[_alertmanager_only], route_handlers=[take_alerts])
