"""Importing responses: what was exported comes back as it was, and what is refused is told line by line."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from appliance.clock import utc_now
from appliance.stores.mongo import DEADLINE
from tests.api.exports import HOSTILE, ask, check_whole, fetch, prune, start
from tests.api.forms import create, errors, publish, walk
from tests.api.tasks import paused, until_status
from tests.api.test_exports import ANSWER, stored, wide
from tests.api.test_shares import give
from tests.faults.steering import api_names, straight_to
from tests.mailbox import Mailbox
from tests.people import People
from tests.running import Running, unique
from tests.runtime.servers import until

TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}


def send(
    client: httpx.Client, form_id: str, content: bytes | str, kind: str = "csv", **more: Any
) -> httpx.Response:
    headers = {"content-type": TYPES.get(kind, kind), **more.pop("headers", {})}
    path = f"/api/v1/forms/{form_id}/responses/import"
    return client.post(path, content=content, headers=headers, params=more, timeout=120)


def done(
    client: httpx.Client, answer: httpx.Response, seconds: float = 60
) -> tuple[dict[str, Any], list[Any]]:
    """The task's result, and its report."""
    assert answer.status_code == 202, answer.text
    task = until_status(client, answer.json()["task_id"], "completed", "failed", seconds=seconds)
    assert task["status"] == "completed", task
    report = client.get(task["result"]["report_url"])
    check_whole(report)
    lines = [json.loads(line) for line in report.text.splitlines()]
    assert len(lines) == task["result"]["refused"] == int(report.headers["x-row-count"])
    return task["result"], lines


def bring(client: httpx.Client, form_id: str, content: bytes | str, kind: str = "csv", **more: Any) -> Any:
    return done(client, send(client, form_id, content, kind, **more))


def data(client: httpx.Client, form_id: str) -> list[Any]:
    """What is stored, in no order: lines are worked on many at a time."""
    return sorted((row["data"] for row in stored(client, form_id)), key=json.dumps)


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_an_export_comes_back_as_it_was(cast: People, kind: str) -> None:
    long = "=" + '"' * 520_000  # a line of more than 1 MB
    answers = [ANSWER, {"age": 0}, {"formula": long}, *({"quote": text} for text in HOSTILE.values())]
    answers += [{"likes": ["tea"], "names": {"first": text}} for text in HOSTILE.values()]
    answers += [
        {"status": 3},
        {"status": "tea"},
        {"grid": {"r1": {"n": -1}}},
        {"pets": [{"name": "\t"}, {"eats": ["fish"]}]},
    ]
    before = wide(cast.alice, *answers)
    file = fetch(cast.alice, start(cast.alice, before, format=kind)).content
    after = wide(cast.alice)
    result, report = bring(cast.alice, after, file, kind)
    assert (result["accepted"], report) == (len(answers), [])
    assert data(cast.alice, after) == data(cast.alice, before)
    assert {row["submitter"] for row in stored(cast.alice, after)} == {None}
    if kind == "csv":
        again = ask(cast.alice, after, format=kind, bom="true")
        result, _ = bring(cast.alice, wide(cast.alice), again.content, kind)
        assert result["accepted"] == len(answers), "with a byte order mark, too"


def test_who_answered_and_when_may_be_taken_over(cast: People) -> None:
    before, after = wide(cast.alice, {"age": 1}), wide(cast.alice)
    file = ask(cast.alice, before, format="csv", time_zone="Asia/Kolkata").content
    (old,) = stored(cast.alice, before)
    bring(cast.alice, after, file, keep_origin="true")
    (new,) = stored(cast.alice, after)
    assert new["submitter"] == old["submitter"] is not None
    assert new["created_at"] > old["created_at"], "a list by time stays right"
    assert new["meta"] == {**old["meta"], "original_created_at": old["created_at"]}
    twice = wide(cast.alice)
    bring(cast.alice, twice, ask(cast.alice, after, format="ndjson").content, "ndjson", keep_origin="true")
    assert stored(cast.alice, twice)[0]["meta"] == new["meta"], "also of what was imported itself"
    foreign = json.dumps(
        {"data": {"age": 2}, "submitter": "nobody here", "created_at": "2001-01-01T00:00:00Z"}
    )
    bring(cast.alice, twice, foreign, "ndjson", keep_origin="true")
    assert stored(cast.alice, twice)[1]["submitter"] is None


def test_each_refused_line_is_told(cast: People) -> None:
    form_id = publish(cast.alice)
    rows = [
        "name,age,likes,words,extra",
        "Ada,36,tea|coffee,",
        "Ada,36,tea|coffee,,",
        "Bob,old,,,",
        ",5,,,",
        'Cy,200,"beer",,',
        '"Di\r\nana",1,tea,,"{""x"": 1}"',
        "Ed,1,,,[1]",
        "",
        "Flo,-0,,'=1,",
    ]
    result, report = bring(cast.alice, form_id, "\r\n".join(rows).encode() + b"\r\nG\xff,1,,,\r\n")
    assert result["accepted"] == 2
    told = {
        one["line"]: (one["status"], [fault["path"] for fault in one.get("errors", [])]) for one in report
    }
    assert told == {
        2: (400, []),
        4: (400, []),
        5: (422, ["/data/name"]),
        6: (422, ["/data/likes/0", "/data/age"]),
        7: (422, ["/data/x"]),
        9: (400, []),
        12: (400, []),
    }
    details = {one["line"]: one["detail"] for one in report}
    assert "age: a number is needed" in details[4] and "UTF-8" in details[12] and "cells" in details[2]
    lines = [
        b'{"data": {"name": "Ada"}}',
        b"nonsense",
        b"",
        b'{"data": 5}',
        b'{"nothing": 1}',
        b'{"a":' * 6000,
        b'{"data": {"name": "' + b"x" * 5_000_000 + b'"}}',
        b'{"data": {"name": "Zoe"}, "meta": {"language": "fr"}}',
    ]
    result, report = bring(cast.alice, form_id, b"\n".join(lines), "ndjson")
    assert result["accepted"] == 2
    assert [(one["line"], one["status"]) for one in report] == [
        (2, 400),
        (4, 422),
        (5, 400),
        (6, 400),
        (7, 413),
    ]


def test_after_broken_csv_nothing_is_guessed(cast: People) -> None:
    form_id = publish(cast.alice)
    result, report = bring(cast.alice, form_id, 'name,words\r\nAda,fine\r\n"Bob,"no\r\nCy,x\r\n')
    assert (result["accepted"], [one["line"] for one in report]) == (1, [3])
    swallowed = 'name,words\r\nAda,"' + "x,y\r\n" * 1_000_000
    result, report = bring(cast.alice, form_id, swallowed)
    assert (result["accepted"], [(one["line"], one["status"]) for one in report]) == (0, [(2, 413)])


def test_columns_that_do_not_fit_are_refused_at_once(cast: People) -> None:
    form_id = publish(cast.alice)
    heads = {
        "name,nam": ["/nam"],
        "name,age,name": ["/name"],
        "name,likes/tea": ["/likes~1tea"],
        "response_id,created_at": [""],
        "": [""],
    }
    for head, paths in heads.items():
        answer = send(cast.alice, form_id, f"{head}\r\nAda,1\r\n")
        assert (answer.status_code, list(errors(answer))) == (422, paths), head
    for delimiter in ";\t":
        result, _ = bring(cast.alice, form_id, f"name{delimiter}age\nAda{delimiter}5\n")
        assert result["accepted"] == 1, "as spreadsheets of other countries write it"
    assert send(cast.alice, form_id, "").status_code == 400
    assert send(cast.alice, form_id, "{}", "application/json").status_code == 415
    assert send(cast.alice, form_id, b"x" * (64 * 2**20 + 1)).status_code == 413


def test_who_may_import(cast: People) -> None:
    form_id = publish(cast.alice)
    line = '{"data": {"name": "Ada"}}'
    give(cast.alice, form_id, ("bob", "view"))
    codes = [
        send(client, form_id, line, "ndjson").status_code for client in (cast.nobody, cast.charlie, cast.bob)
    ]
    assert codes == [401, 404, 403]
    give(cast.alice, form_id, ("charlie", "edit"))
    assert send(cast.charlie, form_id, line, "ndjson", keep_origin="true").status_code == 403
    answer = send(cast.charlie, form_id, line, "ndjson")
    done(cast.charlie, answer)
    assert cast.alice.get(f"/api/v1/exports/{answer.json()['task_id']}").status_code == 404, "his report"
    assert send(cast.alice, create(cast.alice)["form_id"], line, "ndjson").status_code == 409
    cast.alice.post(f"/api/v1/forms/{form_id}/close")
    assert send(cast.alice, form_id, line, "ndjson").status_code == 410
    refused = send(cast.alice, publish(cast.alice), line, "ndjson", webhook_url="ftp://example.org")
    assert (refused.status_code, list(errors(refused))) == (400, ["/webhook_url"])


def test_limits_hold_and_nobody_is_told(cast: People, mailbox: Mailbox) -> None:
    watcher = f"{unique('watcher')}@example.org"
    form_id = publish(cast.alice, notify=[watcher], max_responses=3, pin="secret-pin", one_per_person=True)
    lines = "\n".join(json.dumps({"data": {"name": str(number)}}) for number in range(5))
    result, report = bring(cast.alice, form_id, lines, "ndjson")
    assert (result["accepted"], [one["status"] for one in report]) == (3, [410, 410])
    tasks = walk(cast.alice, "/api/v1/tasks", "tasks", form_id=form_id)
    assert {task["name"] for task in tasks} == {"import_responses"}


def test_a_key_imports_once(cast: People, appliance: Running) -> None:
    form_id, headers = publish(cast.alice), {"idempotency-key": "file-1"}
    first = send(cast.alice, form_id, "name\nAda\n", headers=headers)
    again = send(cast.alice, form_id, "name\nAda\n", headers=headers)
    assert first.json() == again.json() and again.headers["idempotency-replayed"] == "true"
    assert send(cast.alice, form_id, "name\nBob\n", headers=headers).status_code == 422
    done(cast.alice, first)
    assert [row["name"] for row in data(cast.alice, form_id)] == ["Ada"]
    until(
        lambda: [path.name for path in appliance.paths.imports.iterdir()] in ([], [".lock"]),
        10,
        "nothing is left",
    )


def test_a_file_may_take_its_time_to_arrive(cast: People, appliance: Running) -> None:
    """Longer than a request has in the database. Straight to the API: nginx would wait for the whole body."""
    form_id, lines = publish(cast.alice), ["name\n", "Ada\n", "Bob\n"]

    def slowly() -> Iterator[bytes]:
        for line in lines:
            yield line.encode()
            time.sleep(DEADLINE / 2 + 0.1)

    path = f"/api/v1/forms/{form_id}/responses/import"
    headers = {"authorization": cast.alice.headers["authorization"], "content-type": "text/csv"}
    with straight_to(appliance, api_names(appliance)[0]) as client:
        answer = client.post(path, content=slowly(), headers=headers)
    result, _ = done(cast.alice, answer)
    assert result["accepted"] == 2


def test_a_killed_import_keeps_nothing_twice(cast: People, appliance: Running) -> None:
    form_id, count = publish(cast.alice), 3_000
    lines = [json.dumps({"data": {"name": str(number)} if number % 10 else {}}) for number in range(count)]
    path = f"/api/v1/forms/{form_id}"

    def kept() -> int:
        return int(cast.alice.get(path).json()["response_count"])

    answer = send(cast.alice, form_id, "\n".join(lines), "ndjson")
    until(lambda: kept() > 200, 30, "it is on its way")
    appliance.signal("worker-default")
    result, report = done(cast.alice, answer, seconds=120)
    assert cast.alice.get(answer.json()["status_url"]).json()["attempts"] > 1
    assert (result["accepted"], result["refused"]) == (count * 9 // 10, count // 10)
    assert [one["line"] for one in report] == list(range(1, count, 10))
    names = [row["data"]["name"] for row in walk(cast.alice, f"{path}/responses", "responses", limit=200)]
    assert sorted(names, key=int) == [str(number) for number in range(count) if number % 10]


def test_a_cancelled_import_leaves_no_file(cast: People, appliance: Running) -> None:
    with paused(cast.admin, "default"):
        answer = send(cast.alice, publish(cast.alice), "name\nAda\n")
        task_id = answer.json()["task_id"]
        until_status(cast.alice, task_id, "queued")
        assert cast.alice.delete(f"/api/v1/tasks/{task_id}").status_code == 204
        assert cast.alice.get(f"/api/v1/exports/{task_id}").status_code == 404
    prune(appliance, utc_now())
    assert len(bodies(appliance)) == 1, "it could be about to be promised"
    prune(appliance, utc_now() + dt.timedelta(hours=2))
    assert bodies(appliance) == []


def bodies(appliance: Running) -> list[str]:
    return [path.name for path in appliance.paths.imports.iterdir() if path.name != ".lock"]
