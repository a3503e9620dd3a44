"""An analysis from end to end: an appliance is started for it, filled, and asked; then a chat, twice."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx

from tests import models
from tests.bench import ai_texts
from tests.running import running
from tests.runtime.servers import until

DEFINITION = {"elements": [{"type": "comment", "name": "words"}]}
_BATCH = 500


def publish(client: httpx.Client) -> str:
    body = {"title": "Bench", "definition": DEFINITION}
    form_id = str(client.post("/api/v1/forms", json=body).raise_for_status().json()["form_id"])
    client.post(f"/api/v1/forms/{form_id}/publish").raise_for_status()
    return form_id


def fill(client: httpx.Client, form_id: str, count: int, seed: int = 7) -> None:
    texts = ai_texts.texts(count, seed)
    for at in range(0, count, _BATCH):
        lines = "".join(json.dumps({"data": {"words": text}}) + "\n" for text in texts[at : at + _BATCH])
        headers = {"content-type": "application/x-ndjson"}
        path = f"/api/v1/forms/{form_id}/responses/batch"
        client.post(path, content=lines, headers=headers, timeout=300).raise_for_status()


def analyze(client: httpx.Client, form_id: str) -> str:
    answer = client.post(f"/api/v1/forms/{form_id}/analyze", json={}).raise_for_status()
    return str(answer.json()["task_id"])


def task(client: httpx.Client, task_id: str) -> dict[str, Any]:
    return dict(client.get(f"/api/v1/tasks/{task_id}").raise_for_status().json())


def until_done(client: httpx.Client, task_id: str, seconds: float = 600) -> dict[str, Any]:
    """Raises AssertionError when it failed."""
    until(
        lambda: task(client, task_id)["status"] in ("completed", "failed", "cancelled"), seconds, "it is done"
    )
    found = task(client, task_id)
    assert found["status"] == "completed", found
    return found


def measure(count: int) -> dict[str, Any]:
    """Seconds, and responses a second from the request to the end of the job."""
    with running() as appliance, appliance.client(appliance.login()) as client:
        models.until_at_work(appliance)
        form_id = publish(client)
        fill(client, form_id, count)
        first = _chat(client, "Say hello.")
        started = time.monotonic()
        result = until_done(client, analyze(client, form_id))["result"]
        took = time.monotonic() - started
        assert result["read"] == count, result
        started = time.monotonic()
        until_done(client, analyze(client, form_id))
        again = time.monotonic() - started
        answer = _chat(client, "Write a long story about a dragon who opens a bakery.")
        loaded = _chat(client, "Say hello.", 1)
    return {
        "responses": count,
        "responses/s": round(count / took, 2),
        "seconds": round(took, 1),
        "unchanged, again s": round(again, 2),
        "first chat, with load s": round(first, 2),
        "100 tokens s": round(answer, 2),
        "one token of a loaded model s": round(loaded, 2),
    }


def _chat(client: httpx.Client, text: str, most: int = 100) -> float:
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": most, "temperature": 0}
    started = time.monotonic()
    client.post("/v1/chat/completions", json=body, timeout=300).raise_for_status()
    return time.monotonic() - started


def aims(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The flows' own."""
    return [
        {"aim": f"{what} within {limit:g} s", "measured": job[name], "pass": job[name] <= limit}
        for what, name, limit in (
            ("the first chat, loading the model,", "first chat, with load s", 20.0),
            ("100 tokens through the API", "100 tokens s", 10.0),
            ("an answer of a model that is loaded begins", "one token of a loaded model s", 1.0),
        )
    ]
