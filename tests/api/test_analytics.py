"""What the numbers say, and to whom."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.accounts import add, signed_in
from tests.api.forms import publish, submit
from tests.people import People
from tests.running import Running
from tests.runtime.servers import until

URL = "/api/v1/analytics"


def ran(client: httpx.Client) -> dict[str, Any]:
    """The result of a run that was asked for."""
    accepted = client.post(f"{URL}/run")
    assert accepted.status_code == 202, accepted.text
    url = accepted.json()["status_url"]
    until(lambda: client.get(url).json()["status"] in ("completed", "failed"), 30, "the run has ended")
    task = client.get(url).json()
    assert task["status"] == "completed", task["error"]
    return dict(task["result"])


def test_an_answer_holds_what_came_before_and_after_the_run(cast: People) -> None:
    form_id = publish(cast.alice)
    for _ in range(3):
        submit(cast.alice, form_id)
    assert ran(cast.admin)["responses"] >= 3
    submit(cast.alice, form_id)
    answer = cast.alice.get(f"{URL}/daily", params={"form_id": form_id}).json()
    assert [row["total"] for row in answer["rows"]] == [4] and answer["cached"] is False
    again = cast.alice.get(f"{URL}/daily", params={"form_id": form_id}).json()
    assert again["cached"] is True and again["rows"] == answer["rows"] and again["as_of"] == answer["as_of"]


def test_each_sees_what_their_forms_hold(cast: People) -> None:
    form_id = publish(cast.alice)
    submit(cast.alice, form_id)
    assert cast.charlie.get(f"{URL}/forms/{form_id}").status_code == 404
    assert cast.charlie.get(f"{URL}/daily", params={"form_id": form_id}).status_code == 404
    seen = cast.charlie.get(f"{URL}/daily").json()["rows"]
    assert form_id not in {row["form_id"] for row in seen}
    assert form_id in {row["form_id"] for row in cast.alice.get(f"{URL}/daily").json()["rows"]}
    assert form_id in {row["form_id"] for row in cast.admin.get(f"{URL}/daily").json()["rows"]}
    assert cast.alice.post(f"{URL}/run").status_code == 403


def test_hours_are_those_of_the_time_zone(cast: People) -> None:
    form_id = publish(cast.alice)
    submit(cast.alice, form_id)
    listed = cast.alice.get(f"/api/v1/forms/{form_id}/responses").json()["responses"]
    asked = {"form_id": form_id, "time_zone": "Asia/Kolkata"}
    (row,) = cast.alice.get(f"{URL}/activity", params=asked).json()["rows"]
    assert row["hour"].endswith("+05:30") and row["responses"] == len(listed)
    refused = cast.alice.get(f"{URL}/activity", params={**asked, "time_zone": "Mars/Base"})
    assert refused.status_code == 422 and refused.json()["errors"][0]["path"] == "/time_zone"


def test_an_analyst_writes_a_select_over_what_they_may_see(appliance: Running, cast: People) -> None:
    form_id, other = publish(cast.alice), publish(cast.alice)
    for each in (form_id, form_id, other):
        submit(cast.alice, each)
    analyst = add(cast.admin, "analyst")["username"]
    with signed_in(appliance, analyst) as client:
        share = {"shares": [{"username": analyst, "level": "view"}]}
        assert cast.alice.put(f"/api/v1/forms/{form_id}/shares", json=share).status_code == 200
        sql = "SELECT form_id, count(*) AS n FROM responses GROUP BY ALL"
        answer = client.post(f"{URL}/query", json={"sql": sql})
        assert answer.json()["rows"] == [{"form_id": form_id, "n": 2}]
    assert cast.alice.post(f"{URL}/query", json={"sql": sql}).status_code == 403


@pytest.mark.parametrize(
    "sql, fault",
    [
        ("SELECT * FROM read_text('/etc/passwd')", "read_text is not allowed"),
        ("SELECT * FROM '/etc/passwd'", "There is no table"),
        ("COPY responses TO '/tmp/x'", "One SELECT is needed"),
        ("SELECT 1; SELECT 2", "several statements"),
        ("SELECT nothing FROM responses", "nothing"),
        ("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t", "10 s"),
        ("SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = 7", "10 s"),
        ("SELECT list(a.range) FROM range(100000000) a", "emory"),
    ],
)
def test_what_is_no_harmless_select_is_refused_or_broken_off(cast: People, sql: str, fault: str) -> None:
    answer = cast.admin.post(f"{URL}/query", json={"sql": sql})
    assert answer.status_code == 422 and fault in answer.json()["errors"][0]["message"], answer.text
    assert cast.admin.get(f"{URL}/queries").status_code == 200
