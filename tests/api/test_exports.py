"""Responses as files: what is in them, and that nothing is lost or spoilt on the way."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import httpx
import pytest

from tests.api.exports import HOSTILE, ask, csv_rows, fetch, parquet_rows, sheets, start
from tests.api.forms import create, errors, publish, walk
from tests.people import People

WIDE: dict[str, Any] = {
    "elements": [
        *({"type": "comment", "name": name} for name in HOSTILE),
        {"type": "text", "name": "age", "inputType": "number"},
        {"type": "text", "name": "born", "inputType": "date"},
        {"type": "text", "name": "seen", "inputType": "datetime-local"},
        {"type": "text", "name": "at.time", "inputType": "time"},
        {"type": "boolean", "name": "agree"},
        {"type": "radiogroup", "name": "status", "choices": ["tea", 3], "showOtherItem": True},
        {"type": "checkbox", "name": "likes", "choices": ["tea", "coffee", {"value": "a/b"}, 4]},
        {"type": "rating", "name": "stars"},
        {
            "type": "matrix",
            "name": "view",
            "rows": ["food", "staff"],
            "columns": ["good", "bad"],
        },
        {
            "type": "matrixdropdown",
            "name": "grid",
            "rows": ["r1", "r2"],
            "columns": [{"name": "n", "cellType": "text", "inputType": "number", "totalType": "sum"}],
        },
        {"type": "multipletext", "name": "names", "items": [{"name": "first"}, {"name": "last"}]},
        {
            "type": "paneldynamic",
            "name": "pets",
            "templateElements": [
                {"type": "text", "name": "name"},
                {"type": "checkbox", "name": "eats", "choices": ["meat", "fish"]},
            ],
        },
        {"type": "expression", "name": "double_age", "expression": "{age} * 2"},
    ]
}
ANSWER: dict[str, Any] = {
    **HOSTILE,
    "age": -5.5,
    "born": "1999-12-31",
    "seen": "2024-02-29T12:30",
    "at.time": "08:15",
    "agree": False,
    "status": "other",
    "status-Comment": "=cmd|' /C calc'!A0",
    "likes": ["tea", "a/b", 4],
    "stars": 4,
    "view": {"food": "good"},
    "grid": {"r2": {"n": 7}},
    "names": {"last": "Lovelace"},
    "pets": [{"name": "Rex", "eats": ["meat"]}, {"name": "=Tom"}],
}


def wide(client: httpx.Client, *answers: dict[str, Any], **settings: Any) -> str:
    """A published form of every kind of question, answered so."""
    form_id = str(create(client, definition=WIDE, settings=settings)["form_id"])
    assert client.post(f"/api/v1/forms/{form_id}/publish").status_code == 200
    for data in answers:
        meta = {"language": "nb", "started_at": "2024-01-01T00:00:00Z"}
        answer = client.post(f"/api/v1/forms/{form_id}/responses", json={"data": data, "meta": meta})
        assert answer.status_code == 201, answer.text
    return form_id


def stored(client: httpx.Client, form_id: str) -> list[dict[str, Any]]:
    """The responses, oldest first."""
    return walk(client, f"/api/v1/forms/{form_id}/responses", "responses", limit=200)[::-1]


def test_csv_holds_every_answer_and_starts_no_formula(cast: People) -> None:
    form_id = wide(cast.alice, ANSWER, {"age": 7}, time_zone="Europe/Berlin")
    answer = ask(cast.alice, form_id)
    assert answer.headers["content-type"] == "text/csv; header=present; charset=utf-8"
    assert answer.headers["x-row-count"] == "2"
    first, second = csv_rows(answer.content)
    response = stored(cast.alice, form_id)[0]
    assert first["response_id"] == response["response_id"]
    moment = dt.datetime.fromisoformat(first["created_at"])
    assert moment == dt.datetime.fromisoformat(response["created_at"])
    assert moment.utcoffset() in (dt.timedelta(hours=1), dt.timedelta(hours=2)), "the form's time zone"
    assert (first["form_version"], first["language"], first["extra"]) == ("1", "nb", "")
    for name, text in HOSTILE.items():
        is_escaped = text[0] in "=+-@\t\r" or name in ("quoted", "twice")
        assert first[name] == ("'" if is_escaped else "") + text, name
    assert (first["age"], first["born"], first["agree"], first["stars"]) == (
        "-5.5",
        "1999-12-31",
        "false",
        "4",
    )
    assert (first["status_"], first["status-Comment"]) == ("other", "'" + ANSWER["status-Comment"])
    assert first["likes"] == "tea|a/b|4"
    flags = {name: first[f"likes/{name}"] for name in ("tea", "coffee", "a%2Fb", "4")}
    assert flags == {"tea": "1", "coffee": "0", "a%2Fb": "1", "4": "1"}
    assert (first["view.food"], first["view.staff"], first["names.last"]) == ("good", "", "Lovelace")
    assert (first["grid.r2.n"], first["grid-total.n"], first["double_age"]) == ("7", "7", "-11")
    assert (first["at%2Etime"], first["seen"]) == ("08:15", "2024-02-29T12:30")
    assert json.loads(first["pets"]) == ANSWER["pets"]
    assert (second["likes"], second["likes/tea"], second["double_age"]) == ("", "", "14")
    dangerous = [cell for row in (first, second) for cell in row.values() if cell[:1] in tuple("=+@\t\r")]
    assert dangerous == [] and answer.content.count(b"\r\n") >= 3
    assert ask(cast.alice, form_id, bom="true").content == b"\xef\xbb\xbf" + answer.content


def test_a_repeat_is_a_table_of_its_own(cast: People) -> None:
    form_id = wide(cast.alice, ANSWER, {"age": 7})
    answer = ask(cast.alice, form_id, table="pets")
    assert answer.headers["x-row-count"] == "2", "of responses"
    rows = csv_rows(answer.content)
    assert [(row["row"], row["name"], row["eats"], row["eats/fish"]) for row in rows] == [
        ("1", "Rex", "meat", "0"),
        ("2", "'=Tom", "", ""),
    ]
    assert {row["response_id"] for row in rows} == {stored(cast.alice, form_id)[0]["response_id"]}
    assert [
        row["name"] for row in parquet_rows(ask(cast.alice, form_id, table="pets", format="parquet").content)
    ] == [
        "Rex",
        "=Tom",
    ]
    for wrong in ({"table": "petz"}, {"table": "pets", "format": "xlsx"}):
        refused = ask(cast.alice, form_id, **wrong)
        assert (refused.status_code, list(errors(refused))) == (422, ["/table"])


def test_xlsx_has_types_and_a_sheet_for_each_table(cast: People) -> None:
    form_id = wide(cast.alice, ANSWER, {"age": 7})
    found = sheets(ask(cast.alice, form_id, format="xlsx").content)
    assert list(found) == ["responses", "pets"]
    first, second = found["responses"]
    for name, text in HOSTILE.items():
        assert first[name] == text, name
    assert (first["age"], first["agree"], first["stars"], second["age"]) == (-5.5, False, 4, 7)
    assert first["born"] == dt.datetime(1999, 12, 31)  # noqa: DTZ001 -- as spreadsheets have it
    assert first["seen"] == dt.datetime(2024, 2, 29, 12, 30)  # noqa: DTZ001
    assert first["at%2Etime"] == dt.time(8, 15)
    created = dt.datetime.fromisoformat(stored(cast.alice, form_id)[0]["created_at"]).replace(tzinfo=None)
    assert abs(first["created_at"] - created) < dt.timedelta(milliseconds=2)
    assert (first["likes/tea"], first["likes/coffee"], second["likes/tea"]) == (1, 0, None)
    assert [(row["row"], row["name"]) for row in found["pets"]] == [(1, "Rex"), (2, "=Tom")]


def test_parquet_has_types(cast: People) -> None:
    form_id = wide(cast.alice, ANSWER, {"age": 7})
    first, second = parquet_rows(ask(cast.alice, form_id, format="parquet", time_zone="Asia/Tokyo").content)
    assert {name: first[name] for name in HOSTILE} == HOSTILE
    assert (first["age"], second["age"], first["agree"], first["stars"]) == (-5.5, 7.0, False, 4.0)
    assert (first["born"], first["at%2Etime"]) == (dt.date(1999, 12, 31), dt.time(8, 15))
    assert first["seen"] == dt.datetime(2024, 2, 29, 12, 30)  # noqa: DTZ001 -- without a zone, as answered
    assert first["created_at"] == dt.datetime.fromisoformat(stored(cast.alice, form_id)[0]["created_at"])
    assert first["created_at"].utcoffset() == dt.timedelta(hours=9)
    assert (first["likes"], first["likes/coffee"], second["likes/coffee"]) == ("tea|a/b|4", 0, None)


def test_ndjson_is_the_responses(cast: People) -> None:
    form_id = wide(cast.alice, ANSWER, {"age": 7})
    content = ask(cast.alice, form_id, format="ndjson").content
    assert [json.loads(line) for line in content.splitlines()] == stored(cast.alice, form_id)


def test_columns_are_those_of_all_versions_the_newest_first(cast: People) -> None:
    form_id = wide(cast.alice)
    path = f"/api/v1/forms/{form_id}"
    one = {
        "elements": [{"type": "text", "name": "old"}, {"type": "text", "name": "both", "inputType": "number"}]
    }
    two = {"elements": [{"type": "text", "name": "new"}, {"type": "text", "name": "both"}]}
    sent = [(one, {"old": "x", "both": 5}), (two, {"new": "y", "both": "five"})]
    for definition, data in sent:
        assert cast.alice.patch(path, json={"definition": definition}).status_code == 200
        assert cast.alice.post(f"{path}/publish").status_code == 200
        assert cast.alice.post(f"{path}/responses", json={"data": data}).status_code == 201
    rows = csv_rows(ask(cast.alice, form_id).content)
    names = list(rows[0])
    assert names.index("new") < names.index("both") < names.index("formula") and "old" in names
    assert [(row["old"], row["both"], row["new"]) for row in rows] == [("x", "5", ""), ("", "five", "y")]
    typed = sheets(ask(cast.alice, form_id, format="xlsx").content)["responses"]
    assert [row["both"] for row in typed] == [5, "five"]


def test_what_no_column_holds_is_extra(cast: People) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "n": {"type": "number"}, "x": {"type": "integer"}},
    }
    body = {"title": "Loose", "schema": schema}
    form_id = cast.alice.post("/api/v1/forms", json=body).json()["form_id"]
    cast.alice.post(f"/api/v1/forms/{form_id}/publish").raise_for_status()
    data = {"a": "", "n": 1.5, "x": 2**60, "more": {"deep": [None]}, "nothing": None}
    cast.alice.post(f"/api/v1/forms/{form_id}/responses", json={"data": data}).raise_for_status()
    (row,) = csv_rows(ask(cast.alice, form_id).content)
    assert (row["a"], row["n"], row["x"]) == ("", "1.5", "")
    assert json.loads(row["extra"]) == {name: value for name, value in data.items() if name != "n"}


def test_it_is_narrowed_as_lists_are(cast: People) -> None:
    form_id = wide(cast.alice, *({"age": number, "stars": 1 + number % 2} for number in range(6)))
    rows = stored(cast.alice, form_id)
    path = f"/api/v1/forms/{form_id}/responses"
    cast.alice.delete(f"{path}/{rows[0]['response_id']}").raise_for_status()
    cast.alice.patch(f"{path}/{rows[1]['response_id']}", json={"status": "flagged"}).raise_for_status()

    def ages(**asked: str) -> list[str]:
        return [row["age"] for row in csv_rows(ask(cast.alice, form_id, **asked).content)]

    assert ages() == ["1", "2", "3", "4", "5"]
    assert ages(status="deleted") == ["0"] and ages(status="flagged") == ["1"]
    assert ages(**{"filter.stars": "1"}) == ["2", "4"]
    assert ages(**{"filter.stars": "1", "filter.age": "4"}) == ["4"]
    assert ages(**{"from": rows[2]["created_at"], "to": rows[3]["created_at"]}) == ["2", "3"]
    assert ages(status="accepted", **{"filter.stars": "2"}) == ["3", "5"]
    made = fetch(
        cast.alice, start(cast.alice, form_id, filter={"stars": "1"}, **{"from": rows[3]["created_at"]})
    )
    assert [row["age"] for row in csv_rows(made.content)] == ["4"]
    for wrong in ({"time_zone": "Mars/Base"}, {"bom": "true", "format": "ndjson"}, {"filter.nobody": "1"}):
        assert ask(cast.alice, form_id, **wrong).status_code == 422
    assert ask(cast.alice, form_id, **{"from": "yesterday"}).status_code == 400


@pytest.mark.parametrize("format", ["csv", "xlsx", "ndjson", "parquet"])
def test_a_form_without_answers_has_a_file_too(cast: People, format: str) -> None:
    answer = ask(cast.alice, publish(cast.alice), format=format)
    assert (answer.status_code, answer.headers["x-row-count"]) == (200, "0")
    if format == "parquet":
        assert parquet_rows(answer.content) == []
    if format == "xlsx":
        assert sheets(answer.content) == {"responses": []}


def test_an_empty_draft_has_a_file_too(cast: People) -> None:
    assert ask(cast.alice, create(cast.alice)["form_id"]).status_code == 200
