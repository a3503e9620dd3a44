"""Forms that the API's tests answer, and short ways to make them."""

from __future__ import annotations

from typing import Any

import httpx

from tests.running import unique

FEEDBACK: dict[str, Any] = {
    "pages": [
        {
            "name": "page1",
            "elements": [
                {"type": "text", "name": "name", "isRequired": True, "maxLength": 100},
                {"type": "text", "name": "age", "inputType": "number", "min": 0, "max": 150},
                {"type": "radiogroup", "name": "city", "choices": ["Oslo", "Rome", "Lima"]},
                {"type": "checkbox", "name": "likes", "choices": ["tea", "coffee", "water"]},
                {"type": "comment", "name": "words"},
            ],
        }
    ]
}


def create(client: httpx.Client, **more: Any) -> dict[str, Any]:
    body = {"title": unique("Feedback"), "definition": FEEDBACK, **more}
    answer = client.post("/api/v1/forms", json=body)
    assert answer.status_code == 201, answer.text
    form: dict[str, Any] = answer.json()
    return form


def publish(client: httpx.Client, **settings: Any) -> str:
    """The id of a new published form."""
    form_id = str(create(client, settings=settings)["form_id"])
    answer = client.post(f"/api/v1/forms/{form_id}/publish")
    assert answer.status_code == 200, answer.text
    return form_id


def submit(client: httpx.Client, form_id: str, key: str | None = None, **data: Any) -> httpx.Response:
    headers = {"idempotency-key": key} if key else {}
    body = {"data": {"name": "Ada", **data}}
    return client.post(f"/api/v1/forms/{form_id}/responses", json=body, headers=headers)


def walk(client: httpx.Client, path: str, rows: str, **parameters: Any) -> list[dict[str, Any]]:
    """All rows of a list, page by page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        asked = parameters | ({"cursor": cursor} if cursor else {})
        answer = client.get(path, params=asked)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page[rows]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def errors(answer: httpx.Response) -> dict[str, str]:
    """What a problem says, by path."""
    return {error["path"]: error["message"] for error in answer.json().get("errors", [])}
