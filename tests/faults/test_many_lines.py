"""Batches and imports while the database fails: what was not judged is told apart from what was refused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.forms import publish
from tests.api.tasks import until_status
from tests.api.test_batch import NDJSON
from tests.api.test_response_imports import done, send
from tests.faults.steering import api_names, stopped, stored, straight_to, until_whole
from tests.people import People
from tests.running import Running, unique

LINES = 3_000
EARLY = 300


def lines(prefix: str) -> list[bytes]:
    return [
        json.dumps({"data": {"name": str(number)}, "key": f"{prefix}-{number}"}).encode() + b"\n"
        for number in range(LINES)
    ]


def test_a_batch_says_what_to_send_again(appliance: Running, cast: People) -> None:
    """The database stops while the lines come in. Straight to the API: nginx waits for the whole body."""
    form_id, sent = publish(cast.alice), lines(unique("line"))
    path = f"/api/v1/forms/{form_id}/responses/batch"
    headers = {**NDJSON, "authorization": cast.alice.headers["authorization"]}
    outage = stopped(appliance, "mongo")
    began: list[float] = []

    def body() -> Iterator[bytes]:
        yield from sent[:EARLY]
        outage.__enter__()
        began.append(time.monotonic())
        yield from sent[EARLY:]

    try:
        with straight_to(appliance, api_names(appliance)[0]) as client:
            answer = client.post(path, content=body(), headers=headers, timeout=300)
    finally:
        outage.__exit__(None, None, None)
    assert time.monotonic() - began[0] < 30, "not four seconds for each 64 of them"
    assert answer.status_code == 200
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["line"] for one in told] == list(range(1, LINES + 1))
    assert {one["status"] for one in told} == {201, 503}
    again = [one for one in told if "retry_after" in one]
    assert again == [one for one in told if one["status"] == 503]
    assert all(one["retry_after"] >= 1 for one in again)
    until_whole(appliance)
    rest = b"".join(sent[one["line"] - 1] for one in again)
    second = cast.alice.post(path, content=rest, headers=NDJSON, timeout=300)
    assert {json.loads(line)["status"] for line in second.text.splitlines()} == {201}
    names = sorted(int(row["data"]["name"]) for row in stored(appliance, form_id))
    assert names == list(range(LINES)), "each once"


@pytest.fixture
def broken(appliance: Running, cast: People) -> Iterator[tuple[str, Any]]:
    """A form whose counters make the database fail in a way that no caller can cause; and how to mend it."""
    form_id = publish(cast.alice)
    with appliance.database() as client:
        rows = client.get_default_database("appliance").form_counters
        before = rows.find_one({"_id": form_id})
        assert before is not None
        rows.update_one({"_id": form_id}, {"$set": {"taken": "not a number"}})
        yield form_id, lambda: rows.update_one({"_id": form_id}, {"$set": {"taken": before["taken"]}})


def test_an_import_tries_again_what_failed_because_of_us(cast: People, broken: tuple[str, Any]) -> None:
    form_id, mend = broken
    content = "\n".join(json.dumps({"data": {"name": str(n)} if n else {}}) for n in range(200))
    answer = send(cast.alice, form_id, content, "ndjson")
    until_status(cast.alice, answer.json()["task_id"], "retrying")
    mend()
    result, report = done(cast.alice, answer)
    assert (result["accepted"], [one["line"] for one in report]) == (199, [1])
    assert report[0]["status"] == 422, "the one fault that is the line's"


def test_a_line_of_a_batch_that_failed_because_of_us_is_to_be_sent_again(
    cast: People, broken: tuple[str, Any]
) -> None:
    form_id, mend = broken
    path, sent = f"/api/v1/forms/{form_id}/responses/batch", b"".join(lines(unique("line"))[:3])

    def ask() -> list[dict[str, Any]]:
        answer = cast.alice.post(path, content=sent, headers=NDJSON)
        return [json.loads(line) for line in answer.text.splitlines()]

    assert [(one["status"], one["retry_after"] > 0) for one in ask()] == [(500, True)] * 3
    mend()
    assert [(one["status"], "retry_after" in one) for one in ask()] == [(201, False)] * 3
