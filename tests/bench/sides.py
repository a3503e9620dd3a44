"""The sides of a measurement: the appliance, and the peers beside its own databases."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt

from appliance import addresses
from appliance.ops import supervisor
from appliance.settings import HOME
from tests.running import Running
from tests.runtime.servers import answers, program, until

PEERS = HOME / ".venv-bench" / "bin"
WORDS = "What people write is longer than a word. " * 22

FORM: dict[str, Any] = {
    "elements": [
        {"type": "text", "name": "name", "isRequired": True, "maxLength": 100},
        {"type": "comment", "name": "words", "title": {"default": "Words", "de": "Worte " * 200}},
        {"type": "radiogroup", "name": "city", "choices": [f"City {n}" for n in range(8)]},
    ]
}
"""Some 2 KB as it is answered."""

SUBMISSION = json.dumps({"data": {"name": "Ada Lovelace", "words": WORDS}}).encode()
"""1 KB."""


@dataclass(frozen=True, slots=True)
class Side:
    """A server: how it is reached, what to ask, and its main processes."""

    name: str
    socket: Path
    token: str
    form_id: str
    mains: Callable[[], list[int]]


class House:
    """A running appliance with a form, and the programs whose CPU counts."""

    def __init__(self, appliance: Running) -> None:
        self.appliance = appliance
        self.token = appliance.login()
        self.client = appliance.client(self.token)
        self.form_id = self.form(public=False)
        self.public_id = self.form(public=True)

    def form(self, *, public: bool) -> str:
        body = {"title": "Bench", "definition": FORM, "settings": {"public": public}}
        form_id = str(self.client.post("/api/v1/forms", json=body).raise_for_status().json()["form_id"])
        self.client.post(f"/api/v1/forms/{form_id}/publish").raise_for_status()
        return form_id

    def pids(self, *kinds: str) -> list[int]:
        found = supervisor.ask(self.appliance.paths)
        return [each.pid for each in found if each.pid and each.name.partition("-")[0] in kinds]

    @property
    def side(self) -> Side:
        """One API process of it, asked directly."""
        return Side(
            "appliance",
            self.appliance.paths.api_socket(1),
            self.token,
            self.form_id,
            lambda: [self.appliance.pid("api-1")],
        )


@contextmanager
def peer(name: str, house: House, scratch: Path) -> Iterator[Side]:
    """`flask` or `litestar`: one process on a Unix socket, beside the appliance's MongoDB and Redis."""
    secret, socket, user = secrets.token_urlsafe(48), scratch / f"{name}.sock", "bench"
    settings = house.appliance.settings
    with house.appliance.database() as client:
        form = house.client.get(f"/api/v1/forms/{house.form_id}").raise_for_status().json()
        client[addresses.DATABASE].peer_forms.replace_one(
            {"_id": house.form_id}, {"_id": house.form_id, **form, "owner": user}, upsert=True
        )
    environ = {
        "PATH": os.environ["PATH"],
        "PEER_SECRET": secret,
        "PEER_MONGO": addresses.mongodb_uri(settings),
        "PEER_REDIS": addresses.redis_url(settings),
        "PEER_DATABASE": addresses.DATABASE,
    }
    token = jwt.encode({"user_id": user, "exp": int(time.time()) + 86_400}, secret, algorithm="HS256")
    with program(_command(name, socket), environ) as child:
        until(lambda: answers(socket), 20, f"{name} answers")
        side = Side(name, socket, token, house.form_id, lambda: [child.pid])
        _check(side)
        yield side


def _command(name: str, socket: Path) -> list[str]:
    folder = str(HOME / "tests" / "bench" / "peers")
    if name == "flask":
        return [
            str(PEERS / "gunicorn"), "--bind", f"unix:{socket}", "--worker-class", "gthread",
            "--workers", "1", "--threads", "8", "--keep-alive", "75", "--backlog", "2048", "--chdir", folder,
            "--log-level", "warning", "flask_app:app",
        ]  # fmt: skip
    return [
        str(PEERS / "granian"), "--interface", "asgi", "--loop", "uvloop", "--uds", str(socket), "--no-ws",
        "--backlog", "2048", "--workers", "1", "--no-log", "--working-dir", folder, "litestar_app:app",
    ]  # fmt: skip


def _check(side: Side) -> None:
    """A peer that answers errors would be fast."""
    transport = httpx.HTTPTransport(uds=str(side.socket))
    headers = {"authorization": f"Bearer {side.token}"}
    with contextlib.closing(
        httpx.Client(transport=transport, headers=headers, base_url="http://peer")
    ) as asked:
        path = f"/api/v1/forms/{side.form_id}"
        read = asked.get(path)
        assert (read.status_code, len(read.content) > 1500) == (200, True), read.text
        sent = asked.post(
            f"{path}/responses", content=SUBMISSION, headers={"content-type": "application/json"}
        )
        assert sent.status_code == 201, sent.text
        assert asked.get(path, headers={"authorization": "Bearer x.y.z"}).status_code == 401
