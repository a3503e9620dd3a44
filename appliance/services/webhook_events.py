"""Telling webhooks of what happened: the rows of its deliveries, in the transaction of its cause.

Events of responses lie in the response itself (`domain.event`) and are opened by their task. After the
transaction its caller offers the jobs to the sender; what is lost there the relay sends.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from appliance.clock import rfc3339
from appliance.queue.scripts import Job
from appliance.services import webhook_secrets
from appliance.services.context import Context
from appliance.stores import deliveries, webhooks
from appliance.stores.deliveries import Event
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session

_IDS = uuid.UUID("0b6f2f3e-6d0e-4d5a-9d5e-2f6f1d0a7c31")


class Told(NamedTuple):
    """An event as its receivers read it."""

    type: str
    at: dt.datetime
    data: Any
    """The whole object, as the API shows it."""
    cause: str
    """What it is about: two of the same type and cause are one."""
    form_id: str | None = None
    more: Mapping[str, Any] = MappingProxyType({})
    """Fields beside `data`."""

    @property
    def body(self) -> str:
        whole = {"type": self.type, "timestamp": rfc3339(self.at), **self.more, "data": self.data}
        return msgspec.json.encode(whole).decode()


async def write(context: Context, session: Session, to: Iterable[str], told: Told) -> list[Job]:
    """A delivery for each of these webhooks; the jobs to offer. Safe to repeat."""
    rows = [await _insert(context, session, webhook_id, told, None) for webhook_id in to]
    return deliveries.jobs_of(rows)


async def write_to_url(context: Context, session: Session, owner: str, url: str, told: Told) -> list[Job]:
    """One delivery to the `webhook_url` of a request, signed with its caller's default secret."""
    webhook_id = webhooks.default_id(owner)
    sealed = context.sealer.seal(webhook_id, webhook_secrets.first(context, webhook_id))
    await webhooks.ensure_default(context.db, session, owner, sealed)
    return deliveries.jobs_of([await _insert(context, session, webhook_id, told, url)])


async def form_published(
    context: Context, session: Session, to: list[str], data: Any, row: Document
) -> list[Job]:
    cause = f"{row['_id']}/{row['rev']}"
    return await write(
        context, session, to, Told("form.published", row["updated_at"], data, cause, row["_id"])
    )


async def alert_fired(
    context: Context, session: Session, alert_id: str, at: dt.datetime, data: Any
) -> list[Job]:
    """To the webhooks of admins."""
    to = await context.subscriptions.of_admins("alert.fired")
    return await write(context, session, to, Told("alert.fired", at, data, alert_id))


async def task_ended(
    context: Context,
    session: Session,
    owner: str,
    task: dict[str, Any],
    at: dt.datetime,
    *,
    form_id: str | None = None,
    webhook_url: str | None = None,
) -> list[Job]:
    """`task` is as the API shows it, completed or failed. To its owner's webhooks and its `webhook_url`."""
    event_type = f"task.{task['status']}"
    more = {name: task[name] for name in ("task_id", "status", "result")}
    cause = f"{task['task_id']}/{task['finished_at']}"  # one that is replayed may fail again
    told = Told(event_type, at, task, cause, form_id, more)
    to = await context.subscriptions.of_user(event_type, owner, form_id)
    jobs = await write(context, session, to, told)
    if webhook_url is not None:
        jobs += await write_to_url(context, session, owner, webhook_url, told)
    return jobs


async def insight_created(
    context: Context, session: Session, form: Document, insight_id: str, at: dt.datetime, data: Any
) -> list[Job]:
    """To those who are interested in this form."""
    to = await context.subscriptions.of_form("insight.created", form)
    return await write(context, session, to, Told("insight.created", at, data, insight_id, form["_id"]))


async def _insert(
    context: Context, session: Session, webhook_id: str, told: Told, url: str | None
) -> Document:
    delivery_id = str(uuid.uuid5(_IDS, f"{told.type}/{told.cause}/{webhook_id}/{url or ''}"))
    known = await deliveries.find(context.db, delivery_id, session)
    event = Event(webhook_id, told.type, told.body, told.form_id, url, delivery_id)
    return known or await deliveries.insert(context.db, session, event)
