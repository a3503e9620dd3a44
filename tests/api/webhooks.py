"""Webhooks of the tests: real receivers, whose messages the reference library verifies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
import standardwebhooks

from appliance.clock import utc_now
from tests.api.forms import walk
from tests.api.tasks import PREFIX
from tests.faults.steering import open_redis
from tests.running import Running
from tests.runtime.servers import until
from tests.security import receivers
from tests.security.receivers import Manner, Receiver, Turns, says

PATH = "/api/v1/webhooks"
OK = says(receivers.OK)


class Message(NamedTuple):
    id: str
    body: dict[str, Any]
    headers: dict[str, str]
    text: bytes


class Hook:
    """A webhook and who receives it."""

    def __init__(self, client: httpx.Client, there: Receiver, created: dict[str, Any]) -> None:
        self.client, self.there, self.created = client, there, created
        self.id, self.secret = str(created["webhook_id"]), str(created["secret"])
        self.path = f"{PATH}/{self.id}"

    def messages(self, event_type: str | None = None) -> list[Message]:
        """What came in, each of it verified."""
        found = []
        for headers, body in list(self.there.requests):
            assert standardwebhooks.Webhook(self.secret).verify(body, headers)
            message = Message(headers["webhook-id"], json.loads(body), headers, body)
            if event_type in (None, message.body["type"]):
                found.append(message)
        return found

    def until_messages(self, count: int, seconds: float = 20) -> list[Message]:
        until(lambda: len(self.there.requests) >= count, seconds, f"{count} messages")
        return self.messages()

    def deliveries(self) -> list[dict[str, Any]]:
        answer = self.client.get(f"{self.path}/deliveries")
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["deliveries"]
        return rows

    def until_state(self, state: str, seconds: float = 20, attempts: int = 0) -> dict[str, Any]:
        """The newest delivery, once it is so and was tried so often."""
        found: list[dict[str, Any]] = []

        def is_so() -> bool:
            found[:] = self.deliveries()[:1]
            return bool(found) and found[0]["state"] == state and len(found[0]["attempts"]) >= attempts

        until(is_so, seconds, f"{state}, {attempts} attempts; is {found}")
        return found[0]


def create(client: httpx.Client, url: str, **more: Any) -> dict[str, Any]:
    body = {"url": url, "events": ["response.created"], **more}
    answer = client.post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@contextmanager
def hook(client: httpx.Client, *turns: Manner, **more: Any) -> Iterator[Hook]:
    """Subscribed while the body runs."""
    with receivers.receiver(Turns(*(turns or (OK,)))) as there:
        made = Hook(client, there, create(client, there.url(), **more))
        try:
            yield made
        finally:
            client.delete(made.path)


def make_due(appliance: Running, delivery_id: str) -> None:
    """What the passing of its waiting time does, and of its webhook's rest."""
    with appliance.database() as client:
        rows = client.get_default_database("appliance").webhook_deliveries
        row = rows.find_one_and_update({"_id": delivery_id}, {"$set": {"next_attempt_at": utc_now()}})
    assert row is not None
    with open_redis(appliance) as redis:
        redis.delete(f"appliance:webhooks:rest:{row['webhook_id']}", "appliance:webhooks:probes")
        assert redis.zadd(f"{PREFIX}due", {delivery_id: 0}, xx=True, ch=True) == 1


def clear(*clients: httpx.Client) -> None:
    """Nobody subscribed to all forms is to hear of those of the next test."""
    for client in clients:
        for row in walk(client, PATH, "webhooks", limit=200):
            client.delete(f"{PATH}/{row['webhook_id']}")
