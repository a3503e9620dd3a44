"""Schemas that an answer can be held to, and those that would end or hold up the process."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.ai import schemas
from appliance.ai.engine import Refused

KEPT: tuple[dict[str, Any], ...] = (
    {"type": "string", "pattern": r"^\d{3}-\d{4}$"},
    {"type": "string", "pattern": r"^(\d{3}-){2}\d{4}$"},
    {"type": "string", "pattern": "^(a|b)*$"},
    {"type": "string", "pattern": "^[a-z(){}*]+@[a-z]+\\.(com|org)$"},
    {"type": "string", "maxLength": 1000},
    {"enum": ["a", "b"]},
    {"type": "object", "properties": {"pattern": {"type": "string"}, "minimum": {"type": "integer"}}},
    {
        "title": "T",
        "type": "array",
        "items": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/n"}]},
        "$defs": {"n": {}},
    },
)
REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"type": "string", "pattern": "^((a?){50}){50}$"}, "repeats what repeats"),
    ({"type": "string", "pattern": "^(a*)*$"}, "repeats what repeats"),
    ({"type": "string", "pattern": "^(a?){90}$"}, "repeats what repeats"),
    ({"type": "string", "pattern": "^a{5000}$"}, "more than 100 times"),
    ({"type": "string", "pattern": "a" * 201}, "more than 200 characters"),
    ({"type": "string", "maxLength": 100_000}, "maxLength may be 0 to 1,000"),
    ({"type": "array", "minItems": -1}, "minItems may be"),
    ({"enum": [f"item number {number}" for number in range(20_000)]}, "more than 8,000 characters"),
    (
        {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}},
        "`minimum`, .* at /properties/n",
    ),
    ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, "`uniqueItems`, .* at its root"),
)


@pytest.mark.parametrize("schema", KEPT)
def test_ordinary_schemas_are_kept(schema: dict[str, Any]) -> None:
    assert schemas.kept(schema) == schema


@pytest.mark.parametrize("schema, fault", REFUSED)
def test_what_would_end_or_hold_up_the_process_is_refused(schema: dict[str, Any], fault: str) -> None:
    with pytest.raises(Refused, match=fault):
        schemas.kept(schema)


def test_a_schema_too_deep_or_too_large_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(30):
        deep = {"type": "array", "items": deep}
    with pytest.raises(Refused, match="deep"):
        schemas.kept(deep)
    with pytest.raises(Refused, match="parts"):
        schemas.kept({"properties": {f"p{number}": {} for number in range(600)}})


def test_a_reference_at_the_root_is_followed() -> None:
    found = schemas.kept({"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}})
    assert found["type"] == "integer" and "$ref" not in found
