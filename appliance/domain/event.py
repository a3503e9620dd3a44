"""What happened, and which tasks follow from it. An event's id is its task's id, so it is enqueued once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from appliance.clock import new_id


class Follow(NamedTuple):
    """The task that an event causes for each of those who are interested."""

    task: str
    interested: Literal["watchers"]
    """The addresses that the form's `notify` names."""


TASKS: dict[str, tuple[Follow, ...]] = {
    "form.published": (),
    "response.created": (Follow("notify_watchers", "watchers"),),
    "response.updated": (),
    "response.deleted": (),
    "response.restored": (),
}
"""Every event there is."""


def rows(event_type: str, watchers: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Outbox rows of an event, one a task: `{id, type, task, to, state}`, pending until it finished.

    Where nobody is interested nothing follows, and a response costs no more than its own row.
    """
    return [
        {"id": new_id(), "type": event_type, "task": follow.task, "to": watcher, "state": "pending"}
        for follow in TASKS[event_type]
        for watcher in watchers
    ]
