"""What a fault test does to a running appliance, and how it waits until that is over."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import redis

from appliance import addresses
from appliance.clock import utc_now
from appliance.runtime import programs
from appliance.services.context import Context, open_context
from appliance.stores import mongo, reservations
from tests.ops.command import appliance_command
from tests.running import Running
from tests.runtime.servers import until

T = TypeVar("T")
RELAY_SECONDS = 30.0
"""Within this long the outbox relay brings back what Redis has lost."""


def supervisorctl(appliance: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    return appliance_command("supervisorctl", *arguments, data=appliance.paths.data)


@contextmanager
def stopped(appliance: Running, name: str) -> Iterator[None]:
    """As an operator stops a program. Starts it again, and waits until it runs."""
    told = supervisorctl(appliance, "stop", name)
    assert told.returncode == 0, told.stdout
    try:
        yield
    finally:
        supervisorctl(appliance, "start", name)


@contextmanager
def frozen(appliance: Running, name: str) -> Iterator[None]:
    """Alive, its sockets open, and it does not answer."""
    appliance.signal(name, signal.SIGSTOP)
    try:
        yield
    finally:
        appliance.signal(name, signal.SIGCONT)


def api_names(appliance: Running) -> list[str]:
    return [f"api-{number}" for number in range(1, programs.api_count(appliance.settings) + 1)]


def api_socket(appliance: Running, api: str) -> Path:
    return appliance.paths.api_socket(int(api.removeprefix("api-")))


def straight_to(appliance: Running, api: str) -> httpx.Client:
    """A client of one API process, past nginx."""
    transport = httpx.HTTPTransport(uds=str(api_socket(appliance, api)))
    return httpx.Client(transport=transport, base_url="http://api", timeout=10)


def is_alive(appliance: Running, api: str) -> bool:
    """Asked by hand: httpx leaves a socket open when nobody listens."""
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(10)
            door.connect(str(api_socket(appliance, api)))
            door.sendall(b"GET /healthz HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n")
            return door.recv(64).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def readiness(appliance: Running) -> str:
    """ready, degraded, unavailable, or silent."""
    with contextlib.suppress(httpx.HTTPError), appliance.client() as client:
        return str(client.get("/readyz").json().get("status", "silent"))
    return "silent"


def until_whole(appliance: Running) -> None:
    """Every program up and every API process ready, so that no test suffers from the one before."""
    until(lambda: all(appliance.program(name).is_running for name in _everyone(appliance)), 60, "all run")
    for name in api_names(appliance):
        until(lambda name=name: _is_ready(appliance, name), 60, f"{name} is ready")  # type: ignore[misc]


def _everyone(appliance: Running) -> list[str]:
    return [
        "mongo",
        "redis",
        "scheduler",
        "worker-high",
        "worker-default",
        "worker-ai",
        "nginx",
        "guardian",
        *api_names(appliance),
    ]


def _is_ready(appliance: Running, api: str) -> bool:
    if not is_alive(appliance, api):
        return False
    with contextlib.suppress(httpx.HTTPError), straight_to(appliance, api) as client:
        return bool(client.get("/readyz").json().get("status") == "ready")
    return False


def with_context(appliance: Running, work: Callable[[Context], Awaitable[T]]) -> T:
    """As a process of the appliance would do it."""

    async def run() -> T:
        context = open_context(appliance.settings)
        try:
            return await work(context)
        finally:
            await context.close()

    return asyncio.run(run())


def open_redis(appliance: Running) -> redis.Redis:
    return redis.Redis.from_url(addresses.redis_url(appliance.settings), decode_responses=True)


def stored(appliance: Running, form_id: str) -> list[dict[str, Any]]:
    """The form's rows as they lie in the database."""
    with appliance.database() as client:
        return list(client.get_default_database("appliance").responses.find({"form_id": form_id}))


def counters(appliance: Running, form_id: str) -> dict[str, Any]:
    with appliance.database() as client:
        found = client.get_default_database("appliance").form_counters.find_one({"_id": form_id})
    assert found is not None
    return found


def pending(appliance: Running, form_id: str) -> list[str]:
    """Ids of the form's events whose tasks have not finished."""
    rows = stored(appliance, form_id)
    return [event["id"] for row in rows for event in row["events"] if event["state"] != "done"]


def settle_as_if_later(appliance: Running) -> None:
    """The scheduler's own chore, with its clock past the age at which a reservation counts as abandoned."""

    async def settle() -> None:
        async with mongo.connect(appliance.settings) as client:
            later = utc_now() + reservations.ABANDONED + dt.timedelta(seconds=1)
            await reservations.settle_abandoned(mongo.database(client), later)

    asyncio.run(settle())


def seconds_since(start: float) -> float:
    return time.monotonic() - start
