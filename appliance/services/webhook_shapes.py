"""The JSON shapes of webhooks and their deliveries."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

EventName = Literal[
    "form.published",
    "response.created",
    "response.updated",
    "response.deleted",
    "response.restored",
    "task.completed",
    "task.failed",
    "insight.created",
    "alert.fired",
]
Url = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2000,
        description="`https://…`; `http://` only to networks that the operator has listed in EGRESS_ALLOW",
    ),
]
Events = Annotated[list[EventName], Meta(min_length=1, max_length=20)]
State = Literal["pending", "delivered", "failed", "cancelled"]


class CreateWebhook(Struct, forbid_unknown_fields=True, kw_only=True):
    """With `form_id` it hears of that form alone, else of all forms that you own or may manage."""

    url: Url
    events: Events
    form_id: Annotated[str, Meta(max_length=64)] | None = None


class ChangeWebhook(Struct, forbid_unknown_fields=True, kw_only=True):
    """Only what is given is changed. `active` again clears `disabled_reason`."""

    url: Url | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    status: Literal["active", "disabled"] | UnsetType = UNSET


class Webhook(Struct, kw_only=True):
    webhook_id: str
    url: str
    events: list[EventName]
    form_id: str | None
    owner: str
    status: Literal["active", "disabled"]
    disabled_reason: str | None
    created_at: str
    updated_at: str


class CreatedWebhook(Webhook, kw_only=True):
    """`secret` is shown this once. A repeated request under its key shows it again, unless it was replaced:
    then it is empty.
    """

    secret: str = ""


class Webhooks(Struct):
    webhooks: list[Webhook]
    next_cursor: str | None


class Rotated(Struct, kw_only=True):
    """Until `previous_valid_until` deliveries carry the signatures of both secrets."""

    secret: str
    previous_valid_until: str | None


class Attempted(Struct, kw_only=True):
    """What came of one request. Without an answer `status` is null, and `error` says why."""

    delivered: bool
    status: int | None
    seconds: float
    answer: str
    """Its first 1,000 bytes."""
    error: str | None


class Attempt(Struct, kw_only=True):
    at: str
    status: int | None
    seconds: float
    answer: str
    error: str | None


class Delivery(Struct, kw_only=True):
    """`delivery_id` is what the receiver gets as `webhook-id`; `reason` says why it ended so."""

    delivery_id: str
    webhook_id: str
    form_id: str | None
    type: str
    state: State
    reason: str | None
    attempts: list[Attempt]
    """The oldest first, the last fifty."""
    next_attempt_at: str | None
    created_at: str


class Deliveries(Struct):
    deliveries: list[Delivery]
    next_cursor: str | None
