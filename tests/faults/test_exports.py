"""Imports and exports over outages: what was promised is done, once, and no line is refused for it."""

from __future__ import annotations

import json
from typing import Any

from tests.api.exports import fetch, start
from tests.api.forms import publish, walk
from tests.api.test_response_imports import done, send
from tests.bench import wide
from tests.faults.steering import open_redis, until_whole
from tests.people import People
from tests.running import Running
from tests.runtime.servers import until

LINES = 3_000


def _kept(appliance: Running, form_id: str) -> int:
    with appliance.database() as client:
        counters = client.get_default_database("appliance").form_counters.find_one({"_id": form_id})
    assert counters is not None
    return int(counters["taken"])


def _names(cast: People, form_id: str) -> list[str]:
    rows: list[dict[str, Any]] = walk(
        cast.alice, f"/api/v1/forms/{form_id}/responses", "responses", limit=200
    )
    return sorted((row["data"]["name"] for row in rows), key=int)


def _file() -> str:
    return "\n".join(
        json.dumps({"data": {"name": str(number)} if number % 10 else {}}) for number in range(LINES)
    )


def _check(cast: People, form_id: str, result: dict[str, Any], report: list[Any]) -> None:
    assert (result["accepted"], result["refused"]) == (LINES * 9 // 10, LINES // 10)
    assert {one["status"] for one in report} == {422}
    assert _names(cast, form_id) == [str(number) for number in range(LINES) if number % 10]


def test_an_import_goes_on_when_the_database_is_back(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    answer = send(cast.alice, form_id, _file(), "ndjson")
    until(lambda: _kept(appliance, form_id) > 200, 30, "it is on its way")
    appliance.signal("mongo")
    until_whole(appliance)
    _check(cast, form_id, *done(cast.alice, answer, seconds=120))


def test_an_import_survives_an_emptied_redis(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    answer = send(cast.alice, form_id, _file(), "ndjson")
    until(lambda: _kept(appliance, form_id) > 200, 30, "it is on its way")
    with open_redis(appliance) as redis:
        redis.flushall()
    path = f"/api/v1/exports/{answer.json()['task_id']}"
    until(lambda: cast.alice.get(path).status_code == 200, 120, "the report is there")
    report = [json.loads(line) for line in cast.alice.get(path).text.splitlines()]
    assert len(report) == LINES // 10
    assert _names(cast, form_id) == [str(number) for number in range(LINES) if number % 10]


def test_an_export_goes_on_when_the_database_is_back(appliance: Running, cast: People) -> None:
    form_id = wide.publish(cast.alice)
    wide.fill(appliance, form_id, 6_000)
    export_id = start(cast.alice, form_id, format="ndjson")
    draft = appliance.paths.exports / f"{export_id}.part"
    until(lambda: draft.exists() and draft.stat().st_size > 0, 30, "it is being written")
    appliance.signal("mongo")
    until_whole(appliance)
    lines = fetch(cast.alice, export_id, seconds=120).content.splitlines()
    assert len({json.loads(line)["response_id"] for line in lines}) == len(lines) == 6_000
