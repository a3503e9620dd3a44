"""What happened, and which task follows from it. An event's id is its task's id, so it is enqueued once."""

from __future__ import annotations

from typing import Any, NamedTuple

from appliance.clock import new_id


class Follow(NamedTuple):
    """The task that an event causes."""

    task: str
    queue: str


TASKS: dict[str, tuple[Follow, ...]] = {
    "form.published": (),
    "response.created": (Follow("refresh_summary", "high"),),
    "response.updated": (),
    "response.deleted": (),
    "response.restored": (),
}
"""Every event there is. Where no task follows yet no row is written: nobody would ever mark it done."""


def rows(event_type: str) -> list[dict[str, Any]]:
    """Outbox rows of an event, one a task: `{id, type, task, queue, state}`, pending until it finished."""
    return [
        {"id": new_id(), "type": event_type, "task": follow.task, "queue": follow.queue, "state": "pending"}
        for follow in TASKS[event_type]
    ]
