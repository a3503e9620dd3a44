"""What schemas of numbers become: limits where questions have them, else validators with a text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, TypeGuard

from appliance.domain.schema_questions import Question, whole

Json = dict[str, Any]
_INCLUSIVE: Final = {"minimum": "min", "maximum": "max"}
_PLAIN: Final = frozenset("-.0123456789")


def number(kind: str, schema: Json, question: Question) -> Json:
    made = question.element("text", schema)
    made["inputType"] = "number"
    if kind == "integer":
        made["step"] = 1
    made |= _limits(kind, schema)
    rules = list(_rules(f"{{{question.prefix}{question.name}}}", schema, made, question))
    if rules:
        made["validators"] = [question.report.made(one, question.path) for one in rules]
    known = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
    question.rest(schema, *known)
    return made


def _limits(kind: str, schema: Json) -> Json:
    """min and max. Whole numbers are below 10 where they are at most 9."""
    found = {name: schema[word] for word, name in _INCLUSIVE.items() if _is_number(schema.get(word))}
    if kind != "integer":
        return found
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if _is_countable(above):
        found["min"] = max(found.get("min", -math.inf), math.floor(above) + 1)
    if _is_countable(below):
        found["max"] = min(found.get("max", math.inf), math.ceil(below) - 1)
    return found


def _rules(own: str, schema: Json, made: Json, question: Question) -> Iterator[Json]:
    """What no property says, each in its own words: survey-core would quote the expression to fillers."""
    whole_number = made.get("step") == 1
    for word, sign, told in (("exclusiveMinimum", ">", "above"), ("exclusiveMaximum", "<", "below")):
        limit = schema.get(word)
        if not _is_number(limit) or (whole_number and _is_countable(limit)):
            continue
        if not set(str(limit)) <= _PLAIN:
            question.warn(word, f"`{word}` is not carried over: expressions cannot say this number")
            continue
        yield _rule(f"{own} empty or ({own} {sign} {limit})", f"must be {told} {limit}")
    step = whole(schema, "multipleOf")
    if step:
        yield _rule(f"{own} empty or ({own} % {step} = 0)", f"must be a multiple of {step}")
    elif "multipleOf" in schema:
        question.warn("multipleOf", "`multipleOf` is carried over for whole numbers only")


def _rule(expression: str, told: str) -> Json:
    return {"type": "expression", "expression": expression, "text": told}


def _is_countable(value: object) -> TypeGuard[int | float]:
    """Whether the whole numbers beside it are exact."""
    return _is_number(value) and abs(value) < 2**53


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
