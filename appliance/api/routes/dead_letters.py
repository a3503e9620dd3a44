"""Tasks that failed for good."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, delete, get, post
from litestar.params import Parameter

from appliance.api.answers import accepted, documented, ok
from appliance.api.guards import signed_in
from appliance.api.paging import Cursor, Limit
from appliance.api.requests import ApiRequest
from appliance.api.routes.tasks import TaskId
from appliance.services import background, dead_letters
from appliance.services import task_shapes as shapes


@get("/", scope="tasks", guards=[signed_in], responses=documented(400, 401, 403, s200=shapes.DeadLetters))
async def list_dead_letters(
    request: ApiRequest,
    limit: Limit = 50,
    cursor: Cursor = None,
    form_id: Annotated[str | None, Parameter(max_length=64)] = None,
) -> Response[bytes]:
    """Those of forms that you manage and of tasks that you started, the last ones to fail first."""
    return ok(await dead_letters.newest(request.context, request.signed_in, form_id, cursor, limit))


@get(
    "/{task_id:str}",
    scope="tasks",
    guards=[signed_in],
    responses=documented(401, 403, 404, s200=shapes.DeadLetter),
)
async def get_dead_letter(request: ApiRequest, task_id: TaskId) -> Response[bytes]:
    """What failed, with the error of every attempt."""
    return ok(await dead_letters.get(request.context, request.signed_in, task_id))


@post(
    "/{task_id:str}/replay",
    scope="tasks",
    status_code=202,
    guards=[signed_in],
    responses=documented(401, 403, 404, 409, s202=background.Accepted),
)
async def replay_dead_letter(request: ApiRequest, task_id: TaskId) -> Response[bytes]:
    """Do the task anew, under the same id, with all its retries before it."""
    return accepted(await dead_letters.replay(request.context, request.signed_in, task_id))


@delete(
    "/{task_id:str}",
    scope="tasks",
    status_code=204,
    guards=[signed_in],
    responses=documented(401, 403, 404, 409),
)
async def discard_dead_letter(request: ApiRequest, task_id: TaskId) -> None:
    """Nobody wants it done any more."""
    await dead_letters.discard(request.context, request.signed_in, task_id)


router = Router(
    "/api/v1/dead-letters",
    tags=["dead-letters"],
    route_handlers=[list_dead_letters, get_dead_letter, replay_dead_letter, discard_dead_letter],
)
