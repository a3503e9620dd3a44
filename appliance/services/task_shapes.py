"""The JSON shapes of tasks, queues and dead letters."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from appliance.queue.states import State


class Progress(Struct):
    """`done` of `total` `unit`s, such as lines; `total` is null where nobody knows."""

    done: int
    total: int | None
    unit: str


class Task(Struct, kw_only=True):
    """Known until an hour after its end. Seconds for `execution_time`: those of the last attempt."""

    task_id: str
    name: str
    queue: str
    status: State
    form_id: str | None
    progress: Progress | None
    attempts: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    due_at: str | None
    """When it begins, while it is scheduled or retrying."""
    execution_time: float | None
    result: Any
    error: str | None


class Tasks(Struct):
    tasks: list[Task]
    next_cursor: str | None


class Queue(Struct, kw_only=True):
    name: str
    depth: int
    """Tasks that could begin."""
    oldest_age: float | None
    """Seconds that the oldest of them has been waiting."""
    running: int
    paused: bool
    rate: float
    """Tasks that ended a second, over the last five whole minutes."""


class Queues(Struct):
    queues: list[Queue]
    next_cursor: str | None


class TaskAttempt(Struct, kw_only=True):
    started_at: str
    ended_at: str
    worker: str
    error: str


class DeadLetter(Struct, kw_only=True):
    """A task that failed for good, with every attempt, also those before a replay, oldest first."""

    task_id: str
    name: str
    queue: str
    form_id: str | None
    arguments: dict[str, Any]
    error: str
    attempts: list[TaskAttempt]
    status: Literal["dead", "replayed"]
    replays: int
    created_at: str
    failed_at: str


class DeadLetters(Struct):
    dead_letters: list[DeadLetter]
    next_cursor: str | None
