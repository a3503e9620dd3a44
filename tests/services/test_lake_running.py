"""The lake holds what the database holds, whatever happened since the last run."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import Any

import duckdb
import httpx
import pytest

from appliance.addresses import Paths
from appliance.analytics.lake import Lake
from appliance.analytics.tables import TABLES
from appliance.services import lake_running, lake_runs
from appliance.services.context import open_context
from appliance.services.lake_running import Summary
from tests import own
from tests.people import People
from tests.running import Running
from tests.tasks.test_exporter import scrape

DEFINITION: dict[str, Any] = {
    "elements": [
        {"type": "comment", "name": "words"},
        {"type": "rating", "name": "stars"},
        {"type": "checkbox", "name": "dishes", "choices": ["soup", "fish"]},
    ]
}


appliance, cast = own.appliance, own.cast
"""One of their own: what others do meanwhile would be counted too."""


@pytest.fixture
def lake(appliance: Running) -> Lake:
    return Lake(Paths(appliance.settings.data).lake)


def run(appliance: Running) -> Summary:
    async def work() -> Summary:
        context = open_context(appliance.settings)
        try:
            return await lake_running.run(context)
        finally:
            await context.close()

    return asyncio.run(work())


def published(client: httpx.Client) -> str:
    form = client.post("/api/v1/forms", json={"title": "Lunch", "definition": DEFINITION}).json()
    assert client.post(f"/api/v1/forms/{form['form_id']}/publish").status_code == 200
    return str(form["form_id"])


def answered(client: httpx.Client, form_id: str, count: int) -> list[str]:
    lines = "".join(
        f'{{"data": {{"words": "number {number}", "stars": {number % 5 + 1}, "dishes": ["soup"]}}}}\n'
        for number in range(count)
    )
    answer = client.post(
        f"/api/v1/forms/{form_id}/responses/batch",
        content=lines,
        headers={"content-type": "application/x-ndjson"},
    )
    assert answer.text.count('"status":201') == count, answer.text[:500]
    listed = client.get(f"/api/v1/forms/{form_id}/responses", params={"limit": 100}).json()
    return [row["response_id"] for row in listed["responses"]]


def rows(lake: Lake, form_id: str, columns: str = "response_id, revision") -> list[Any]:
    with duckdb.connect() as connection:
        return connection.execute(
            f"SELECT {columns} FROM read_parquet('{lake.pattern}', union_by_name = true) "
            "WHERE form_id = ? ORDER BY ALL",
            [form_id],
        ).fetchall()


def digest(lake: Lake) -> str:
    return hashlib.sha256(b"".join(lake.file(period).read_bytes() for period in lake.periods())).hexdigest()


def test_what_came_is_in_the_lake_and_a_second_run_changes_nothing(
    appliance: Running, cast: People, lake: Lake
) -> None:
    form_id = published(cast.alice)
    ids = answered(cast.alice, form_id, 7)
    assert run(appliance).responses >= 7
    assert [row[0] for row in rows(lake, form_id)] == sorted(ids)
    before = digest(lake)
    again = run(appliance)
    assert again.responses <= 7 and digest(lake) == before


def test_edits_and_deletions_write_their_day_anew(appliance: Running, cast: People, lake: Lake) -> None:
    form_id = published(cast.alice)
    first, second, *others = answered(cast.alice, form_id, 5)
    run(appliance)
    url = f"/api/v1/forms/{form_id}/responses"
    assert cast.alice.delete(f"{url}/{first}").status_code in (200, 204)
    changed = cast.alice.patch(f"{url}/{second}", json={"data": {"stars": 2, "words": "other"}})
    assert changed.status_code == 200, changed.text
    run(appliance)
    assert dict(rows(lake, form_id)) == {second: 2} | dict.fromkeys(others, 1)


def test_what_a_run_did_is_told(appliance: Running, cast: People, lake: Lake) -> None:
    form_id = published(cast.alice)
    answered(cast.alice, form_id, 3)
    told = lake_runs.shape(run(appliance))
    assert told["responses"] >= 3 and told["days"] == 1 and told["drift"] == 0 and told["compared"] >= 3
    assert told["bytes"] == sum(lake.file(period).stat().st_size for period in lake.periods()[-1:])
    assert told["tables"].keys() == TABLES.keys() and told["tables"]["forms"] >= 1
    assert 0 < sum(told["steps"].values()) <= told["seconds"] + 0.01
    seen = scrape(appliance)
    assert seen["appliance_lake_drift_responses",] == 0 and seen["appliance_lake_run_responses",] >= 3
    assert abs(seen["appliance_lake_as_of_timestamp_seconds",] - time.time()) < 600


def test_a_form_that_is_deleted_leaves_and_comes_back(appliance: Running, cast: People, lake: Lake) -> None:
    form_id = published(cast.alice)
    ids = answered(cast.alice, form_id, 4)
    run(appliance)
    assert cast.alice.delete(f"/api/v1/forms/{form_id}").status_code in (200, 204)
    run(appliance)
    assert rows(lake, form_id) == []
    assert cast.alice.post(f"/api/v1/forms/{form_id}/restore").status_code == 200
    run(appliance)
    assert [row[0] for row in rows(lake, form_id)] == sorted(ids)


def test_a_form_with_many_answers_has_typed_columns(appliance: Running, cast: People, lake: Lake) -> None:
    form_id = published(cast.alice)
    answered(cast.alice, form_id, 600)
    run(appliance)
    (found,) = rows(
        lake, form_id, "count(*), sum(q_stars), min(q_words), any_value(q_dishes), any_value(date)"
    )
    assert found[:4] == (600, 1800.0, "number 0", ["soup"])
