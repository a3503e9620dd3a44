"""What happened, and which tasks follow from it. An event's id is its task's id, so it is enqueued once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from appliance.clock import new_id


class Follow(NamedTuple):
    """The task that an event causes for each of those who are interested."""

    task: str
    interested: Literal["watchers", "submitter", "subscribers"]
    """The addresses that `notify` names; the one that a receipt goes to; the webhooks that asked."""


_WATCHERS = Follow("notify_watchers", "watchers")
_SUBMITTER = Follow("send_receipt", "submitter")
_SUBSCRIBERS = Follow("deliver_webhook", "subscribers")

TASKS: dict[str, tuple[Follow, ...]] = {
    "response.created": (_WATCHERS, _SUBMITTER, _SUBSCRIBERS),
    "response.updated": (_SUBSCRIBERS,),
    "response.deleted": (_SUBSCRIBERS,),
    "response.restored": (_SUBSCRIBERS,),
}
"""The events that lie in the response they are about; all others are deliveries from their beginning."""


def rows(
    event_type: str,
    *,
    watchers: Sequence[str] = (),
    submitter: Sequence[str] = (),
    subscribers: Sequence[str] = (),
    revision: int = 1,
) -> list[dict[str, Any]]:
    """Outbox rows of an event, one a task: `{id, type, task, to, revision, state}`, pending until done.

    `revision` is the response's at the event. Where nobody is interested nothing follows, and a response
    costs no more than its own row.
    """
    interested = {"watchers": watchers, "submitter": submitter, "subscribers": subscribers}
    return [
        {
            "id": new_id(),
            "type": event_type,
            "task": follow.task,
            "to": to,
            "revision": revision,
            "state": "pending",
        }
        for follow in TASKS[event_type]
        for to in interested[follow.interested]
    ]
