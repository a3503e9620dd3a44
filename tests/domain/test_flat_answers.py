from __future__ import annotations

from typing import Any

import pytest

from appliance.domain.flat_answers import answers
from appliance.domain.rules import survey_rules

FORM = survey_rules(
    {
        "elements": [
            {"type": "text", "name": "name"},
            {"type": "text", "name": "age", "inputType": "number"},
            {"type": "checkbox", "name": "likes", "choices": ["tea", 2]},
            {"type": "boolean", "name": "again"},
            {"type": "boolean", "name": "fit", "valueTrue": "Y", "valueFalse": "N"},
            {"type": "boolean", "name": "turned", "valueTrue": "0", "valueFalse": "1"},
            {"type": "boolean", "name": "half", "valueTrue": "Y"},
            {"type": "boolean", "name": "count", "valueTrue": 1, "valueFalse": 0},
            {"type": "dropdown", "name": "pair", "choices": ["Y", "N"]},
            {"type": "rating", "name": "stars"},
            {"type": "dropdown", "name": "city", "choices": [1, "Oslo"]},
            {"type": "multipletext", "name": "home", "items": [{"name": "town"}]},
            {"type": "matrix", "name": "grid", "rows": ["r"], "columns": [1, 2]},
            {"type": "text", "name": "odd[name]"},
        ]
    }
).schema()


@pytest.mark.parametrize(
    "pairs, data",
    [
        ([("name", "Ada"), ("age", "36")], {"name": "Ada", "age": 36}),
        ([("age", "1.5")], {"age": 1.5}),
        ([("age", "-3")], {"age": -3}),
        ([("age", "old")], {"age": "old"}),
        ([("age", "nan")], {"age": "nan"}),
        ([("age", "1e999")], {"age": "1e999"}),
        ([("age", "٣")], {"age": 3.0}),
        ([("likes", "tea")], {"likes": ["tea"]}),
        ([("likes", "tea"), ("likes", "2")], {"likes": ["tea", 2]}),
        ([("likes[]", "tea"), ("likes[]", "2")], {"likes": ["tea", 2]}),
        ([("again", "on")], {"again": True}),
        ([("again", "false")], {"again": False}),
        ([("again", "perhaps")], {"again": "perhaps"}),
        ([("fit", "Y")], {"fit": "Y"}),
        ([("fit", "on")], {"fit": "Y"}),
        ([("fit", "TRUE")], {"fit": "Y"}),
        ([("fit", "0")], {"fit": "N"}),
        ([("fit", "maybe")], {"fit": "maybe"}),
        ([("turned", "1"), ("half", "off"), ("count", "yes")], {"turned": "1", "half": False, "count": 1}),
        ([("turned", "no"), ("half", "yes"), ("count", "0")], {"turned": "1", "half": "Y", "count": 0}),
        ([("pair", "on")], {"pair": "on"}),
        ([("stars", "3")], {"stars": 3}),
        ([("city", "1"), ("name", "1")], {"city": 1, "name": "1"}),
        ([("city", "Rome")], {"city": "Rome"}),
        ([("home[town]", "Oslo"), ("grid[r]", "2")], {"home": {"town": "Oslo"}, "grid": {"r": 2}}),
        ([("odd[name]", "x")], {"odd[name]": "x"}),
        ([("name", "a"), ("name", "b")], {"name": ["a", "b"]}),
        ([("name", ""), ("likes", "")], {}),
        ([("$pin", "4711"), ("$whatever", "x")], {}),
        ([("nobody", "x"), ("no[body]", "y")], {"nobody": "x", "no": {"body": "y"}}),
        ([("name", "x"), ("name[inner]", "y")], {"name": "x"}),
        ([("", "x"), ("[x]", "y")], {"": "x", "[x]": "y"}),
    ],
)
def test_texts_get_the_types_that_the_form_asks_for(
    pairs: list[tuple[str, str]], data: dict[str, Any]
) -> None:
    found = answers(FORM, pairs)
    assert found == data
    assert [type(value) for value in found.values()] == [type(value) for value in data.values()]


def test_a_form_by_schema_is_answered_by_its_own_types() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "yes": {"type": "boolean"}, "any": True},
    }
    assert answers(schema, [("n", "4"), ("yes", "on"), ("any", "x")]) == {"n": 4, "yes": True, "any": "x"}
