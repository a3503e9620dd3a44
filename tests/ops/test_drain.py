"""`appliance drain` and `maintenance`: what is said, what may end, and what goes on afterwards."""

from __future__ import annotations

import html
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from appliance.ops import draining
from appliance.runtime import door
from tests.api.accounts import command
from tests.api.forms import publish, submit
from tests.api.webhooks import hook
from tests.people import People
from tests.running import Running
from tests.runtime.servers import until
from tests.security import receivers


@pytest.fixture
def opened(appliance: Running) -> Iterator[Running]:
    """Open again at the end."""
    yield appliance
    command(appliance, "maintenance", "off")
    command(appliance, "queue", "resume", "batched")


def drained(appliance: Running, *words: str) -> tuple[int, dict[str, Any]]:
    ended = command(appliance, "drain", "--json", *words)
    assert ended.returncode in (0, 1), ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    return ended.returncode, told


def paused(appliance: Running) -> set[str]:
    told = json.loads(command(appliance, "queue", "list", "--json").stdout)
    return {queue["name"] for queue in told["queues"] if queue["paused"]}


HOSTILE = '<b>"Back"</b> & at 5/6 \\ ${x} $request_uri — später'


def test_a_message_is_said_as_it_was_given(opened: Running) -> None:
    ended = command(opened, "maintenance", "on", "--message", HOSTILE, "--for", "30m")
    assert ended.returncode == 0, ended.stderr
    with opened.client() as client:
        page = client.get("/f/x", headers={"accept": "text/html"})
        sent = client.post("/f/x", headers={"accept": "text/html"}, content=b"x=1")
        program = client.get("/api/v1/forms")
    assert [each.status_code for each in (page, sent, program)] == [503] * 3
    assert f"is being maintained. {HOSTILE}</p>" in html.unescape(page.text)
    assert "<b>" not in page.text and page.text == sent.text
    assert program.headers["content-type"] == "application/problem+json"
    assert (program.json()["detail"], program.json()["status"]) == (HOSTILE, 503)
    assert program.json()["request_id"] == program.headers["x-request-id"]
    assert {each.headers["retry-after"] for each in (page, sent, program)} == {"1800"}
    told = command(opened, "maintenance", "status", "--json")
    assert told.returncode == 1
    report = json.loads(told.stdout)
    assert (report["message"], report["overdue"], report["drained"]) == (HOSTILE, False, [])
    assert f"everybody is answered 503, and says: {HOSTILE}" in command(opened, "status").stdout
    assert command(opened, "maintenance", "off").returncode == 0
    assert command(opened, "maintenance", "status").stdout == "maintenance is off\n"


@pytest.mark.parametrize(
    "words",
    [
        ["--for", "soon"],
        ["--for", "0m"],
        ["--for", "31d"],
        ["--message", "é" * 126],
        ["--message", "caf\udce9"],
    ],
)
def test_what_cannot_be_said_leaves_the_door_open(opened: Running, words: list[str]) -> None:
    assert command(opened, "maintenance", "on", *words).returncode == 2
    assert door.find(opened.paths) is None


@pytest.mark.parametrize("words", [["--timeout", "-5"], ["--message", "caf\udce9"]])
def test_a_drain_that_makes_no_sense_changes_nothing(opened: Running, words: list[str]) -> None:
    assert command(opened, "drain", *words).returncode == 2
    assert door.find(opened.paths) is None and draining.paused(opened.paths) == []


def test_the_wait_that_is_told_goes_down(opened: Running) -> None:
    """By the running appliance; after its time the door stays closed, and it is told to come again soon."""
    assert command(opened, "maintenance", "on", "--for", "21s").returncode == 0
    with opened.client() as client:
        seen: list[str] = []

        def is_seen(seconds: str) -> bool:
            seen.append(client.get("/api/v1/forms").headers["retry-after"])
            return seen[-1] == seconds

        until(lambda: is_seen("10"), 30, "ten seconds are left")
        until(lambda: is_seen(str(door.RETRY)), 30, "over")
    assert seen[0] == "30"
    assert json.loads(command(opened, "maintenance", "status", "--json").stdout)["overdue"] is True
    doctor = json.loads(command(opened, "doctor", "--json").stdout)
    (row,) = [each for each in doctor if each["check"] == "maintenance"]
    assert "; it was to end at 20" in row["meaning"]


def test_a_request_in_flight_may_end(opened: Running) -> None:
    assert command(opened, "queue", "pause", "batched").returncode == 0
    body = b'{"username": "admin", "password": "wrong"}'
    head = f"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", opened.settings.http_port), timeout=30) as slow:
        slow.sendall(
            head.encode() + b"Content-Type: application/json\r\nConnection: close\r\n\r\n" + body[:10]
        )
        code, told = drained(opened, "--timeout", "2")
        assert (code, told) == (
            1, {"drained": False, "requests": 1, "tasks": [], "paused": ["default", "high"]}
        )  # fmt: skip
        with opened.client() as client:
            assert client.get("/api/v1/forms").status_code == 503
        slow.sendall(body[10:])
        assert slow.recv(65536).startswith(b"HTTP/1.1 401 ")
    code, told = drained(opened)
    assert (code, told["drained"]) == (0, True)
    assert paused(opened) == {"high", "default", "batched"}
    said = command(opened, "status").stdout
    assert "drained: default, high begin no task; next: ./scripts/appliance maintenance off" in said
    assert command(opened, "maintenance", "off").stdout.endswith(
        "what the drain has paused goes on: default, high\n"
    )
    assert paused(opened) == {"batched"}, "the operator had paused that one"


def test_a_running_task_may_end_and_none_begins(opened: Running, cast: People) -> None:
    go_on = threading.Event()

    def wait(connection: socket.socket) -> None:
        go_on.wait(60)
        connection.sendall(receivers.OK)

    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, wait, form_id=form_id) as subscribed:
        submit(cast.nobody, form_id)
        until(lambda: len(subscribed.there.requests) == 1, 20, "it is being delivered")
        code, told = drained(opened, "--timeout", "1")
        assert code == 1 and told["requests"] == 0
        assert len(told["tasks"]) == 1, told
        ended = command(opened, "drain", "--timeout", "1")
        assert ended.returncode == 1
        assert f"after 1 s there is still 1 task: {told['tasks'][0]}" in ended.stderr
        go_on.set()
        assert drained(opened)[0] == 0
        assert command(opened, "maintenance", "off").returncode == 0


def test_a_drain_whose_end_was_broken_off_is_told(opened: Running) -> None:
    assert drained(opened)[0] == 0
    opened.paths.maintenance.unlink()
    doctor = json.loads(command(opened, "doctor", "--json").stdout)
    (row,) = [each for each in doctor if each["check"] == "maintenance"]
    assert row["meaning"].startswith("batched, default, high begin no task: a drain has paused them")
    assert row["next"] == "./scripts/appliance maintenance off"
    assert command(opened, "maintenance", "off").returncode == 0
    assert paused(opened) == set()
