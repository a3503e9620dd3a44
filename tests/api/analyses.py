"""Analyses of the tests: forms with answers, and what was found in them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import httpx

from tests.runtime.servers import until

DEFINITION: dict[str, Any] = {
    "elements": [
        {"type": "text", "name": "name"},
        {"type": "comment", "name": "words"},
        {"type": "rating", "name": "stars"},
    ]
}
WORDS = (
    "The staff was friendly and I would come again.",
    "My order was late and nobody answered the phone.",
    "We ordered two of them in May.",
)


def publish(client: httpx.Client, **settings: Any) -> str:
    body = {"title": "Words", "definition": DEFINITION, "settings": settings}
    form_id = str(client.post("/api/v1/forms", json=body).json()["form_id"])
    assert client.post(f"/api/v1/forms/{form_id}/publish").status_code == 200
    return form_id


def filled(client: httpx.Client, count: int) -> str:
    return answered(client, [f"{WORDS[number % 3]} ({number})" for number in range(count)])


def answered(client: httpx.Client, texts: Iterable[str], **settings: Any) -> str:
    """A form with these answers, in their order."""
    form_id = publish(client, **settings)
    rows = [{"data": {"name": f"Ada {number}", "words": text}} for number, text in enumerate(texts)]
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    answer = client.post(
        f"/api/v1/forms/{form_id}/responses/batch",
        content=lines,
        headers={"content-type": "application/x-ndjson"},
    )
    assert answer.text.count('"status":201') == len(rows), answer.text[:500]
    return form_id


def analyze(client: httpx.Client, form_id: str, **body: Any) -> str:
    answer = client.post(f"/api/v1/forms/{form_id}/analyze", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def ended(client: httpx.Client, task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def is_over() -> bool:
        found.update(client.get(f"/api/v1/tasks/{task_id}").json())
        return found["status"] in ("completed", "failed", "cancelled")

    until(is_over, 60, "the analysis has ended")
    assert found["status"] == "completed", found
    return found


def listed(client: httpx.Client, form_id: str) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    cursor: str | None = ""
    while cursor is not None:
        query = {"cursor": cursor} if cursor else {}
        page = client.get(f"/api/v1/forms/{form_id}/insights/responses", params={"limit": 20, **query}).json()
        rows |= {row["response_id"]: row for row in page["responses"]}
        cursor = page["next_cursor"]
    return rows
