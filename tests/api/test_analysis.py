"""Analyses: what is found in responses, by a job that may be killed."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests import models
from tests.api.accounts import add_key
from tests.api.analyses import WORDS, analyze, ended, filled, listed, publish
from tests.faults.steering import until_whole
from tests.people import People
from tests.running import Running, running
from tests.runtime.servers import until

HELLO = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(autouse=True)
def _at_work(appliance: Running) -> None:
    models.until_at_work(appliance)


def test_responses_are_read_once_and_again_when_they_change(cast: People) -> None:
    form_id = filled(cast.alice, 40)
    assert cast.alice.get(f"/api/v1/forms/{form_id}/insights").status_code == 404
    result = ended(cast.alice, analyze(cast.alice, form_id))["result"]
    assert (result["read"], result["unchanged"]) == (40, 0)
    assert {"analysis", "confidence", "inference_time"} <= set(result)
    found = listed(cast.alice, form_id)
    assert len(found) == 40
    whole = cast.alice.get(f"/api/v1/forms/{form_id}/insights").json()
    assert whole["responses"] == sum(whole["sentiment"].values()) == 40
    assert set(whole["sentiment"]) <= {"positive", "negative", "neutral", "unsure"}

    again = ended(cast.alice, analyze(cast.alice, form_id))["result"]
    assert (again["read"], again["unchanged"]) == (0, 40)
    assert listed(cast.alice, form_id) == found

    changed, gone, *_ = found
    path = f"/api/v1/forms/{form_id}/responses"
    assert cast.alice.patch(f"{path}/{changed}", json={"data": {"words": WORDS[1]}}).status_code == 200
    assert cast.alice.delete(f"{path}/{gone}").status_code == 204
    assert gone not in listed(cast.alice, form_id), "it goes with its response"
    last = ended(cast.alice, analyze(cast.alice, form_id))["result"]
    assert (last["read"], last["unchanged"], last["responses"]) == (1, 38, 39)
    assert listed(cast.alice, form_id)[changed]["revision"] == 2


def test_only_some_are_read(cast: People) -> None:
    form_id = filled(cast.alice, 5)
    rows = cast.alice.get(f"/api/v1/forms/{form_id}/responses").json()["responses"]
    ids = [row["response_id"] for row in rows[:2]]
    assert ended(cast.alice, analyze(cast.alice, form_id, response_ids=ids))["result"]["read"] == 2
    assert set(listed(cast.alice, form_id)) == set(ids)
    later = ended(cast.alice, analyze(cast.alice, form_id, since="2100-01-01T00:00:00Z"))["result"]
    assert later["read"] == 0


def test_results_say_how_they_were_made(appliance: Running, cast: People) -> None:
    form_id = filled(cast.alice, 1)
    task_id = analyze(cast.alice, form_id)
    ended(cast.alice, task_id)
    with appliance.database() as database:
        row = database.get_default_database("appliance").ai_results.find_one({"form_id": form_id, "seq": 1})
    assert row is not None
    assert row["task_id"] == task_id
    assert row["model"] == models.chat_model().stem
    assert len(row["model_sha256"]) == 64
    assert WORDS[0] in row["prompt"]
    assert "Ada" not in row["prompt"], "a name is no free text"
    assert row["tokens"]["prompt"] > 10
    assert row["inference_time"] > 0
    assert {"parameters", "revision", "result", "load_time", "created_at"} <= set(row)


def test_a_killed_job_goes_on_where_it_was(appliance: Running, cast: People) -> None:
    form_id = filled(cast.alice, 160)
    task_id = analyze(cast.alice, form_id)

    def rows() -> dict[str, Any]:
        with appliance.database() as database:
            found = database.get_default_database("appliance").ai_results.find({"form_id": form_id})
            return {row["_id"]: row["created_at"] for row in found}

    until(lambda: len(rows()) >= 32, 60, "something was read")
    appliance.signal("worker-ai", signal.SIGKILL)
    before = rows()
    assert len(before) < 160, "it was killed in the middle"
    result = ended(cast.alice, task_id)["result"]
    assert result["responses"] == 160
    after = rows()
    unchanged = [each for each in before if before[each] == after[each]]
    assert len(unchanged) == len(before), "nothing was read twice"
    until_whole(appliance)


def test_questions_go_ahead_of_a_job(appliance: Running, cast: People) -> None:
    form_id = filled(cast.alice, 200)
    task_id = analyze(cast.alice, form_id)
    key = add_key(cast.alice, "ai")["key"]
    until(lambda: cast.alice.get(f"/api/v1/tasks/{task_id}").json()["progress"], 60, "it has begun")
    with appliance.client(key) as client:
        answer = client.post("/v1/chat/completions", json={"messages": HELLO, "max_tokens": 2}, timeout=120)
    assert answer.status_code == 200
    task = cast.alice.get(f"/api/v1/tasks/{task_id}").json()
    assert task["status"] in ("queued", "running", "retrying"), "it was not waited for"
    cast.alice.delete(f"/api/v1/tasks/{task_id}")


def test_a_model_that_cannot_be_used_is_said_to_be_so(tmp_path: Any) -> None:
    """The rest works, vectors too, and the worker stays up."""
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(models.chat_model().read_bytes()[:1_000_000])
    with running(AI_MODEL=str(cut)) as appliance:
        models.until_at_work(appliance)
        worker = appliance.pid("worker-ai")
        with appliance.client(appliance.login()) as admin:
            told = admin.post("/v1/chat/completions", json={"messages": HELLO}, timeout=120)
            assert told.status_code == 503, told.text
            assert f"{cut} is cut off: 1000000 bytes" in told.json()["detail"]
            assert told.headers["retry-after"]
            assert admin.post("/v1/embeddings", json={"input": "Hello"}, timeout=120).status_code == 200
            form_id = publish(admin)
            path = f"/api/v1/forms/{form_id}"
            assert admin.post(f"{path}/responses", json={"data": {"name": "Ada"}}).status_code == 201
            assert admin.post(f"{path}/analyze", json={}).status_code == 503
        assert appliance.pid("worker-ai") == worker


def test_a_time_before_all_years_is_refused(cast: People) -> None:
    form_id = publish(cast.alice)
    asked = {"since": "0001-01-01T00:00:00+14:00"}
    refused = cast.alice.post(f"/api/v1/forms/{form_id}/analyze", json=asked)
    assert refused.status_code == 400 and refused.json()["errors"][0]["path"] == "/since"
