"""Tasks and dead letters that tests look at."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from appliance.stores import dead_letters, mongo
from tests.api.forms import publish, submit
from tests.faults.steering import open_redis
from tests.mailbox import BUSY
from tests.running import Running
from tests.runtime.servers import until

PREFIX = "appliance:queue:"


def waiting(client: httpx.Client, form_id: str | None = None) -> tuple[str, str, str]:
    """Ids of a form (public, of the client's), a response, and a task that the mail server puts off."""
    form_id = form_id or publish(client, public=True, notify=[BUSY])
    response = submit(client, form_id).json()
    (task_id,) = response["task_ids"]
    until_status(client, task_id, "retrying")
    return form_id, response["response_id"], task_id


def until_status(client: httpx.Client, task_id: str, *statuses: str, seconds: float = 20) -> dict[str, Any]:
    """The task as it is then."""
    found: dict[str, Any] = {}

    def is_so() -> bool:
        answer = client.get(f"/api/v1/tasks/{task_id}")
        found.update(answer.json())
        return answer.status_code == 200 and found["status"] in statuses

    until(is_so, seconds, f"{task_id} is {statuses}")
    return found


def make_due(appliance: Running, task_id: str) -> None:
    """What the passing of its waiting time does."""
    with open_redis(appliance) as client:
        assert client.zadd(f"{PREFIX}due", {task_id: 0}, xx=True, ch=True) == 1


def fail_for_good(appliance: Running, client: httpx.Client, task_id: str) -> None:
    """A task that waits for its next try, as if all but one of its tries were used up."""
    with open_redis(appliance) as redis:
        redis.hset(f"{PREFIX}task:{task_id}", "retries", "10")
    make_due(appliance, task_id)
    until(lambda: client.get(f"/api/v1/dead-letters/{task_id}").status_code == 200, 20, "a dead letter")


def write_dead_letter(appliance: Running, task_id: str, form_id: str, response_id: str) -> None:
    """As the scheduler writes it once the engine has given up."""

    async def write() -> None:
        async with mongo.connect(appliance.settings) as client:
            attempt = {
                "started": 1_700_000_000_000,
                "ended": 1_700_000_001_000,
                "worker": "w",
                "error": "450",
            }
            letter = {
                "_id": task_id,
                "task": "notify_watchers",
                "queue": "default",
                "arguments": {"form_id": form_id, "response_id": response_id, "to": BUSY},
                "origin": response_id,
                "owner": None,
                "replay": 0,
                "error": "450 come back later",
                "attempts": [attempt],
                "created_at": 1_700_000_000_000,
            }
            await dead_letters.write(mongo.database(client), letter)

    asyncio.run(write())


@contextmanager
def paused(admin: httpx.Client, queue: str) -> Iterator[None]:
    admin.post(f"/api/v1/queues/{queue}/pause").raise_for_status()
    try:
        yield
    finally:
        admin.post(f"/api/v1/queues/{queue}/resume").raise_for_status()


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """What server-sent events of the name `task` carry."""
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))
