"""Tasks as callers see them: those that they started, and those of forms that they may edit.

The engine knows a task until an hour after its end. What it does not know any more, or not again yet, is
told from what the database holds of it: a promise, a delivery, or a dead letter. Of a response's event that
Redis has lost nothing is known until the relay has sent it again, some seconds later.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from appliance.clock import rfc3339
from appliance.domain.access import Caller, Level, level
from appliance.errors import Forbidden, NotFound, Unavailable
from appliance.queue import status as engine
from appliance.queue.redaction import last_line
from appliance.queue.routes import ROUTES
from appliance.queue.states import State
from appliance.services import task_shapes as shapes
from appliance.services.context import Context
from appliance.stores import dead_letters, deliveries, outbox
from appliance.stores.mongo import Document

_LOOKED_AT = 2_000
"""Tasks that one page of a list looks at; the page may then be short."""


class Filter(NamedTuple):
    """Only tasks with these; None is any."""

    status: State | None
    queue: str | None
    name: str | None
    form_id: str | None

    def takes(self, task: engine.Known) -> bool:
        asked = (self.status, self.queue, self.name, self.form_id)
        has = (task.state, task.queue, task.name, task.arguments.get("form_id"))
        return all(want is None or want == got for want, got in zip(asked, has, strict=True))


async def get(context: Context, caller: Caller, task_id: str) -> shapes.Task:
    """Raises NotFound, Forbidden for one who may only look at its form, Unavailable."""
    with redis_needed():
        known = await engine.find(context.redis, task_id)
    if known is not None:
        await allow(context, caller, known.owner, known.arguments)
        return shape(known)
    return await _stored(context, caller, task_id)


async def newest(
    context: Context, caller: Caller, wanted: Filter, cursor: str | None, limit: int
) -> shapes.Tasks:
    """A page of the tasks the caller may see. Raises BadRequest, Unavailable."""
    scope = "\0".join(("tasks", caller.user_id, *map(repr, wanted)))
    below = context.cursors.read(scope, cursor) if cursor else None
    found: list[shapes.Task] = []
    looked_at, sight = 0, _Sight(context, caller)
    while looked_at < _LOOKED_AT:
        with redis_needed():
            part = await engine.newest(context.redis, below, 200)
        for number, task in part.tasks:
            if wanted.takes(task) and await sight.sees(task):
                found.append(shape(task))
                if len(found) == limit:
                    return shapes.Tasks(found, context.cursors.sign(scope, number))
        if part.lowest is None:
            return shapes.Tasks(found, None)
        below, looked_at = part.lowest, looked_at + 200
    return shapes.Tasks(found, context.cursors.sign(scope, below))


async def allow(context: Context, caller: Caller, owner: str | None, arguments: Document) -> None:
    """Raises NotFound for those who may not know of the task, Forbidden for those who may only look."""
    if caller.is_admin or (owner and owner == caller.user_id):
        return
    granted = await _level(context, caller, arguments.get("form_id"))
    if granted == Level.NONE:
        raise NotFound("There is no such task.")
    if granted < Level.EDIT:
        raise Forbidden("You may see this task's form, but not its tasks.")


async def _level(context: Context, caller: Caller, form_id: Any) -> Level:
    if not isinstance(form_id, str):
        return Level.NONE
    try:
        return level(caller, (await context.forms.get(form_id)).row)
    except NotFound:
        return Level.NONE


class _Sight:
    """Whose tasks a caller sees in one list: each form is looked up once."""

    def __init__(self, context: Context, caller: Caller) -> None:
        self._context = context
        self._caller = caller
        self._levels: dict[Any, Level] = {}

    async def sees(self, task: engine.Known) -> bool:
        if self._caller.is_admin or task.owner == self._caller.user_id:
            return True
        form_id = task.arguments.get("form_id")
        if form_id not in self._levels:
            self._levels[form_id] = await _level(self._context, self._caller, form_id)
        return self._levels[form_id] >= Level.EDIT


async def _stored(context: Context, caller: Caller, task_id: str) -> shapes.Task:
    """What the database knows of a task that the engine does not. Raises NotFound, Forbidden."""
    row = await outbox.find(context.db, task_id)
    if row is not None and "task" in row and row["state"] == "pending":
        await allow(context, caller, row["owner"], row["arguments"])
        return promised(row)
    delivery = await deliveries.peek(context.db, task_id)
    if delivery is not None and delivery["state"] == "pending":
        arguments = {"form_id": delivery["form_id"]}
        await allow(context, caller, None, arguments)
        return _bare(task_id, deliveries.TASK, arguments, "queued", delivery["created_at"])
    letter = await dead_letters.find(context.db, task_id)
    if letter is not None and letter["state"] == "dead":
        await allow(context, caller, letter["owner"], letter["arguments"])
        made = dt.datetime.fromtimestamp(letter["created_at"] / 1000, dt.UTC)
        task = _bare(task_id, letter["task"], letter["arguments"], "failed", made)
        task.attempts, task.error = len(letter["attempts"]), last_line(letter["error"])
        task.finished_at = rfc3339(letter["failed_at"])
        return task
    raise NotFound("There is no such task; what has ended is known for an hour.")


def promised(row: Document) -> shapes.Task:
    """A row of the outbox, of which the engine knows nothing."""
    return _bare(row["_id"], row["task"], row["arguments"], "queued", row["created_at"])


def _bare(task_id: str, name: str, arguments: Document, state: State, made: dt.datetime) -> shapes.Task:
    return shapes.Task(
        task_id=task_id,
        name=name,
        queue=ROUTES[name].queue if name in ROUTES else "default",
        status=state,
        form_id=arguments.get("form_id"),
        progress=None,
        attempts=0,
        created_at=rfc3339(made),
        started_at=None,
        finished_at=None,
        due_at=None,
        execution_time=None,
        result=None,
        error=None,
    )


def shape(task: engine.Known) -> shapes.Task:
    return shapes.Task(
        task_id=task.id,
        name=task.name,
        queue=task.queue,
        status=task.state,
        form_id=task.arguments.get("form_id"),
        progress=shapes.Progress(*task.progress) if task.progress else None,
        attempts=task.attempts,
        created_at=moment(task.created),
        started_at=_moment(task.started),
        finished_at=_moment(task.finished),
        due_at=_moment(task.due),
        execution_time=None if task.execution is None else task.execution / 1000,
        result=task.result,
        error=last_line(task.error) or None,
    )


def moment(milliseconds: float) -> str:
    return rfc3339(dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC))


def _moment(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else moment(milliseconds)


@contextlib.contextmanager
def redis_needed() -> Iterator[None]:
    """Raises Unavailable where Redis does not answer."""
    try:
        yield
    except (RedisError, OSError):
        raise Unavailable(
            "The queue does not answer; tasks that were promised are not lost. Ask again.", retry_after=5
        ) from None
