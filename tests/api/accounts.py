"""Accounts that the tests make, and short ways to use them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from appliance.settings import HOME
from tests.people import PASSWORD
from tests.running import Running, unique


def add(admin: httpx.Client, *roles: str, **more: Any) -> dict[str, Any]:
    """A new account with the cast's password."""
    body = {"username": unique("user"), "password": PASSWORD, "roles": list(roles) or ["editor"], **more}
    answer = admin.post("/api/v1/users", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def add_key(client: httpx.Client, *scopes: str, **more: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/api-keys", json={"name": "robot", "scopes": list(scopes), **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@contextmanager
def signed_in(appliance: Running, username: str, password: str = PASSWORD) -> Iterator[httpx.Client]:
    with appliance.client(appliance.login(username, password)) as client:
        yield client


def statuses(appliance: Running, token: str, count: int = 20, path: str = "/api/v1/forms") -> set[int]:
    """Over as many new connections, so that every API process is asked."""
    found = set()
    for _ in range(count):
        with appliance.client(token) as client:
            found.add(client.get(path).status_code)
    return found


def token_of(client: httpx.Client) -> str:
    return client.headers["authorization"].removeprefix("Bearer ")


def command(
    appliance: Running, *arguments: str, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """The command `appliance` on this data folder."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "appliance", *arguments],
        cwd=HOME,
        env=appliance.environ,
        input=stdin or "",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
