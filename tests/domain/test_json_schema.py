"""Whatever is stored fits the schema: random answers, good and bad, on forms of every type."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain.form import compile_definition
from appliance.domain.json_schema import json_schema
from appliance.errors import Invalid
from tests.domain.forms import answer_faults, check_answers, form
from tests.domain.pairs import pairs

Json = dict[str, Any]

FORMS = [found for _, found, _ in pairs()]
ANSWERS = [data for _, _, data in pairs()]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 105) | st.floats(-5, 105) | st.text(max_size=4)
    | st.sampled_from(["red", "c1", "other", "none", "a@b.cc", "2024-05-06", "08:30", "r1", "x", "3", "yes"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["r1", "r2", "a", "b", "who", "age", "q", "v", "value",
    "comment"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def validator(schema: Json) -> Any:
    jsonschema_rs.meta.validate(schema)
    return jsonschema_rs.validator_for(schema)


@pytest.mark.parametrize("definition, data", [(found, data) for _, found, data in pairs()])
def test_stored_answers_fit(definition: Json, data: Json) -> None:
    made = compile_definition(definition)
    schema = validator(json_schema(made))
    try:
        stored = check_answers(made, data)
    except Invalid:
        return
    schema.validate(stored)


@settings(max_examples=600, deadline=None)
@given(number=st.integers(0, len(FORMS) - 1), value=VALUES, comment=st.none() | st.text(max_size=3))
def test_random_answers(number: int, value: Any, comment: str | None) -> None:
    made = compile_definition(FORMS[number])
    name = made.elements.questions[0].key
    data = {**ANSWERS[number], name: value, **({} if comment is None else {name + "-Comment": comment})}
    found = answer_faults(made, data)
    if found:
        assert all(path.startswith("/data") for path, _ in found)
        return
    stored = check_answers(made, data)
    json.dumps(stored, allow_nan=False)
    assert check_answers(made, stored) == stored
    validator(json_schema(made)).validate(stored)


@pytest.mark.parametrize(
    "element, bad",
    [
        ({"type": "text", "name": "q", "isRequired": True}, {}),
        ({"type": "text", "name": "q"}, {"r": 1}),
        ({"type": "text", "name": "q", "inputType": "number", "min": 3}, {"q": 2}),
        ({"type": "text", "name": "q", "inputType": "date"}, {"q": "tomorrow"}),
        ({"type": "text", "name": "q", "maxLength": 2}, {"q": "abc"}),
        ({"type": "text", "name": "q", "validators": [{"type": "regex", "regex": "^[a-z]+$"}]}, {"q": "A"}),
        ({"type": "dropdown", "name": "q", "choices": [1, 2]}, {"q": 3}),
        ({"type": "checkbox", "name": "q", "choices": [1, 2], "minSelectedChoices": 2}, {"q": [1]}),
        ({"type": "checkbox", "name": "q", "choices": [1, 2], "minSelectedChoices": 1}, {}),
        ({"type": "boolean", "name": "q"}, {"q": "true"}),
        ({"type": "rating", "name": "q"}, {"q": 9}),
        ({"type": "matrix", "name": "q", "rows": ["r"], "columns": [1], "eachRowRequired": True}, {"q": {}}),
        ({"type": "multipletext", "name": "q", "items": [{"name": "a", "isRequired": True}]}, {}),
        ({"type": "matrixdynamic", "name": "q", "columns": [{"name": "a", "isRequired": True,
         "choices": [1]}]}, {"q": [{}]}),
        ({"type": "panel", "name": "p", "isRequired": True, "elements": [{"type": "text", "name": "q"}]}, {}),
    ],
)  # fmt: skip
def test_the_schema_says_no_too(element: Json, bad: Json) -> None:
    assert not validator(json_schema(form(element))).is_valid(bad)


def crowd(count: int, **more: Any) -> list[Json]:
    return [{"name": f"{'q' * 80}{number}", **more} for number in range(count)]


ROW_NAMES = [f"{'r' * 40}{number}" for number in range(2000)]
INSIDE = {"type": "text", "isRequired": True, "inputType": "datetime-local"}
NESTED: Json = {"type": "panel", "name": "p", "isRequired": True, "elements": crowd(900, **INSIDE)}
for _level in range(18):
    NESTED = {"type": "panel", "name": f"p{_level}", "isRequired": True, "elements": [NESTED]}
LARGE: dict[str, list[Json]] = {
    "matrices": [
        {"type": "matrixdropdown", "name": "q", "rows": [*ROW_NAMES, {"value": "x", "visibleIf": "{a}"}],
         "choices": list(range(1000)), "columns": crowd(9, isRequired=True)}
    ],
    "many matrices": [{"type": "matrix", "name": f"m{number}", "rows": ROW_NAMES[:200],
                       "columns": list(range(10)), "cellType": "checkbox", "eachRowRequired": True}
                      for number in range(10)],
    "shared choices": [{"type": "matrixdynamic", "name": "q", "choices": ["c" * 700, *range(100)],
                        "columns": crowd(900)}],
    "ranges": [{"type": "dropdown", "name": f"d{n}", "choicesMin": 0.1, "choicesMax": 1e9, "choicesStep": 1.1}
               for n in range(20)],
    "one name": crowd(900, type="text", valueName="v", inputType="datetime-local"),
    "ratings": crowd(900, type="rating", rateMin=0.1, rateMax=100, rateStep=1.1),
    "required panels": [NESTED],
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_the_largest_schemas_stay_small(name: str) -> None:
    schema = json_schema(form(*LARGE[name]))
    assert len(json.dumps(schema)) < 4_000_000
    validator(schema)


def test_rows_that_may_hide_ask_for_nothing() -> None:
    rows = ["sure", {"value": "unsure", "visibleIf": "{a} = 1"}]
    columns = [{"name": "a", "cellType": "text", "isRequired": True}, {"name": "b", "cellType": "text"}]
    made = form({"type": "matrixdropdown", "name": "q", "rows": rows, "columns": columns})
    schema = validator(json_schema(made))
    for answer, good in (
        ({"sure": {"a": "x"}}, True),
        ({"sure": {"a": "x"}, "unsure": {"b": "y"}}, True),
        ({"sure": {"b": "x"}}, False),
        ({"unsure": {"a": "x"}}, False),
        ({"sure": {"a": "x"}, "other": {}}, False),
        ({"sure": {"a": "x", "c": "y"}}, False),
    ):
        assert schema.is_valid({"q": answer}) is good
        assert (answer_faults(made, {"q": answer}) == []) is good


def test_a_required_panel_of_presentation_can_never_be_answered() -> None:
    """To survey-core neither, as long as it shows; the schema has no word for it."""
    panel = {"type": "panel", "name": "p", "isRequired": True, "elements": [{"type": "html", "name": "h"}]}
    made = form({"type": "text", "name": "q"}, panel)
    assert [path for path, _ in answer_faults(made, {})] == ["/data"]
    assert validator(json_schema(made)).is_valid({})


def test_conditional_questions_ask_for_nothing() -> None:
    made = form(
        {
            "type": "text",
            "name": "q",
            "inputType": "number",
            "isRequired": True,
            "min": 3,
            "visibleIf": "{a} = 1",
        }
    )
    assert validator(json_schema(made)).is_valid({})
    assert validator(json_schema(made)).is_valid({"q": 1})


def test_it_names_its_dialect_and_titles() -> None:
    schema = json_schema(
        form({"type": "text", "name": "q", "title": {"default": "Q?", "de": "F?"}}, title="T", locale="de")
    )
    assert schema["$schema"].endswith("2020-12/schema")
    assert (schema["title"], schema["properties"]["q"]["title"]) == ("T", "F?")
