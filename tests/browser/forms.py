"""Forms that are filled in by browsers."""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx

from tests.api.forms import create

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cfc000000301010018dd8db00000000049454e44ae426082"
)

VISIT: dict[str, Any] = {
    "title": "Your visit",
    "pages": [
        {
            "name": "you",
            "title": "You",
            "elements": [
                {"type": "text", "name": "name", "title": "Your name", "isRequired": True},
                {
                    "type": "radiogroup",
                    "name": "came",
                    "title": "How did you come?",
                    "choices": ["train", "car"],
                },
                {
                    "type": "text",
                    "name": "line",
                    "title": "Which line?",
                    "visibleIf": "{came} = 'train'",
                    "isRequired": True,
                },
                {
                    "type": "checkbox",
                    "name": "likes",
                    "title": "What did you like?",
                    "choices": ["tea", "cake"],
                },
                {"type": "boolean", "name": "again", "title": "Again?"},
                {"type": "rating", "name": "stars", "title": "How was it?"},
                {"type": "dropdown", "name": "city", "title": "Where from?", "choices": ["Oslo", "Rome"]},
            ],
        },
        {
            "name": "more",
            "title": "Guests",
            "elements": [
                {
                    "type": "paneldynamic",
                    "name": "guests",
                    "title": "Guests",
                    "templateElements": [{"type": "text", "name": "who", "title": "Guest's name"}],
                },
                {"type": "file", "name": "photo", "title": "A photo"},
                {"type": "comment", "name": "words", "title": "Anything else?"},
            ],
        },
    ],
}


class Published(NamedTuple):
    form_id: str
    slug: str


def published(client: httpx.Client, definition: dict[str, Any] = VISIT, **settings: Any) -> Published:
    """Public, unless `settings` say otherwise."""
    return _publish(client, definition=definition, settings={"public": True, **settings})


def published_schema(client: httpx.Client, schema: dict[str, Any]) -> Published:
    answer = client.post(
        "/api/v1/forms", json={"title": "By schema", "schema": schema, "settings": {"public": True}}
    )
    assert answer.status_code == 201, answer.text
    return _finish(client, answer.json())


def _publish(client: httpx.Client, **more: Any) -> Published:
    return _finish(client, create(client, **more))


def _finish(client: httpx.Client, form: dict[str, Any]) -> Published:
    answer = client.post(f"/api/v1/forms/{form['form_id']}/publish")
    assert answer.status_code == 200, answer.text
    return Published(form["form_id"], form["slug"])


def responses(client: httpx.Client, form: Published) -> list[dict[str, Any]]:
    answer = client.get(f"/api/v1/forms/{form.form_id}/responses")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["responses"]
    return found


def republish(client: httpx.Client, form: Published, definition: dict[str, Any]) -> None:
    path = f"/api/v1/forms/{form.form_id}"
    assert client.patch(path, json={"definition": definition}).status_code == 200
    assert client.post(f"{path}/publish").status_code == 200
