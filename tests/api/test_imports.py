"""Importing forms through the API: what comes back, what is stored, and what a hostile file gets."""

from __future__ import annotations

import io
import json
import struct
import time
import zipfile
from collections.abc import Sequence
from typing import Any

import httpx
import openpyxl
import pytest
import xlsxwriter

from appliance.services import imports
from tests.api.forms import errors, walk
from tests.people import People
from tests.running import unique

PATH = "/api/v1/forms/import"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SURVEY: list[list[str | None]] = [
    ["type", "name", "label", "required", "relevant", "constraint", "constraint_message"],
    ["text", "name", "Your name?", "yes"],
    ["integer", "age", "Your age?", "yes", None, ". >= 0 and . < 150", "not an age"],
    ["select_one yesno", "works", "Do you work?", "yes", "${age} >= 16"],
    ["geopoint", "where", "Where?"],
]
CHOICES = [["list_name", "name", "label"], ["yesno", "yes", "Yes"], ["yesno", "no", "No"]]
SCHEMA = {
    "title": "Person",
    "properties": {"name": {"type": "string", "maxLength": 5}, "odd": {"not": {}, "type": "string"}},
    "required": ["name"],
}


def xlsx(**sheets: Sequence[Sequence[Any]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def send(
    client: httpx.Client, body: bytes, source: str = "xlsform", kind: str = XLSX, **more: Any
) -> httpx.Response:
    headers = {"content-type": kind, **more.pop("headers", {})}
    return client.post(PATH, params={"from": source, **more}, content=body, headers=headers)


def warned(answer: httpx.Response) -> dict[str, str]:
    return {one["path"]: one["message"] for one in answer.json()["warnings"]}


def test_an_xlsx_becomes_a_form_that_can_be_answered(cast: People) -> None:
    file = xlsx(survey=SURVEY, choices=CHOICES, settings=[["form_title"], ["Work"]])
    made = send(cast.alice, file)
    assert made.status_code == 201, made.text
    form = made.json()
    assert (form["title"], form["status"]) == ("Work", "draft")
    assert warned(made) == {"/survey/5/type": "'geopoint' is left out: positions are not recorded"}
    path = f"/api/v1/forms/{form['form_id']}"
    assert made.headers["location"] == path
    kept = cast.alice.get(path).json()
    assert kept["definition"] == form["definition"]
    assert cast.alice.post(f"{path}/publish").status_code == 200

    def judge(**data: Any) -> dict[str, str]:
        return errors(cast.alice.post(f"{path}/responses", json={"data": data}))

    assert judge(name="Ada", age=36, works="yes") == {}
    assert judge(name="Bo", age=9) == {}
    assert list(judge(age=36, works="maybe", name="Cy")) == ["/data/works"]
    assert list(judge(age=36)) == ["/data/name", "/data/works"]
    assert judge(name="Di", age=151, works="no") == {"/data/age": "not an age"}


def test_a_csv_and_a_part_of_a_form_do_as_well(cast: People) -> None:
    rows = [["survey", *(cell or "" for cell in row)] for row in SURVEY]
    rows += [["choices", *row] for row in CHOICES]
    stacked = "\n".join(
        ",".join(["" if n and row[0] == rows[n - 1][0] else row[0], *row[1:]]) for n, row in enumerate(rows)
    )
    by_csv = send(cast.alice, stacked.encode(), kind="text/csv", title="By csv")
    by_part = cast.alice.post(
        PATH,
        params={"from": "xlsform"},
        files={"file": ("form.xlsx", xlsx(survey=SURVEY, choices=CHOICES), XLSX)},
    )
    for answer in (by_csv, by_part):
        assert answer.status_code == 201, answer.text
        assert len(answer.json()["definition"]["elements"]) == 3
    assert by_csv.json()["title"] == "By csv"
    assert by_part.json()["title"] == imports.UNTITLED
    assert {**by_part.json()["definition"], "title": "By csv"} == by_csv.json()["definition"]


def test_a_json_schema_becomes_questions(cast: People) -> None:
    made = send(cast.alice, json.dumps(SCHEMA).encode(), "jsonschema", "application/json")
    assert made.status_code == 201, made.text
    assert made.json()["title"] == "Person" and "schema" not in made.json()
    assert [one["name"] for one in made.json()["definition"]["elements"]] == ["name", "odd"]
    assert warned(made) == {"/properties/odd/not": "`not` is not carried over"}


def test_a_dry_run_stores_nothing(cast: People) -> None:
    title = unique("dry")
    before = len(walk(cast.alice, "/api/v1/forms", "forms", q=title))
    answer = send(
        cast.alice, json.dumps(SCHEMA).encode(), "jsonschema", "application/json", dry_run="true", title=title
    )
    assert answer.status_code == 200
    assert set(answer.json()) == {"title", "definition", "warnings"}
    assert answer.json()["title"] == answer.json()["definition"]["title"] == title
    assert len(walk(cast.alice, "/api/v1/forms", "forms", q=title)) == before == 0


def test_a_repeated_import_is_done_once(cast: People) -> None:
    title, key = unique("once"), {"idempotency-key": unique("key")}
    file = xlsx(survey=SURVEY, choices=CHOICES)
    first = send(cast.alice, file, title=title, headers=key)
    again = send(cast.alice, file, title=title, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json() and again.json()["warnings"]
    assert again.headers["idempotency-replayed"] == "true"
    assert len(walk(cast.alice, "/api/v1/forms", "forms", q=title)) == 1
    assert send(cast.alice, file + b" ", title=title, headers=key).status_code == 422
    assert send(cast.charlie, file, title=title, headers=key).json()["form_id"] != first.json()["form_id"]


def test_who_may(cast: People) -> None:
    file = xlsx(survey=SURVEY, choices=CHOICES)
    assert send(cast.bob, file).status_code == 403
    assert send(cast.bob, file, dry_run="true").status_code == 403
    assert send(cast.nobody, file).status_code == 401
    assert send(cast.charlie, file).status_code == 201


@pytest.mark.parametrize(
    "parameters, kind, status",
    [
        ({"from": "formio"}, XLSX, 400),
        ({}, XLSX, 400),
        ({"from": "xlsform", "dryrun": "true"}, XLSX, 400),
        ({"from": "xlsform", "title": ""}, XLSX, 400),
        ({"from": "xlsform"}, "application/pdf", 415),
        ({"from": "xlsform"}, "multipart/form-data; boundary=x", 400),
    ],
)
def test_requests_that_are_none(cast: People, parameters: dict[str, str], kind: str, status: int) -> None:
    answer = cast.alice.post(PATH, params=parameters, content=b"x", headers={"content-type": kind})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


# -- hostile files


def packed(**parts: bytes) -> bytes:
    """A ZIP archive; names with `__` for `/`."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/"), content)
    return kept.getvalue()


def replaced(file: bytes, name: str, content: bytes) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(file)) as old, zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            new.writestr(member, content if member == name else old.read(member))
    return kept.getvalue()


def by_excel() -> bytes:
    """With its texts in a part of their own."""
    kept = io.BytesIO()
    with xlsxwriter.Workbook(kept) as book:
        sheet = book.add_worksheet("survey")
        for place, row in enumerate(SURVEY):
            sheet.write_row(place, 0, row)
    return kept.getvalue()


GOOD = xlsx(survey=SURVEY, choices=CHOICES)
SHEET = "xl/worksheets/sheet1.xml"
NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1 if n > 1 else str()};" * 10}">' for n in range(1, 12))
    + f']><worksheet xmlns="{NAMESPACE}"><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>&a11;</t></is>'
    "</c></row></sheetData></worksheet>"
).encode()
OUTSIDE = LAUGHS.replace(b'<!ENTITY a "ha">', b'<!ENTITY a SYSTEM "file:///etc/passwd">')


def _rows(count: int) -> bytes:
    cells = "".join(
        f'<row r="{n}"><c r="A{n}" t="inlineStr"><is><t>note</t></is></c></row>' for n in range(2, count + 2)
    )
    head = '<row r="1"><c r="A1" t="inlineStr"><is><t>type</t></is></c></row>'
    return f'<worksheet xmlns="{NAMESPACE}"><sheetData>{head}{cells}</sheetData></worksheet>'.encode()


def _lying() -> bytes:
    """An archive whose directory says that a part of 60 MB has 100 bytes."""
    file = bytearray(replaced(GOOD, SHEET, b" " * 60_000_000))
    size = struct.pack("<I", 60_000_000)
    while (place := file.find(size)) >= 0:
        file[place : place + 4] = struct.pack("<I", 100)
    return bytes(file)


FILES: dict[str, bytes] = {
    "nothing": b"",
    "not a zip": b"PK\x03\x04 and nothing more",
    "truncated": GOOD[: len(GOOD) // 2],
    "another zip": packed(**{"a.txt": b"x"}),
    "an old xls": b"\xd0\xcf\x11\xe0" + b"\0" * 2000,
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "words": b"hello, world",
    "a zip bomb": packed(**{f"xl__worksheets__s{n}.xml": b"\0" * 20_000_000 for n in range(5)}),
    "100 MB of XML": replaced(GOOD, SHEET, b"<a>" * 34_000_000),
    "20 MB of nested XML": replaced(GOOD, SHEET, b"<a>" * 6_000_000),
    "a lying directory": _lying(),
    "thousands of parts": packed(**{f"p{n}": b"" for n in range(2_000)}),
    "billion laughs": replaced(GOOD, SHEET, LAUGHS),
    "billion laughs in the book": replaced(GOOD, "xl/workbook.xml", LAUGHS),
    "billion laughs in texts": replaced(by_excel(), "xl/sharedStrings.xml", LAUGHS),
    "billion laughs in styles": replaced(GOOD, "xl/styles.xml", LAUGHS),
    "a file from outside": replaced(GOOD, SHEET, OUTSIDE),
    "a million rows": replaced(GOOD, SHEET, _rows(600_000)),
    "too many rows": xlsx(survey=[["type", "name"], *[["note", "a"]] * 20_001]),
    "too many columns": xlsx(survey=[[f"c{n}" for n in range(400)], ["x"]]),
    "no survey": xlsx(survey=[["type", "name"]], choices=CHOICES),
    "no type": xlsx(survey=[["name", "label"], ["a", "b"]]),
    "no end": xlsx(survey=[["type", "name"], ["begin_group", "g"], ["text", "a"]]),
    "no begin": xlsx(survey=[["type", "name"], ["text", "a"], ["end_repeat"]]),
    "no questions": xlsx(survey=[["type", "name"], ["geopoint", "g"]]),
    "deep groups": xlsx(
        survey=[["type", "name"], *[["begin_group", f"g{n}"] for n in range(5_000)], *[["end_group"]] * 5_000]
    ),
    "too many questions": xlsx(survey=[["type", "name"], *[["text", f"q{n}"] for n in range(1_500)]]),
}


HEAVY = {"20 MB of nested XML", "a million rows"}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_with_a_reason(cast: People, name: str) -> None:
    title = unique("hostile")
    started = time.monotonic()
    answer = send(cast.alice, FILES[name], title=title)
    assert time.monotonic() - started < imports.READ_SECONDS + 2
    if answer.status_code == 503 and name in HEAVY:
        return  # the machine was too busy to give them all the CPU that they may have
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["message"]
    assert b"root:" not in answer.content
    assert walk(cast.alice, "/api/v1/forms", "forms", q=title) == []


def test_a_file_that_is_too_large(cast: People) -> None:
    answer = send(cast.alice, b"x" * (imports.LARGEST + 1))
    assert answer.status_code == 413
    answer = send(cast.alice, b"x" * (20 * 1024 * 1024))
    assert answer.status_code == 413


def test_ten_thousand_choices(cast: People) -> None:
    """More than a question may have: it is left out, the others are there."""
    choices = [["list_name", "name", "label"], *[["big", f"c{n}", f"Choice {n}"] for n in range(10_000)]]
    survey = [["type", "name", "label"], ["select_one big", "many", "Many"], ["text", "other", "Other"]]
    answer = send(cast.alice, xlsx(survey=survey, choices=choices))
    assert answer.status_code == 201, answer.text
    assert [one["name"] for one in answer.json()["definition"]["elements"]] == ["other"]
    assert warned(answer)["/survey/2/type"].startswith("'many' is left out: 10000 choices")


def test_formulas(cast: People) -> None:
    """Their stored value counts; openpyxl stores none, Excel does."""
    survey = [["type", "name", "label"], ["text", "a", '=CONCATENATE("x","y")'], ["text", "b", "B"]]
    answer = send(cast.alice, xlsx(survey=survey))
    assert answer.status_code == 201, answer.text
    assert "has no stored value" in warned(answer)["/survey/2/label"]
    assert "title" not in answer.json()["definition"]["elements"][0]


def _deep() -> dict[str, Any]:
    found: dict[str, Any] = {"type": "string"}
    for _ in range(60):
        found = {"type": "object", "properties": {"a": found}}
    return found


def _fan() -> dict[str, Any]:
    """2^20 properties by references."""
    two = {f"s{n}": {"properties": {x: {"$ref": f"#/$defs/s{n + 1}"} for x in "ab"}} for n in range(20)}
    return {"$ref": "#/$defs/s0", "$defs": {**two, "s20": {"type": "string"}}}


SCHEMAS: dict[str, object] = {
    "a list": [],
    "no object": {"type": "string"},
    "empty": {},
    "only itself": {"$ref": "#"},
    "round": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    "from outside": {"$ref": "http://127.0.0.1:9/x"},
    "deeper than may be": _deep(),
    "nothing that can be asked": {"properties": {"a": {"type": "null"}, "b": False}},
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_of_nothing_is_refused(cast: People, name: str) -> None:
    answer = send(cast.alice, json.dumps(SCHEMAS[name]).encode(), "jsonschema", "application/json")
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b'{"a": "\xff"}', b'{"properties": {"\\ud800": {}}}']
)
def test_what_is_no_json_is_refused(cast: People, body: bytes) -> None:
    answer = send(cast.alice, body, "jsonschema", "application/json")
    assert answer.status_code == 422, answer.text


def test_schemas_that_lead_back_or_fan_out(cast: People) -> None:
    node = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "child": {"$ref": "#/$defs/node"}},
    }
    body = json.dumps({"$ref": "#/$defs/node", "$defs": {"node": node}}).encode()
    answer = send(cast.alice, body, "jsonschema", "application/json")
    assert answer.status_code == 201, answer.text
    assert [one["name"] for one in answer.json()["definition"]["elements"]] == ["name"]
    assert "leads back to itself" in warned(answer)["/$defs/node/properties/child/$ref"]
    started = time.monotonic()
    wide = send(cast.alice, json.dumps(_fan()).encode(), "jsonschema", "application/json")
    assert wide.status_code in (201, 422)
    assert time.monotonic() - started < imports.READ_SECONDS + 2
