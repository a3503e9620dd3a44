from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx

from tests.api.forms import create, publish, submit, walk
from tests.api.test_links import make
from tests.api.test_shares import give
from tests.people import People
from tests.running import Running, unique
from tests.runtime.servers import until

NDJSON = {"content-type": "application/x-ndjson"}


def send(client: httpx.Client, form_id: str, content: Any, **headers: str) -> httpx.Response:
    return client.post(
        f"/api/v1/forms/{form_id}/responses/batch", content=content, headers=NDJSON | headers, timeout=300
    )


def batch(client: httpx.Client, form_id: str, *lines: Any, **headers: str) -> list[dict[str, Any]]:
    """The verdicts. Bytes are sent as they are."""
    content = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    answer = send(client, form_id, content, **headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def name(number: int) -> dict[str, Any]:
    return {"data": {"name": str(number)}}


def test_each_line_has_its_verdict_in_order(cast: People) -> None:
    form_id = publish(cast.alice)
    lines = [
        name(1),
        {"data": {"age": 200}},
        b"not JSON",
        b"",
        {"data": {"name": "x"}, "extra": 1},
        {"data": {"name": "x"}, "key": "two words"},
        b'{"data": {"name": "' + b"x" * 1024 * 1024 + b'"}}',
        b'{"a":' * 6000,
        name(9),
    ]
    found = batch(cast.alice, form_id, *lines)
    assert [(one["line"], one["status"]) for one in found] == [
        (1, 201), (2, 422), (3, 400), (5, 400), (6, 400), (7, 413), (8, 400), (9, 201),
    ]  # fmt: skip
    assert {fault["path"] for fault in found[1]["errors"]} == {"/data/name", "/data/age"}
    assert [fault["path"] for fault in found[3]["errors"]] == ["/extra"]
    assert all(set(one) == {"line", "status", "response_id"} for one in (found[0], found[-1]))
    stored = walk(cast.alice, f"/api/v1/forms/{form_id}/responses", "responses")
    assert {row["response_id"] for row in stored} == {found[0]["response_id"], found[-1]["response_id"]}


def test_a_key_of_a_line_makes_one_response(cast: People) -> None:
    form_id = publish(cast.alice)
    lines = [{**name(number), "key": unique("key")} for number in range(200)]
    first = batch(cast.alice, form_id, *lines)
    again = batch(cast.alice, form_id, *lines)
    assert [one["response_id"] for one in again] == [one["response_id"] for one in first]
    assert all(one["replayed"] for one in again) and not any("replayed" in one for one in first)
    twice = batch(cast.alice, form_id, *[{**name(1), "key": unique("key")}] * 50)
    assert len({one["response_id"] for one in twice}) == 1
    other = batch(cast.alice, form_id, {**name(-1), "key": lines[0]["key"]})
    assert other[0]["status"] == 422
    single = submit(cast.alice, form_id, str(lines[0]["key"]), name="0")
    assert single.json()["response_id"] == first[0]["response_id"], "the same keys as a single submission's"
    assert len(walk(cast.alice, f"/api/v1/forms/{form_id}/responses", "responses", limit=200)) == 201


def test_limits_hold_line_by_line(cast: People) -> None:
    form_id = publish(cast.alice, max_responses=10)
    found = batch(cast.alice, form_id, *map(name, range(100)))
    assert sorted(one["status"] for one in found) == [201] * 10 + [410] * 90
    linked = publish(cast.alice)
    token = make(cast.alice, linked, single_use=True)["token"]
    found = batch(cast.nobody, linked, *map(name, range(20)), **{"x-form-link": token})
    assert sorted(one["status"] for one in found) == [201] + [409] * 19


def test_who_may_send_one(cast: People) -> None:
    private, public = publish(cast.alice), publish(cast.alice, public=True)
    give(cast.alice, private, ("bob", "view"))
    line = json.dumps(name(1))
    codes = [send(client, private, line).status_code for client in (cast.nobody, cast.charlie, cast.bob)]
    assert codes == [401, 404, 403]
    assert send(cast.alice, create(cast.alice)["form_id"], line).status_code == 409
    assert [one["status"] for one in batch(cast.nobody, public, name(1))] == [201]
    as_json = cast.alice.post(f"/api/v1/forms/{private}/responses/batch", json=name(1))
    assert as_json.status_code == 415


def test_thousands_of_lines_are_taken_while_others_are_served(appliance: Running, cast: People) -> None:
    form_id, count = publish(cast.alice), 5_000
    words = "w" * 300  # more than all the buffers on the way hold
    slowest, done = 0.0, threading.Event()

    def look() -> None:
        nonlocal slowest
        with appliance.client() as client:
            while not done.is_set():
                started = time.monotonic()
                assert client.get("/healthz").status_code == 200
                slowest = max(slowest, time.monotonic() - started)

    looking = threading.Thread(target=look)
    looking.start()
    started = time.monotonic()
    lines = [{"data": {"name": str(number), "words": words}} for number in range(count)]
    found = batch(cast.alice, form_id, *lines)
    seconds = time.monotonic() - started
    done.set()
    looking.join()
    assert [(one["line"], one["status"]) for one in found] == [(number + 1, 201) for number in range(count)]
    print(f"{count / seconds:.0f} lines/s; others waited {slowest * 1000:.0f} ms at most")
    assert slowest < 2


def test_a_body_over_the_limit_is_refused(cast: People) -> None:
    answer = send(cast.alice, publish(cast.alice), b"x" * (64 * 1024 * 1024 + 1))
    assert answer.status_code == 413


def test_a_batch_has_an_end(cast: People) -> None:
    rest = json.dumps(name(1)).encode() + b"\n"
    answer = send(cast.alice, publish(cast.alice), b"\n" * 100_000 + rest * 200_000)
    assert [json.loads(line)["status"] for line in answer.text.splitlines()] == [413]
    found = batch(cast.alice, publish(cast.alice), {"data": {"x" * 1000 + str(n): 1 for n in range(40)}})
    assert found[0]["status"] == 422 and 0 < len(found[0]["errors"]) < 40, "a verdict is bounded"


def test_a_client_that_hangs_up_stops_its_batch(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    token = cast.alice.headers["authorization"]
    head = (
        f"POST /api/v1/forms/{form_id}/responses/batch HTTP/1.1\r\n"
        f"Host: localhost\r\nAuthorization: {token}\r\n"
        "Content-Type: application/x-ndjson\r\nContent-Length: 10000000\r\n\r\n"
    )
    sockets = sorted(appliance.paths.run.glob("api*.sock"))
    assert sockets
    with socket.socket(socket.AF_UNIX) as direct:  # nginx would wait for the whole body
        direct.connect(str(sockets[0]))
        direct.sendall(head.encode() + b"".join(json.dumps(name(n)).encode() + b"\n" for n in range(300)))
        rows = f"/api/v1/forms/{form_id}/responses"
        until(lambda: len(cast.alice.get(rows).json()["responses"]) > 0, 10, "the first lines are kept")

    def count() -> int:
        return len(walk(cast.alice, rows, "responses", limit=200))

    until(lambda: count() in range(200, 301), 10, "what was read whole is kept")
    assert batch(cast.alice, form_id, name(1))[0]["status"] == 201


def test_a_slow_client_is_served_line_by_line(cast: People) -> None:
    form_id = publish(cast.alice)

    def slowly() -> Iterator[bytes]:
        for number in range(5):
            yield json.dumps(name(number)).encode()[:5]
            time.sleep(0.1)
            yield json.dumps(name(number)).encode()[5:] + b"\r\n"

    answer = send(cast.alice, form_id, slowly())
    assert [json.loads(line)["status"] for line in answer.text.splitlines()] == [201] * 5
