"""The task engine: Huey on Redis, one instance a queue, messages in JSON.

Stock Huey's messages are pickles: whoever could write to Redis could run code. Ours carry a task's name,
its id and small JSON arguments, and a worker runs only what is registered.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from huey import RedisExpireHuey
from huey.registry import Message
from huey.serializer import Serializer

from appliance import addresses
from appliance.queue.registry import run
from appliance.settings import Settings

QUEUES = ("high", "default", "batched")
RESULT_TTL = 3600
"""Seconds that a task's result is kept."""
_TASK = f"{run.__module__}.{run.__name__}"
"""Huey calls a task by the module and name of its function."""


class Job(NamedTuple):
    """A task to run. Its id is that of the event that caused it; arguments are JSON, ids not documents."""

    id: str
    task: str
    queue: str
    arguments: dict[str, Any]


class JsonSerializer(Serializer):  # type: ignore[misc]
    """Huey's own message tuples as JSON arrays."""

    def _serialize(self, data: Any) -> bytes:
        return msgspec.json.encode(data)

    def _deserialize(self, data: bytes) -> Any:
        decoded = msgspec.json.decode(data)
        return Message(*decoded) if isinstance(decoded, list) else decoded


def queue_key(queue: str) -> str:
    """The Redis list that Huey reads."""
    return f"huey.redis.{queue}"


def message(job: Job) -> bytes:
    """What goes on the list: Huey's message for the one function that it knows."""
    row = Message(
        id=job.id, name=_TASK, retries=0, retry_delay=0, args=[job.task, job.id, job.arguments], kwargs={}
    )
    return msgspec.json.encode(row)


def open_queue(settings: Settings, queue: str) -> RedisExpireHuey:
    """The Huey instance that a consumer of `queue` runs."""
    huey = RedisExpireHuey(
        queue,
        url=addresses.redis_url(settings),
        serializer=JsonSerializer(),
        results=True,
        store_none=False,
        expire_time=RESULT_TTL,
        utc=True,
    )
    huey.task()(run)
    return huey
