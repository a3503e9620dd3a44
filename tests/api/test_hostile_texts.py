"""Hostile texts, wherever free text is taken, come back as they were sent: by the API, in each format."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appliance.stores.export_csv import unescaped
from tests.api.exports import HOSTILE, ask, csv_rows, parquet_rows, sheets
from tests.api.forms import create, errors
from tests.api.test_exports import stored
from tests.api.test_response_imports import bring, data
from tests.api.uploads import PNG, upload
from tests.people import People

CHOICES = ["a", "b"]
OTHER = {"showOtherItem": True, "choices": CHOICES}
FREE: dict[str, Any] = {
    "elements": [
        *(
            {"type": "text", "name": f"text.{kind}", "inputType": kind}
            for kind in ("text", "password", "tel")
        ),
        {"type": "comment", "name": "=comment"},
        {"type": "radiogroup", "name": "radio", **OTHER},
        {"type": "dropdown", "name": "drop", **OTHER},
        {"type": "checkbox", "name": "check", **OTHER},
        {"type": "tagbox", "name": "tags", **OTHER},
        {"type": "rating", "name": "rate", "showCommentArea": True},
        {"type": "boolean", "name": "yes", "showCommentArea": True},
        {"type": "imagepicker", "name": "image", "choices": CHOICES, "showCommentArea": True},
        {"type": "ranking", "name": "rank", "choices": CHOICES, "showCommentArea": True},
        {"type": "multipletext", "name": "many", "items": [{"name": "one"}, {"name": "=two"}]},
        {
            "type": "matrixdropdown",
            "name": "grid",
            "rows": ["r"],
            "columns": [{"name": "t", "cellType": "text"}, {"name": "c", "cellType": "comment"}],
        },
        {
            "type": "matrixdynamic",
            "name": "rows",
            "columns": [{"name": "t", "cellType": "text"}, {"name": "c", "cellType": "comment"}],
        },
        {
            "type": "paneldynamic",
            "name": "panels",
            "templateElements": [{"type": "text", "name": "t"}, {"type": "comment", "name": "=c"}],
        },
        {"type": "file", "name": "files", "storeDataAsText": False, "allowMultiple": True, "maxFiles": 50},
    ]
}


def everywhere(text: str) -> dict[str, Any]:
    """An answer that has the text wherever one may write freely."""
    return {
        **{f"text.{kind}": text for kind in ("text", "password", "tel")},
        "=comment": text,
        **{f"{name}": "other" for name in ("radio", "drop")},
        **{f"{name}": ["other"] for name in ("check", "tags")},
        **{f"{name}-Comment": text for name in ("radio", "drop", "check", "tags")},
        "rate": 1,
        "yes": True,
        "image": "a",
        "rank": ["b", "a"],
        **{f"{name}-Comment": text for name in ("rate", "yes", "image", "rank")},
        "many": {"one": text, "=two": text},
        "grid": {"r": {"t": text, "c": text}},
        "rows": [{"t": text, "c": text}, {"c": text}],
        "panels": [{"t": text, "=c": text}],
    }


def free(cast: People) -> str:
    form_id = str(create(cast.alice, definition=FREE)["form_id"])
    assert cast.alice.post(f"/api/v1/forms/{form_id}/publish").status_code == 200
    return form_id


LONG = "=" + 'é"\n' * 4_000
"""In all 21 places it is nearly the largest body."""
TEXTS = [
    *HOSTILE.values(),
    "\x00",
    "a\x00\x08\x0bz",
    "\u202e",
    "\ufffe\uffff",
    "\U0010ffff",
    "-",
    "=\r\n=",
    LONG,
]


def test_they_come_back_from_the_api_and_from_every_format(cast: People) -> None:
    form_id = free(cast)
    path = f"/api/v1/forms/{form_id}"
    for text in TEXTS:
        answer = cast.alice.post(f"{path}/responses", json={"data": everywhere(text)})
        assert (answer.status_code, answer.json().get("data")) == (201, everywhere(text)), repr(text[:30])
    wanted = [everywhere(text) for text in TEXTS]
    assert [row["data"] for row in stored(cast.alice, form_id)] == wanted
    lines = ask(cast.alice, form_id, format="ndjson").content
    assert [json.loads(line)["data"] for line in lines.splitlines()] == wanted
    in_csv, in_parquet = (
        csv_rows(ask(cast.alice, form_id).content),
        parquet_rows(ask(cast.alice, form_id, format="parquet").content),
    )
    in_sheets = sheets(ask(cast.alice, form_id, format="xlsx").content)["responses"]
    columns = ["text%2Etel", "=comment", "radio-Comment", "tags-Comment", "rank-Comment"]
    columns += ["many.one", "many.=two", "grid.r.t", "grid.r.c"]
    for text, as_csv, as_parquet, as_sheet in zip(TEXTS, in_csv, in_parquet, in_sheets, strict=True):
        for name in columns:
            head = f"'{name}" if name.startswith("=") else name
            cell = as_csv[head]
            assert (unescaped(cell), cell[:1] in tuple("=+-@\t\r")) == (text, False), (name, text[:30])
            assert as_parquet[name] == text, (name, text[:30])
            if len(text) < 30_000 and name in as_sheet and text not in ("\x00", "\ufffe\uffff"):
                assert (as_sheet[name] or "") == text, (name, text[:30])
        assert json.loads(as_csv["rows"]) == everywhere(text)["rows"]
        assert json.loads(as_parquet["panels"]) == everywhere(text)["panels"]


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_an_import_undoes_what_an_export_did(cast: People, kind: str) -> None:
    before, after = free(cast), free(cast)
    for text in TEXTS:
        answer = cast.alice.post(f"/api/v1/forms/{before}/responses", json={"data": everywhere(text)})
        assert answer.status_code == 201
    result, report = bring(cast.alice, after, ask(cast.alice, before, format=kind).content, kind)
    assert (result["accepted"], report) == (len(TEXTS), [])
    assert data(cast.alice, after) == data(cast.alice, before)


def test_names_of_files_come_back_as_the_upload_told(cast: People) -> None:
    form_id = free(cast)
    told = []
    for text in TEXTS[:-1]:
        answer = upload(cast.alice, form_id, "files", name=(text.replace('"', "'") or "x") + ".png")
        assert answer.status_code in (201, 400), (answer.status_code, repr(text))
        if answer.status_code == 201:
            told.append({name: answer.json()[name] for name in ("name", "type", "content")})
    for text in TEXTS[:-1]:
        sent = {"question": "files", "name": f"{text}.png"}
        answer = cast.alice.post(
            f"/api/v1/forms/{form_id}/files", params=sent, content=PNG, headers={"content-type": "image/png"}
        )
        assert answer.status_code == 201, repr(text)
        told.append({name: answer.json()[name] for name in ("name", "type", "content")})
    assert len(told) > len(TEXTS)
    given = cast.alice.post(f"/api/v1/forms/{form_id}/responses", json={"data": {"files": told[:50]}})
    assert (given.status_code, given.json().get("data")) == (201, {"files": told[:50]})
    (row,) = csv_rows(ask(cast.alice, form_id).content)
    assert json.loads(unescaped(row["files"])) == told[:50]
    (line,) = ask(cast.alice, form_id, format="ndjson").content.splitlines()
    assert json.loads(line)["data"]["files"] == told[:50]
    for file in told[:50]:
        assert cast.alice.get(file["content"]).content == PNG


@pytest.mark.parametrize("text", ['"\\ud800"', '"a\\udfffb"', '"\\ud83d"'])
def test_half_a_character_is_refused(cast: People, text: str) -> None:
    """JSON can spell it, UTF-8 cannot."""
    form_id = free(cast)
    body = f'{{"data": {{"=comment": {text}}}}}'
    for path in (f"/api/v1/forms/{form_id}/responses", "/api/v1/forms"):
        refused = cast.alice.post(path, content=body, headers={"content-type": "application/json"})
        assert refused.status_code in (400, 422), refused.text
        assert errors(refused)
