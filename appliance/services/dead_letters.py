"""Dead letters: tasks that failed for good, for those who manage their forms.

To replay one is to promise its task anew, under the same id: what it did before it failed is not done twice.
"""

from __future__ import annotations

from appliance.clock import rfc3339
from appliance.domain.access import Caller, Level, level
from appliance.errors import Forbidden, NotFound
from appliance.queue.redaction import last_line
from appliance.services import background, tasks
from appliance.services import task_shapes as shapes
from appliance.services.context import Context
from appliance.services.forms import next_cursor
from appliance.stores import audit, dead_letters, forms
from appliance.stores.mongo import Document

_MOST_FORMS = 1_000


async def get(context: Context, caller: Caller, task_id: str) -> shapes.DeadLetter:
    """Raises NotFound, Forbidden."""
    return _shape(await _letter(context, caller, task_id))


async def newest(
    context: Context, caller: Caller | None, form_id: str | None, cursor: str | None, limit: int
) -> shapes.DeadLetters:
    """A page, the last ones to fail first; of all forms for the operator (None) and admins."""
    scope = f"dead_letters\0{caller.user_id if caller else None}\0{form_id}"
    high = context.cursors.read(scope, cursor) if cursor else None
    query: Document = {} if form_id is None else {"arguments.form_id": form_id}
    if caller is not None and not caller.is_admin:
        managed = await _managed(context, caller, form_id)
        query = {
            "$and": [query, {"$or": [{"arguments.form_id": {"$in": managed}}, {"owner": caller.user_id}]}]
        }
    page = await dead_letters.newest(context.db, query, high, limit)
    return shapes.DeadLetters([_shape(row) for row in page.rows], next_cursor(context, scope, page))


async def _managed(context: Context, caller: Caller, form_id: str | None) -> list[str]:
    """Of this form, or of all, those that the caller may manage: of a great many only some."""
    if form_id is None:
        return await forms.managed(context.db, caller, _MOST_FORMS) if caller.may_create_forms else []
    try:
        form = (await context.forms.get(form_id)).row
    except NotFound:
        return []
    return [form_id] if level(caller, form) >= Level.MANAGE else []


async def replay(context: Context, caller: Caller | None, task_id: str) -> background.Accepted:
    """Raises NotFound, Forbidden, Conflict."""
    letter = await _letter(context, caller, task_id)
    deed = audit.Entry(
        caller.user_id if caller else None, "dead_letter.replayed", task_id, {"task": letter["task"]}
    )
    return background.begin(context, await dead_letters.replay(context.db, letter, deed))


async def discard(context: Context, caller: Caller | None, task_id: str) -> None:
    """Raises NotFound, Forbidden, Conflict."""
    letter = await _letter(context, caller, task_id)
    deed = audit.Entry(
        caller.user_id if caller else None, "dead_letter.discarded", task_id, {"task": letter["task"]}
    )
    await dead_letters.discard(context.db, letter, deed)


async def _letter(context: Context, caller: Caller | None, task_id: str) -> Document:
    letter = await dead_letters.get(context.db, task_id)
    if caller is None or caller.is_admin or letter["owner"] == caller.user_id:
        return letter
    try:
        form = (await context.forms.get(letter["arguments"].get("form_id", ""))).row
    except NotFound:
        raise NotFound("There is no such dead letter.") from None
    granted = level(caller, form)
    if granted == Level.NONE:
        raise NotFound("There is no such dead letter.")
    if granted < Level.MANAGE:
        raise Forbidden("You may see this form, but not its dead letters.")
    return letter


def _shape(letter: Document) -> shapes.DeadLetter:
    return shapes.DeadLetter(
        task_id=letter["_id"],
        name=letter["task"],
        queue=letter["queue"],
        form_id=letter["arguments"].get("form_id"),
        arguments=letter["arguments"],
        error=last_line(letter["error"]),
        attempts=[_attempt(each) for each in letter["attempts"]],
        status=letter["state"],
        replays=letter["replay"],
        created_at=tasks.moment(letter["created_at"]),
        failed_at=rfc3339(letter["failed_at"]),
    )


def _attempt(row: Document) -> shapes.TaskAttempt:
    return shapes.TaskAttempt(
        started_at=tasks.moment(row["started"]),
        ended_at=tasks.moment(row["ended"]),
        worker=row["worker"],
        error=row["error"],
    )
