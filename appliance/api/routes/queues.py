"""Where tasks wait."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, get, post
from litestar.params import Parameter

from appliance.api.answers import documented, ok
from appliance.api.guards import admin_only, signed_in
from appliance.api.requests import ApiRequest
from appliance.services import queues
from appliance.services import task_shapes as shapes

QueueName = Annotated[str, Parameter(description="`high`, `default` or `batched`", max_length=64)]


@get("/", scope="tasks", guards=[signed_in], responses=documented(401, 403, s200=shapes.Queues))
async def list_queues(request: ApiRequest) -> Response[bytes]:
    """How many tasks wait and for how long, how many run, how many end a second."""
    return ok(await queues.every(request.context))


@post(
    "/{queue:str}/pause",
    scope="admin",
    status_code=200,
    guards=[admin_only],
    responses=documented(401, 403, 404, s200=shapes.Queue),
)
async def pause_queue(request: ApiRequest, queue: QueueName) -> Response[bytes]:
    """What runs goes on; nothing else of this queue begins until it is resumed."""
    return ok(await queues.set_paused(request.context, request.signed_in, queue, paused=True))


@post(
    "/{queue:str}/resume",
    scope="admin",
    status_code=200,
    guards=[admin_only],
    responses=documented(401, 403, 404, s200=shapes.Queue),
)
async def resume_queue(request: ApiRequest, queue: QueueName) -> Response[bytes]:
    """Its tasks begin again."""
    return ok(await queues.set_paused(request.context, request.signed_in, queue, paused=False))


router = Router("/api/v1/queues", tags=["queues"], route_handlers=[list_queues, pause_queue, resume_queue])
