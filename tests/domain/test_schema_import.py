"""JSON Schemas become questions; jsonschema-rs, which judges by the schema itself, is the oracle."""

from __future__ import annotations

import datetime as dt
from typing import Any

import jsonschema_rs
import pytest

from appliance.domain.imported import Imported
from appliance.domain.rules import survey_rules
from appliance.domain.schema_import import MAX_PARTS, convert
from appliance.errors import Invalid
from tests.domain.xlsforms import element, warnings

Json = dict[str, Any]
NOW = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)


def accepts(made: Imported, data: Json) -> bool:
    try:
        survey_rules(made.definition).check(data, NOW)
    except Invalid:
        return False
    return True


def of(**properties: Json) -> Json:
    return {"type": "object", "properties": properties}


PEOPLE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
}
SCHEMAS: list[tuple[Json, list[Json]]] = [
    (of(a={"type": "string", "minLength": 2, "maxLength": 4}), [{"a": "x"}, {"a": "xy"}, {"a": "xyzab"}, {}]),
    (of(a={"type": "string", "pattern": "^[a-z]+$"}), [{"a": "x"}, {"a": "X"}]),
    (of(a={"pattern": "b"}), [{"a": "abc"}, {"a": "ac"}]),
    (
        of(a={"type": "integer", "minimum": 1, "maximum": 5}),
        [{"a": 0}, {"a": 1}, {"a": 5}, {"a": 6}, {"a": 1.5}],
    ),
    (of(a={"type": "number", "exclusiveMinimum": 0}), [{"a": 0}, {"a": 0.5}, {"a": -1}, {}]),
    (of(a={"type": "integer", "exclusiveMaximum": 9, "multipleOf": 3}), [{"a": 9}, {"a": 6}, {"a": 4}]),
    (of(a={"enum": ["x", "y"]}), [{"a": "x"}, {"a": "z"}]),
    (of(a={"enum": [1, 2, None]}), [{"a": 1}, {"a": 3}]),
    (of(a={"const": "x"}), [{"a": "x"}, {"a": "z"}]),
    (of(a={"oneOf": [{"const": 1, "title": "One"}, {"const": 2, "title": "Two"}]}), [{"a": 1}, {"a": 3}]),
    (of(a={"type": "boolean"}), [{"a": True}, {"a": False}, {"a": "yes"}]),
    (of(a={"type": "string", "format": "email"}), [{"a": "a@example.org"}, {"a": "a"}]),
    (of(a={"type": "string", "format": "date"}), [{"a": "2026-02-28"}, {"a": "2026-02-30"}]),
    (of(a={"type": ["string", "null"]}), [{"a": "x"}, {"a": None}, {"a": 5}]),
    (
        of(a={"type": "array", "items": {"enum": ["x", "y", "z"]}, "uniqueItems": True, "maxItems": 2}),
        [{"a": ["x"]}, {"a": ["x", "q"]}, {"a": ["x", "y", "z"]}, {"a": ["x", "x"]}],
    ),
    (
        of(a={"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
        [{"a": ["p", "q"]}, {"a": "p"}],
    ),
    (
        of(a={"type": "array", "items": PEOPLE, "minItems": 1, "maxItems": 2}),
        [
            {"a": [{"name": "Ada", "age": 5}]},
            {"a": [{"age": 5}]},
            {"a": [{"name": "Ada", "age": -5}]},
            {"a": [{"name": "Ada"}] * 3},
        ],
    ),
    ({**of(a={"type": "string"}, b={"type": "integer"}), "required": ["a"]}, [{"a": "x"}, {"b": 1}, {}]),
    (
        {**of(a={"type": "string"}, b={"type": "string"}), "dependentRequired": {"a": ["b"]}},
        [{"a": "x"}, {"a": "x", "b": "y"}, {"b": "y"}, {}],
    ),
    (
        {"$ref": "#/$defs/p", "$defs": {"p": {**PEOPLE, "required": ["age"]}}},
        [{"name": "x", "age": 5}, {"name": "x"}],
    ),
    (
        {"allOf": [of(a={"type": "string"}), {**of(b={"type": "integer"}), "required": ["b"]}]},
        [{"a": "x", "b": 1}, {"a": "x"}],
    ),
]


@pytest.mark.parametrize("schema, answers", SCHEMAS)
def test_the_form_judges_as_the_schema(schema: Json, answers: list[Json]) -> None:
    made = convert(schema)
    assert made.warnings == () or set(warnings(made).values()) == {"no type is given: asked as a text"}
    judge = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    for data in answers:
        assert accepts(made, data) == judge.is_valid(data), (data, made.definition)


def test_questions() -> None:
    made = convert(
        {
            "title": "Person",
            "description": "Who you are",
            **of(
                name={"type": "string", "title": "Name", "description": "In full", "default": "Ada"},
                story={"type": "string", "maxLength": 1000},
                site={"type": "string", "format": "uri", "readOnly": True},
                many={"enum": list("abcdefghij")},
                sex={"oneOf": [{"const": "f", "title": "Female"}, {"const": "m", "description": "Male"}]},
                tags={"type": "array", "items": {"enum": ["x", "y"]}, "uniqueItems": True},
            ),
        }
    )
    assert made.title == made.definition["title"] == "Person"
    assert made.definition["description"] == "Who you are"
    assert element(made, "name") == {
        "type": "text", "name": "name", "title": "Name", "description": "In full", "defaultValue": "Ada",
    }  # fmt: skip
    kinds = {one["name"]: one["type"] for one in made.definition["elements"]}
    assert kinds == {
        "name": "text", "story": "comment", "site": "text", "many": "dropdown", "sex": "radiogroup",
        "tags": "checkbox",
    }  # fmt: skip
    assert element(made, "sex")["choices"] == [
        {"value": "f", "text": "Female"},
        {"value": "m", "text": "Male"},
    ]
    assert element(made, "site")["readOnly"] is True


@pytest.mark.parametrize(
    "schema, limits, told",
    [
        ({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10}, {"min": 1, "max": 9}, []),
        ({"type": "integer", "minimum": 5, "exclusiveMinimum": 0.5}, {"min": 5}, []),
        ({"type": "integer", "exclusiveMaximum": 9.5}, {"max": 9}, []),
        ({"type": "number", "exclusiveMaximum": 10}, {}, ["must be below 10"]),
        (
            {"type": "number", "exclusiveMinimum": -0.5, "multipleOf": 2},
            {},
            ["must be above -0.5", "must be a multiple of 2"],
        ),
        ({"type": "string", "pattern": "^a"}, {}, ["This answer does not have the expected form"]),
    ],
)
def test_fillers_are_told_in_words(schema: Json, limits: Json, told: list[str]) -> None:
    made = convert(of(a=schema))
    assert warnings(made) == {}
    found = element(made, "a")
    assert {name: found[name] for name in ("min", "max") if name in found} == limits
    assert [one["text"] for one in found.get("validators", [])] == told


def test_a_limit_that_no_expression_can_say_is_told() -> None:
    made = convert(of(a={"type": "number", "exclusiveMaximum": 1e300}))
    assert list(warnings(made)) == ["/properties/a/exclusiveMaximum"]


def test_objects_within_objects() -> None:
    address = {**of(city={"type": "string"}, zip={"type": "string"}), "required": ["city"]}
    made = convert({**of(home=address, work=address), "required": ["work"]})
    assert warnings(made) == {
        "/properties/home": "answers within 'home' stand beside the others, as home_…",
        "/properties/work": "answers within 'work' stand beside the others, as work_…",
    }
    assert element(made, "home_city")["title"] == "city"
    assert accepts(made, {"work_city": "Rome"})
    assert not accepts(made, {"work_zip": "1"}), "work is required, and its city with it"
    assert not accepts(made, {"work_city": "Rome", "home_zip": "1"}), "home may be missing, but not in part"
    assert accepts(made, {"work_city": "Rome", "home_zip": "1", "home_city": "Oslo"})


def test_what_is_not_carried_over_is_told() -> None:
    made = convert(
        {
            **of(
                a={"type": "string", "format": "uuid", "contentEncoding": "base64", "examples": ["x"]},
                b={"type": "number", "multipleOf": 0.5, "not": {"const": 3}},
                c={"type": ["string", "integer"]},
                d={"type": "array", "items": {"type": "array"}},
                e={"type": "array", "items": {"type": "integer", "minimum": 3}, "contains": {}},
                f={"oneOf": [of(x={"type": "string"}), of(y={"type": "string"})]},
                g={"$ref": "http://example.org/x"},
                h={"$ref": "#/$defs/none"},
                i={"type": "object"},
                j=True,  # type: ignore[arg-type]
                k={"type": "string", "pattern": "(?=x)"},
                m={"type": "string", "default": {"x": 1}},
                n={"enum": [{"x": 1}, "y"]},
                o={"type": "string", "format": "date-time"},
            ),
            "if": {"required": ["a"]},
            "then": {"required": ["b"]},
            "patternProperties": {"^x": {}},
            "additionalProperties": {"type": "string"},
            "minProperties": 1,
        }
    )
    at = "/properties"
    assert sorted(warnings(made)) == sorted(
        [
            f"{at}/a/format", f"{at}/a/contentEncoding", f"{at}/a/examples", f"{at}/b/multipleOf",
            f"{at}/b/not", f"{at}/c/type", f"{at}/d/items", f"{at}/e", f"{at}/e/contains",
            f"{at}/e/items/minimum", f"{at}/f", f"{at}/f/oneOf", f"{at}/g/$ref", f"{at}/h/$ref", f"{at}/i",
            f"{at}/j", f"{at}/k", f"{at}/m/default", f"{at}/n/enum", f"{at}/o/format", "/if", "/then",
            "/patternProperties", "/additionalProperties", "/minProperties",
        ]
    )  # fmt: skip
    assert [one["name"] for one in made.definition["elements"]] == list("abcefkmno")


def test_references_that_lead_back() -> None:
    node = of(name={"type": "string"}, children={"type": "array", "items": {"$ref": "#/$defs/node"}})
    made = convert({"$ref": "#/$defs/node", "$defs": {"node": node}})
    assert [one["name"] for one in made.definition["elements"]] == ["name"]
    assert list(warnings(made)) == ["/$defs/node/properties/children/items/$ref"]


def test_references_that_fan_out_are_bounded() -> None:
    steps = {f"s{n}": of(**{x: {"$ref": f"#/$defs/s{n + 1}"} for x in "abcdefgh"}) for n in range(7)}
    schema = {"$ref": "#/$defs/s0", "$defs": {**steps, "s7": {"type": "string"}}}
    with pytest.raises(Invalid):  # more questions than a form may have
        convert(schema)
    assert MAX_PARTS == 2_000


def test_references_that_lead_far() -> None:
    steps: Json = {f"s{n}": {"$ref": f"#/$defs/s{n + 1}"} for n in range(2_000)}
    made = convert({**of(far={"$ref": "#/$defs/s0"}, near={"type": "string"}), "$defs": steps})
    assert [one["name"] for one in made.definition["elements"]] == ["near"]
    [message] = warnings(made).values()
    assert "references led there" in message


def test_names_that_are_taken() -> None:
    rows = {"type": "array", "items": of(a={"type": "string"}, A={"type": "string"})}
    made = convert(of(a={"type": "string"}, A={"type": "string"}, rows=rows, **{"$x{y}": {"type": "string"}}))
    assert [one["name"] for one in made.definition["elements"]] == ["a", "A_2", "rows", "x_y_"]
    assert [one["name"] for one in element(made, "rows")["templateElements"]] == ["a", "A_2"]
    assert element(made, "A_2")["title"] == "A"
