"""Background work: how far it is, cancelling it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated

import msgspec
from litestar import Response, Router, delete, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream

from appliance.api.answers import PRIVATE, accepted, documented, ok
from appliance.api.guards import signed_in, still_signed_in
from appliance.api.paging import Cursor, Limit
from appliance.api.requests import ApiRequest
from appliance.errors import Problem
from appliance.queue.states import State
from appliance.services import background, task_cancelling, task_events, tasks
from appliance.services import task_shapes as shapes

TaskId = Annotated[str, Parameter(description="A task's id", max_length=64)]
_RECONNECT = 3_000
"""Milliseconds after which a client whose stream broke asks again."""


@get(
    "/",
    scope="tasks",
    guards=[signed_in],
    responses=documented(400, 401, 403, s200=shapes.Tasks),
)
async def list_tasks(
    request: ApiRequest,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: State | None = None,
    queue: Annotated[str | None, Parameter(max_length=64)] = None,
    name: Annotated[str | None, Parameter(max_length=64)] = None,
    form_id: Annotated[str | None, Parameter(max_length=64)] = None,
) -> Response[bytes]:
    """Tasks that you started and those of forms that you may edit, newest first; what ended, for an hour."""
    wanted = tasks.Filter(status, queue, name, form_id)
    return ok(await tasks.newest(request.context, request.signed_in, wanted, cursor, limit))


@get(
    "/{task_id:str}",
    scope="tasks",
    guards=[signed_in],
    responses=documented(401, 403, 404, s200=shapes.Task),
)
async def get_task(request: ApiRequest, task_id: TaskId) -> Response[bytes]:
    """How far a task is, and what came of it."""
    return ok(await tasks.get(request.context, request.signed_in, task_id))


@delete(
    "/{task_id:str}",
    scope="tasks",
    status_code=202,
    guards=[signed_in],
    responses={
        **documented(401, 403, 404, 409, s202=background.Accepted),
        204: ResponseSpec(None, description="It will not run", generate_examples=False),
    },
)
async def cancel_task(request: ApiRequest, task_id: TaskId) -> Response[bytes]:
    """Cancel it: 204 when it had not begun, 202 when it runs, and is interrupted within seconds."""
    if await task_cancelling.cancel(request.context, request.signed_in, task_id):
        return Response(b"", status_code=204)
    return accepted(background.Accepted(task_id=task_id, status_url=f"/api/v1/tasks/{task_id}"))


@get(
    "/{task_id:str}/events",
    scope="tasks",
    guards=[signed_in],
    responses={
        **documented(401, 403, 404),
        200: ResponseSpec(
            str,
            description="Server-sent events: `task`, each with the whole task as JSON, until it has ended",
            generate_examples=False,
            media_type="text/event-stream",
        ),
    },
)
async def follow_task(request: ApiRequest, task_id: TaskId) -> Stream:
    """The task now, and again at each change of its state or progress, as server-sent events."""
    caller = request.signed_in
    await tasks.get(request.context, caller, task_id)

    async def may_listen() -> bool:
        try:
            await tasks.get(request.context, await still_signed_in(request), task_id)
        except Problem:
            return False
        return True

    headers = {**PRIVATE, "x-accel-buffering": "no"}
    heard = task_events.follow(request.context, caller.user_id, task_id, may_listen)
    first = await anext(heard, None)  # what is refused is refused before the answer begins
    told = _messages(first, heard)
    return Stream(told, media_type="text/event-stream", headers=headers)


async def _messages(
    first: shapes.Task | None, heard: AsyncGenerator[shapes.Task | None]
) -> AsyncIterator[bytes]:
    try:
        yield b"retry: %d\n\n%b" % (_RECONNECT, _message(first))
        async for task in heard:
            yield _message(task)
    finally:
        await heard.aclose()


def _message(task: shapes.Task | None) -> bytes:
    if task is None:
        return b": alive\n\n"
    return b"event: task\ndata: %b\n\n" % msgspec.json.encode(task)


router = Router(
    "/api/v1/tasks", tags=["tasks"], route_handlers=[list_tasks, get_task, cancel_task, follow_task]
)
