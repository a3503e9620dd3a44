"""Deliveries: opened from their event, tried until they got through, logged, sent again when asked.

The delivery's row is what was promised. A task only works on it, and may be lost, run twice or come too
early; what it finds in the row decides.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any, Literal

from redis.exceptions import RedisError

from appliance.clock import rfc3339, utc_now
from appliance.domain.access import Caller, Level, level
from appliance.errors import Conflict, NotFound
from appliance.services import background, webhook_attempts, webhook_rests
from appliance.services.context import Context
from appliance.services.forms import next_cursor
from appliance.services.responses import response_shape
from appliance.services.webhook_attempts import Outcome
from appliance.services.webhook_events import Told
from appliance.services.webhook_shapes import Attempt, Attempted, Deliveries, Delivery
from appliance.services.webhooks import find_own
from appliance.stores import deliveries, forms, outbox, response_edits, webhooks
from appliance.stores.deliveries import Event
from appliance.stores.mongo import Document
from appliance.stores.webhook_gate import Pass

LIFE = dt.timedelta(days=4)
"""After this a delivery is given up whatever is left of its attempts: its webhook has been resting."""
_EARLY = dt.timedelta(seconds=0.5)
"""A task that comes this much too early need not go round again."""
_REDIS_AWAY = 2.0
"""Seconds."""


async def work(context: Context, delivery_id: str, webhook_id: str, response_id: str) -> float | None:
    """One step of a delivery: None when it is over, else seconds until the next.

    `response_id` is that of the response which holds the event, if one does.
    """
    now = utc_now()
    row = await deliveries.peek(context.db, delivery_id)
    if row is None and response_id:
        row = await _open(context, delivery_id, response_id)
    # Each time: whoever opened it may have died before this.
    if response_id and not await outbox.take_out(context.db, response_id, delivery_id):
        await deliveries.drop(context.db, delivery_id)
        return None
    if row is None or row["state"] != "pending":
        return None
    if row["created_at"] < now - LIFE:
        await deliveries.end(context.db, delivery_id, "failed", "not delivered within four days")
        return None
    if row["next_attempt_at"] > now + _EARLY:
        return float((row["next_attempt_at"] - now).total_seconds())
    return await _through_the_gate(context, delivery_id, webhook_id)


async def _open(context: Context, delivery_id: str, response_id: str) -> Document | None:
    """The delivery of a response's event: the response as it was then. None when either is gone."""
    found = await response_edits.of_event(context.db, response_id, delivery_id)
    if found is None:
        return None
    event, state = found
    told = Told(event["type"], state["updated_at"], response_shape(state), response_id)
    made = Event(event["to"], event["type"], told.body, state["form_id"], None, delivery_id)
    return await deliveries.insert(context.db, None, made, about=[response_id])


async def _through_the_gate(context: Context, delivery_id: str, webhook_id: str) -> float | None:
    async with _pass(context, webhook_id, delivery_id) as (entry, outcomes):
        if entry.verdict != "go":
            return entry.wait
        row = await deliveries.find(context.db, delivery_id)
        webhook = await webhooks.find(context.db, webhook_id)
        if row is None:
            return None
        reason = await _refusal(context, row, webhook)
        if reason is not None or webhook is None:
            await deliveries.end(context.db, delivery_id, "cancelled", reason or "")
            return None
        outcomes.append(await webhook_attempts.send(context, webhook, row))
    return await _record(context, row, outcomes[0])  # outside, where nobody waits for it


@contextlib.asynccontextmanager
async def _pass(
    context: Context, webhook_id: str, token: str, *, at_once: bool = False
) -> AsyncIterator[tuple[Pass, list[Outcome]]]:
    """Inside the gate, if it let us in; what is put into the list it learns on the way out."""
    outcomes: list[Outcome] = []
    try:
        entry = await context.gate.enter(webhook_id, token, at_once=at_once)
    except (RedisError, OSError):
        entry = Pass("later", _REDIS_AWAY)
    try:
        yield entry, outcomes
    finally:
        if entry.verdict == "go":
            with contextlib.suppress(RedisError, OSError):  # the lease ends by itself
                await _leave(context, webhook_id, token, outcomes)


async def _leave(context: Context, webhook_id: str, token: str, outcomes: list[Outcome]) -> None:
    word: Literal["delivered", "failed", "untried"] = "untried"
    seconds = 0.0
    for outcome in outcomes:
        word = "delivered" if outcome.attempt.is_delivered else "failed"
        seconds = outcome.attempt.seconds
    called = await context.gate.leave(webhook_id, token, word, seconds)
    await webhook_rests.call(context, webhook_id, called)


async def _refusal(context: Context, row: Document, webhook: Document | None) -> str | None:
    """Why this must not be sent (any more): rights are those of now, not those of the event."""
    if webhook is None:
        return "the webhook was deleted"
    if webhook["status"] != "active":
        return "the webhook is disabled"
    owner = (await webhooks.owners(context.db, [webhook])).get(webhook["_id"])
    if owner is None:
        return "the account of its owner is disabled"
    if row["type"] == "alert.fired" and not owner.is_admin:
        return "its owner is no admin any more"
    if row["form_id"] is None:
        return None
    try:
        form = await forms.get(context.db, row["form_id"], hide=forms.DEFINITION)
    except NotFound:
        return "the form was deleted"
    if level(owner, form) < Level.VIEW:
        return "its owner may not see the form any more"
    if row["type"] == "response.deleted" and level(owner, form) < Level.EDIT:
        return "its owner may not see deleted responses any more"
    return None


async def _record(context: Context, row: Document, outcome: Outcome) -> float | None:
    attempt, tries = outcome.attempt, row["tries"] + 1
    ended: dict[str, Any] = {"next_attempt_at": None, "reason": attempt.error}
    if attempt.is_delivered:
        await deliveries.record(context.db, row["_id"], attempt, ended | {"state": "delivered"})
        return None
    wait = webhook_attempts.wait_after(tries, outcome.retry_after)
    if attempt.status == 410:
        await _gone(context, row["webhook_id"])
        wait = None
    if wait is None:
        await deliveries.record(context.db, row["_id"], attempt, ended | {"state": "failed"})
        return None
    due = utc_now() + dt.timedelta(seconds=wait)
    await deliveries.record(context.db, row["_id"], attempt, {"next_attempt_at": due})
    return wait


async def _gone(context: Context, webhook_id: str) -> None:
    async with context.generations.changing(webhooks.GENERATION):
        reason = f"{webhooks.GONE} at {rfc3339(utc_now())}: it wants no more"
        await webhooks.disable(context.db, webhook_id, reason)


async def end_untried(
    context: Context, delivery_id: str, response_id: str, state: deliveries.State, why: str
) -> None:
    """Its task will not run any more: the log says so, also of one that was never opened. Safe to repeat."""
    if response_id and await deliveries.peek(context.db, delivery_id) is None:
        await _open(context, delivery_id, response_id)
    if response_id and not await outbox.take_out(context.db, response_id, delivery_id):
        await deliveries.drop(context.db, delivery_id)
    await deliveries.end(context.db, delivery_id, state, why)


# -- as users see them


async def newest(
    context: Context, caller: Caller, webhook_id: str, cursor: str | None, limit: int
) -> Deliveries:
    """A page of a webhook's log. Raises NotFound."""
    found = await find_own(context, caller, webhook_id)
    if found is None:
        return Deliveries([], None)
    scope = f"deliveries\0{found['_id']}"
    high = context.cursors.read(scope, cursor) if cursor else None
    page = await deliveries.newest(context.db, found["_id"], high, limit)
    return Deliveries([_shape(row) for row in page.rows], next_cursor(context, scope, page))


async def redeliver(
    context: Context, caller: Caller, webhook_id: str | None, delivery_id: str
) -> background.Accepted:
    """One attempt more, whatever became of the others. Raises NotFound, Conflict."""
    row = await deliveries.peek(context.db, delivery_id)
    if row is None:
        raise NotFound("There is no such delivery.")
    found = await find_own(context, caller, webhook_id or row["webhook_id"])
    if found is None or found["_id"] != row["webhook_id"]:
        raise NotFound("There is no such delivery.")
    if found["status"] != "active":
        raise Conflict("The webhook is disabled; PATCH it to status `active` first.")
    arguments = {"delivery_id": delivery_id, "webhook_id": row["webhook_id"], "form_id": row["form_id"]}
    job = await background.promise(context, None, caller, "redeliver_webhook", arguments)
    return background.begin(context, job)


async def send_again(context: Context, token: str, delivery_id: str, webhook_id: str) -> Attempted | float:
    """What `redeliver` promised: what came of it, or seconds until there is room for it.

    Raises NotFound for what is gone or must not be sent any more.
    """
    async with _pass(context, webhook_id, token, at_once=True) as (entry, outcomes):
        if entry.verdict != "go":
            return entry.wait
        row = await deliveries.find(context.db, delivery_id)
        webhook = await webhooks.find(context.db, webhook_id)
        if row is None:
            raise NotFound("There is no such delivery.")
        reason = await _refusal(context, row, webhook)
        if reason is not None or webhook is None:
            raise NotFound(f"Not sent: {reason}.")
        outcome = await webhook_attempts.send(context, webhook, row)
        outcomes.append(outcome)
        delivered = {"state": "delivered", "next_attempt_at": None, "reason": None}
        fields = delivered if outcome.attempt.is_delivered else {}
        await deliveries.record(context.db, delivery_id, outcome.attempt, fields, counts=False)
        return webhook_attempts.attempted(outcome.attempt)


def _shape(row: Document) -> Delivery:
    return Delivery(
        delivery_id=row["_id"],
        webhook_id=row["webhook_id"],
        form_id=row["form_id"],
        type=row["type"],
        state=row["state"],
        reason=row["reason"],
        attempts=[Attempt(**(each | {"at": rfc3339(each["at"])})) for each in row["attempts"]],
        next_attempt_at=rfc3339(row["next_attempt_at"]) if row["next_attempt_at"] else None,
        created_at=rfc3339(row["created_at"]),
    )
