"""A form with file questions, and short ways to upload to it."""

from __future__ import annotations

import secrets
from typing import Any

import httpx

from tests.api.forms import create

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(100)
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"
QUESTIONS: dict[str, Any] = {
    "elements": [
        {"type": "text", "name": "name"},
        {
            "type": "file",
            "name": "cv",
            "storeDataAsText": False,
            "acceptedTypes": ".pdf",
            "maxSize": 3_000_000,
        },
        {"type": "file", "name": "photos", "storeDataAsText": False, "allowMultiple": True, "maxFiles": 2},
        {"type": "file", "name": "inside", "acceptedCategories": ["image"]},
        {"type": "signaturepad", "name": "signature", "storeDataAsText": False},
        {"type": "signaturepad", "name": "drawn"},
        {
            "type": "paneldynamic",
            "name": "children",
            "templateElements": [{"type": "file", "name": "picture", "storeDataAsText": False}],
        },
        {
            "type": "matrixdynamic",
            "name": "trips",
            "columns": [{"name": "where", "cellType": "text"}],
            "detailPanelMode": "underRow",
            "detailElements": [{"type": "file", "name": "ticket", "storeDataAsText": False}],
        },
    ]
}


def form_with_files(client: httpx.Client, **settings: Any) -> str:
    """The id of a new published form."""
    form_id = str(create(client, definition=QUESTIONS, settings={"public": True, **settings})["form_id"])
    assert client.post(f"/api/v1/forms/{form_id}/publish").status_code == 200
    return form_id


def upload(
    client: httpx.Client,
    form_id: str,
    question: str = "photos",
    content: bytes = PNG,
    *,
    name: str = "a.png",
    type: str = "image/png",
    **headers: str,
) -> httpx.Response:
    """As browsers do."""
    return client.post(
        f"/api/v1/forms/{form_id}/files",
        params={"question": question},
        files={"file": (name, content, type)},
        headers={each.replace("_", "-"): value for each, value in headers.items()},
    )


def uploaded(client: httpx.Client, form_id: str, question: str = "photos", **more: Any) -> dict[str, Any]:
    """The answer's item of a new file."""
    answer = upload(client, form_id, question, **more)
    assert answer.status_code == 201, answer.text
    return {"name": "claimed", "type": "claimed/type", "content": answer.json()["content"]}


def answer_with(client: httpx.Client, form_id: str, **data: Any) -> httpx.Response:
    return client.post(f"/api/v1/forms/{form_id}/responses", json={"data": data})


def new_token() -> str:
    return secrets.token_urlsafe(32)
