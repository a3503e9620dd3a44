"""The JSON shapes of the inbox of alerts, and of what Alertmanager tells it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from msgspec import Meta, Struct

from appliance.services.shapes import Moment

State = Literal["firing", "acknowledged", "silenced", "resolved"]
Note = Annotated[str, Meta(max_length=1000)]


class Acknowledge(Struct, forbid_unknown_fields=True):
    note: Note | None = None


class Silence(Struct, forbid_unknown_fields=True):
    """For so many `seconds`, or `until` a time: one of the two, 30 days at most."""

    seconds: Annotated[int, Meta(ge=60, le=30 * 86400)] | None = None
    until: Moment | None = None
    note: Note | None = None


class Acknowledged(Struct):
    """`by` is a user's name, or `operator` for one at the machine's own command line."""

    by: str
    at: str
    note: str | None


class Silenced(Struct):
    by: str
    at: str
    note: str | None
    until: str


class Step(Struct):
    at: str
    what: str
    """`fired`, `acknowledged`, `unacknowledged`, `silenced`, `unsilenced`, `resolved`, `fired_again`."""
    by: str | None
    note: str | None


class Alert(Struct):
    """`next` is what to do first, `runbook` where all of it is explained."""

    alert_id: str
    name: str
    state: State
    severity: str
    summary: str
    next: str
    runbook: str
    labels: dict[str, str]
    started_at: str
    ended_at: str | None
    acknowledged: Acknowledged | None
    silenced: Silenced | None
    history: list[Step]


class Alerts(Struct):
    alerts: list[Alert]
    next_cursor: str | None


class Told(Struct):
    """One alert of a message of Alertmanager (webhook_config); what else it has is passed over."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: dt.datetime  # noqa: N815 - its name
    endsAt: dt.datetime  # noqa: N815
    fingerprint: Annotated[str, Meta(pattern=r"^[0-9a-f]{1,32}\Z")]


class Message(Struct):
    alerts: list[Told]
