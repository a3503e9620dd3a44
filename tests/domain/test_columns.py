"""The flat column map: names, kinds, and that answers survive the way there and back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain.columns import MOST, Column, ColumnMap, union
from appliance.domain.element import VOICELESS
from appliance.domain.flatten import Flattener, rebuild
from appliance.domain.form import compile_definition
from appliance.domain.json_schema import _SCHEMAS
from appliance.domain.schema_columns import schema_columns
from appliance.domain.scope_build import COMPUTED
from appliance.domain.survey_columns import _OF_KIND, survey_columns
from appliance.domain.values import js_text
from appliance.errors import Invalid
from tests.domain import pairs
from tests.domain.forms import Json, check_answers, form

_STRING = {"type": "string"}


def kinds(columns: ColumnMap) -> dict[str, str]:
    return {column.name: column.kind for column in columns.main.columns}


def there_and_back(columns: ColumnMap, *rows: Json) -> list[Json]:
    """Through cells of text, as CSV has them."""
    flat = Flattener(columns.main).take(list(rows))
    assert all(len(cells) == len(rows) for cells in flat.columns)
    found = []
    for place, extra in enumerate(flat.extra):
        cells = [_text(cells[place]) for cells in flat.columns]
        found.append(rebuild(zip(columns.main.columns, cells, strict=True), extra))
    return found


def _text(cell: Any) -> str:
    if isinstance(cell, float):
        return repr(cell)
    return "" if cell is None else js_text(cell)


def same(one: Any, other: Any) -> bool:
    """Equal as JSON, whatever the order of names: to Python, true is 1 and 1 is 1.0."""
    return msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")


def test_every_kind_of_question_has_columns() -> None:
    assert _OF_KIND.keys() == _SCHEMAS.keys() | COMPUTED
    assert not _OF_KIND.keys() & VOICELESS


def test_answers_of_every_kind_come_back_from_their_columns() -> None:
    told = 0
    for name, definition, data in pairs.pairs():
        made = compile_definition(definition)
        try:
            stored = check_answers(made, data)
        except Invalid:
            continue
        columns = survey_columns(made)
        flat = Flattener(columns.main).take([stored])
        assert flat.extra == [None], (name, stored)
        assert same(there_and_back(columns, stored), [stored]), (name, stored)
        told += bool(stored)
    assert told > 150


def test_names_tell_the_path_and_one_only() -> None:
    made = form(
        {"type": "checkbox", "name": "a.b", "choices": ["x/y", "50%"]},
        {"type": "multipletext", "name": "a", "items": [{"name": "b"}, {"name": "b.c"}]},
        {"type": "text", "name": "status"},
        {"type": "text", "name": "status_"},
        {"type": "text", "name": "extra", "inputType": "date"},
        {"type": "matrix", "name": "m", "rows": ["r.1"], "columns": ["c"]},
    )
    assert kinds(survey_columns(made)) == {
        "a%2Eb": "choices",
        "a%2Eb/x%2Fy": "flag",
        "a%2Eb/50%25": "flag",
        "a.b": "text",
        "a.b%2Ec": "text",
        "status_": "text",
        "status__": "text",
        "extra_": "date",
        "m.r%2E1": "choice",
    }


@given(st.lists(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=3), max_size=30))
def test_no_two_paths_have_one_name(paths: list[list[str]]) -> None:
    different = {tuple(path) for path in paths}
    assert len({Column(path, "text").name for path in different}) == len(different)


def test_versions_are_joined_the_newest_first() -> None:
    old = survey_columns(
        form(
            {"type": "text", "name": "first"},
            {"type": "text", "name": "both", "inputType": "number"},
            {"type": "radiogroup", "name": "dish", "choices": ["soup", "tea"]},
            {"type": "checkbox", "name": "likes", "choices": ["tea", "milk"]},
            {"type": "text", "name": "many"},
            {"type": "text", "name": "when", "inputType": "date"},
        )
    )
    new = survey_columns(
        form(
            {"type": "checkbox", "name": "likes", "choices": ["beer", "tea"]},
            {"type": "text", "name": "both"},
            {"type": "radiogroup", "name": "dish", "choices": ["cake"]},
            {"type": "checkbox", "name": "many", "choices": ["x"]},
            {"type": "comment", "name": "when"},
        )
    )
    found = union([new, old])
    assert kinds(found) == {
        "likes": "choices",
        "likes/beer": "flag",
        "likes/tea": "flag",
        "likes/milk": "flag",
        "both": "choice",
        "dish": "choice",
        "many": "json",
        "when": "text",
        "first": "text",
    }
    assert list(kinds(found)) == [
        "likes", "likes/beer", "likes/tea", "likes/milk", "both", "dish", "many", "when", "first",
    ]  # fmt: skip
    rows: list[Json] = [
        {"both": 5, "many": "a", "likes": ["milk"]},
        {"both": "5", "many": ["x"], "dish": "soup"},
    ]
    assert same(there_and_back(found, *rows), rows)


def test_a_question_that_became_a_group_keeps_both() -> None:
    old = survey_columns(form({"type": "text", "name": "name"}))
    new = survey_columns(form({"type": "multipletext", "name": "name", "items": [{"name": "first"}]}))
    rows: list[Json] = [{"name": "Ada"}, {"name": {"first": "Ada"}}, {"name": {"last": "L"}}, {"name": {}}]
    assert there_and_back(union([new, old]), *rows) == rows
    flat = Flattener(union([new, old]).main).take(rows)
    assert flat.columns == [[None, "Ada", None, None], ["Ada", None, None, None]]
    assert flat.extra == [None, None, {"name": {"last": "L"}}, {"name": {}}]


def test_what_would_be_too_many_columns_is_left_to_extra() -> None:
    flagged = [{"type": "checkbox", "name": f"q{n}", "choices": list(range(1, 100))} for n in range(60)]
    columns = survey_columns(form(*flagged)).main.columns
    assert {column.kind for column in columns} == {"choices"}
    many = union(
        [survey_columns(form(*({"type": "text", "name": f"v{v}q{n}"} for n in range(999)))) for v in range(5)]
    )
    assert len(many.main.columns) == MOST
    row = {"v0q1": "new", "v4q998": "old"}
    assert there_and_back(many, row) == [row]


def test_columns_of_a_json_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "born": {"type": "string", "format": "date"},
            "seen": {"type": "string", "format": "date-time"},
            "age": {"type": "integer"},
            "dish": {"enum": ["soup", "cake"]},
            "likes": {"type": "array", "items": {"enum": ["tea", "milk"]}},
            "home": {"$ref": "#/$defs/address"},
            "pets": {
                "type": "array",
                "items": {"type": "object", "properties": {"name": {"type": "string"}}},
            },
            "loop": {"$ref": "#/$defs/loop"},
            "any": True,
            "union": {"type": ["string", "number"]},
        },
        "$defs": {
            "address": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "geo": {"type": "object"}},
            },
            "loop": {"$ref": "#/$defs/loop"},
        },
    }
    columns = schema_columns(schema)
    assert kinds(columns) == {
        "name": "text", "born": "date", "seen": "moment", "age": "number", "dish": "choice",
        "likes": "choices", "likes/tea": "flag", "likes/milk": "flag", "home.city": "text",
        "home.geo": "json", "pets": "json", "loop": "json", "any": "json", "union": "json",
    }  # fmt: skip
    assert [(one.name, [column.name for column in one.columns]) for one in columns.repeats] == [
        ("pets", ["name"])
    ]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        ["", "5", "5.0", "-0", "true", "null", '"', "[", "{}", "a|b", "|", "1e5", "2024-02-30", "soup"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda below: st.one_of(
        st.lists(below, max_size=3),
        st.dictionaries(st.sampled_from(["first", "r", "c", "x", ""]), below, max_size=3),
    ),
    max_leaves=5,
)
EVERY = survey_columns(
    form(
        {"type": "comment", "name": "text"},
        {"type": "text", "name": "number", "inputType": "number"},
        {"type": "text", "name": "date", "inputType": "date"},
        {"type": "text", "name": "time", "inputType": "time"},
        {"type": "text", "name": "moment", "inputType": "datetime-local"},
        {"type": "boolean", "name": "boolean"},
        {"type": "radiogroup", "name": "choice", "choices": ["soup", 5, "true"], "showOtherItem": True},
        {"type": "checkbox", "name": "choices", "choices": ["soup", 5]},
        {"type": "tagbox", "name": "wrapped", "choices": ["soup"], "valuePropertyName": "x"},
        {"type": "expression", "name": "computed", "expression": "1"},
        {"type": "multipletext", "name": "group", "items": [{"name": "first"}]},
        {
            "type": "matrixdropdown",
            "name": "grid",
            "rows": ["r"],
            "columns": [{"name": "c", "cellType": "text"}],
        },
        {"type": "file", "name": "json"},
    )
)
NAMES = [
    "text", "number", "date", "time", "moment", "boolean", "choice", "choices", "wrapped", "computed",
    "group", "grid", "json", "other",
]  # fmt: skip


@settings(max_examples=400)
@given(st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6), min_size=1, max_size=4))
def test_whatever_is_answered_comes_back(rows: list[Json]) -> None:
    """Also what no form would take: versions differ, and schemas let much pass."""
    assert same(there_and_back(EVERY, *rows), rows)


@pytest.mark.parametrize("cell", ["old", "1_0", "inf", "nan", ""])
def test_a_cell_that_is_no_number_is_refused(cell: str) -> None:
    column = Column(("age",), "number")
    if not cell:
        assert rebuild([(column, cell)], None) == {}
        return
    with pytest.raises(ValueError, match="age: a number is needed"):
        rebuild([(column, cell)], None)
