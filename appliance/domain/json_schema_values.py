"""JSON Schemas of single answers, by type of question."""

from __future__ import annotations

import re
from typing import Any, Final

from appliance.domain.answer_choice import takes_many
from appliance.domain.answer_scale import rates
from appliance.domain.answer_text import NUMBERS, fixed_limit, input_type, is_filled
from appliance.domain.choices import SPECIAL, choices_of
from appliance.domain.dates import KINDS, PATTERNS
from appliance.domain.element import Question
from appliance.domain.field import Context
from appliance.domain.flat_answers import YES_AND_NO
from appliance.domain.survey_core import properties
from appliance.domain.values import js_text, to_number

Schema = dict[str, Any]

_SCALAR: Final[Schema] = {"type": ["string", "number", "boolean"]}


_PORTABLE: Final = re.compile(
    r"(?:[^\\]|\\(?:[dDwWsSbBfnrtv0.*+?^$(){}|\[\]/\\]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}))*"
)
"""Patterns that every dialect of JSON Schema reads alike."""


def limited(schema: Schema, longest: int) -> Schema:
    return {**schema, "maxLength": longest} if longest > 0 else schema


def text_schema(question: Question, context: Context) -> Schema:
    node = question.node
    kind = input_type(node)
    if kind in NUMBERS:
        return _number(question)
    if kind in KINDS:
        return {"type": "string", "pattern": f"^(?:{PATTERNS[kind].pattern})$"}
    if node.text("maskType") in ("numeric", "currency"):
        return {"type": ["string", "number"]}
    return long_text_schema(question, context)


def long_text_schema(question: Question, context: Context) -> Schema:
    own = question.node.value("maxLength")
    schema = limited({"type": "string"}, int(context.max_text if own is None or own < 0 else own))
    for validator in () if question.lenient else question.node.nodes("validators"):
        source = js_text(validator.values.get("regex") or "")
        wanted = validator.kind == "regexvalidator" and source and not validator.flag("caseInsensitive")
        if (
            wanted
            and validator.values.get("notificationType", "error") == "error"
            and _PORTABLE.fullmatch(source)
        ):
            schema["pattern"] = rf"(?:{source})|^\s*$"
    return {**schema, "type": ["string", "number", "boolean"]} if is_filled(question, context) else schema


def _number(question: Question) -> Schema:
    schema: Schema = {"type": "number"}
    if question.lenient:
        return schema
    for name, word in (("min", "minimum"), ("max", "maximum")):
        limit = to_number(fixed_limit(question.node, name))
        if limit is not None:
            schema[word] = limit
    return schema  # no multipleOf: survey-core forgives a millionth off the step, validators do not


def choice_schema(question: Question, context: Context) -> Schema:
    node = question.node
    one = _one_choice(question, context)
    if not takes_many(node):
        return one
    wrapped = node.text("valuePropertyName")
    if wrapped:
        one = {
            "type": "object",
            "properties": {wrapped: one},
            "required": [wrapped],
            "additionalProperties": False,
        }
    schema: Schema = {"type": "array", "items": one, "uniqueItems": True}
    least = int(node.value("minSelectedChoices") or 0) if "minSelectedChoices" in properties(node.kind) else 0
    can_be_alone = any(name in properties(node.kind) and node.flag(name) for name in SPECIAL)
    if least > 0 and not question.lenient:
        schema["minItems"] = 1 if can_be_alone else least
    return schema


def _one_choice(question: Question, context: Context) -> Schema:
    choices = choices_of(question, context)
    if choices.by_key is None:
        one = _SCALAR
    elif choices.free:
        one = {"anyOf": [{"enum": list(choices.by_key.values())}, {"type": ["string", "number"]}]}
    else:
        one = {"enum": list(choices.by_key.values())}
    if not choices.commented:
        return one
    pair = {"value": one, "comment": {"type": "string"}}
    return {
        "anyOf": [
            one,
            {"type": "object", "properties": pair, "required": ["value"], "additionalProperties": False},
        ]
    }


def boolean_schema(question: Question, context: Context) -> Schema:
    given = (question.node.values.get("valueTrue"), question.node.values.get("valueFalse"))
    values = [
        default if value is None else value for value, default in zip(given, (True, False), strict=True)
    ]
    return {"enum": values} if given == (None, None) else {"enum": values, YES_AND_NO: True}


def rating_schema(question: Question, context: Context) -> Schema:
    return {"enum": rates(question.node)}


def slider_schema(question: Question, context: Context) -> Schema:
    node = question.node
    one: Schema = {"type": "number"}
    for name, word in (("min", "minimum"), ("max", "maximum")):
        if not node.values.get(f"{name}ValueExpression"):
            one[word] = node.value(name)
    return {"type": "array", "items": one} if node.text("sliderType") == "range" else one


def file_schema(question: Question, context: Context) -> Schema:
    text = {"type": "string"}
    one = {
        "type": "object",
        "properties": {"name": text, "type": text, "content": text},
        "required": ["name", "content"],
        "additionalProperties": False,
    }
    most = int(question.node.value("maxFiles")) if question.node.flag("allowMultiple") else 1
    return {"type": "array", "items": one, **({"maxItems": most} if most else {})}


def signature_schema(question: Question, context: Context) -> Schema:
    return {"type": "string"}
