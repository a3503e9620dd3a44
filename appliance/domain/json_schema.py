"""The JSON Schema (2020-12) of one response's data, as far as JSON Schema can say what the form asks for.

What check_answers stores, this accepts; it is wider where JSON Schema has no word for a rule, for instance
dates, texts counted in UTF-16 units, or unique columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from appliance.domain.answer_choice import takes_many
from appliance.domain.answer_matrix import row_elements
from appliance.domain.answer_nested import items, template
from appliance.domain.answer_scale import rates
from appliance.domain.answer_text import NUMBERS, input_type
from appliance.domain.choices import SPECIAL, choices_of
from appliance.domain.dates import KINDS, PATTERNS
from appliance.domain.element import Elements, Question
from appliance.domain.field import Context
from appliance.domain.form import Form
from appliance.domain.scope import has_comment
from appliance.domain.survey_core import COMMENT, MAX_PANELS, MAX_ROWS, properties
from appliance.domain.values import js_text, to_number

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SCALAR: Final[Schema] = {"type": ["string", "number", "boolean"]}
_PORTABLE: Final = re.compile(
    r"(?:[^\\]|\\(?:[dDwWsSbBfnrtv0.*+?^$(){}|\[\]/\\]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}))*"
)
"""Patterns that every dialect of JSON Schema reads alike."""


def json_schema(form: Form) -> Schema:
    """The schema of `data`."""
    found = _object(form.elements, form.context)
    found["properties"].update(dict.fromkeys(sorted(form.scope.computed), True))
    title = form.survey.text("title", form.context.locale)
    return {"$schema": DIALECT, **({"title": title} if title else {}), **found}


def _object(elements: Elements, context: Context) -> Schema:
    shared: dict[str, list[Schema]] = {}
    comments: dict[str, Schema] = {}
    required: dict[str, None] = {}
    for question in elements.questions:
        if question.kind not in _SCHEMAS:
            continue
        schema = _titled(question, context, _SCHEMAS[question.kind](question, context))
        shared.setdefault(question.key, []).append(schema)
        if question.is_required or (_must_be(schema) and not question.lenient):
            required[question.key] = None
        if has_comment(question.node, context):
            comments[question.key + COMMENT] = _limited({"type": "string"}, context.max_comment)
    known = {key: all_of[0] if len(all_of) == 1 else {"allOf": all_of} for key, all_of in shared.items()}
    known.update(comments)
    found: Schema = {"type": "object", "properties": known, "additionalProperties": False}
    if required:
        found["required"] = list(required)
    groups = list(_groups(elements))
    if groups:
        found["allOf"] = groups
    return found


def _groups(elements: Elements) -> Iterator[Schema]:
    """Required panels. One around another says nothing new: the inner one comes first and is enough."""
    told: set[str] = set()
    for group in elements.groups:
        keys = [one.key for one in group.questions if one.kind in _SCHEMAS]
        if keys and group.is_required and told.isdisjoint(keys):
            told.update(keys)
            yield {"anyOf": [{"required": [key]} for key in keys]}


def _must_be(schema: Mapping[str, Any]) -> bool:
    """Nothing at all would not do: an object with required names, an array with a least number of items."""
    return bool(schema.get("minItems")) or (schema.get("type") == "object" and "required" in schema)


def _titled(question: Question, context: Context, schema: Schema) -> Schema:
    title = question.node.text("title", context.locale)
    return {"title": title, **schema} if title else schema


def _limited(schema: Schema, longest: int) -> Schema:
    return {**schema, "maxLength": longest} if longest > 0 else schema


def _text(question: Question, context: Context) -> Schema:
    node = question.node
    kind = input_type(node)
    if kind in NUMBERS:
        return _number(question, kind)
    if kind in KINDS:
        return {"type": "string", "pattern": f"^(?:{PATTERNS[kind].pattern})$"}
    if node.text("maskType") in ("numeric", "currency"):
        return {"type": ["string", "number"]}
    return _long_text(question, context)


def _long_text(question: Question, context: Context) -> Schema:
    own = question.node.value("maxLength")
    schema = _limited({"type": "string"}, int(context.max_text if own is None or own < 0 else own))
    for validator in () if question.lenient else question.node.nodes("validators"):
        source = js_text(validator.values.get("regex") or "")
        wanted = validator.kind == "regexvalidator" and source and not validator.flag("caseInsensitive")
        if (
            wanted
            and validator.values.get("notificationType", "error") == "error"
            and _PORTABLE.fullmatch(source)
        ):
            schema["pattern"] = rf"(?:{source})|^\s*$"
    return schema


def _number(question: Question, kind: str) -> Schema:
    schema: Schema = {"type": "number"}
    if question.lenient:
        return schema
    for name, word in (("min", "minimum"), ("max", "maximum")):
        limit = to_number(question.node.value(name))
        if limit is not None:
            schema[word] = limit
    step = question.node.value("step")
    if kind == "number" and isinstance(step, int) and step > 0:
        schema["multipleOf"] = step
    return schema


def _choice(question: Question, context: Context) -> Schema:
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


def _boolean(question: Question, context: Context) -> Schema:
    given = (question.node.values.get("valueTrue"), question.node.values.get("valueFalse"))
    return {
        "enum": [
            default if value is None else value for value, default in zip(given, (True, False), strict=True)
        ]
    }


def _rating(question: Question, context: Context) -> Schema:
    return {"enum": rates(question.node)}


def _slider(question: Question, context: Context) -> Schema:
    node = question.node
    one: Schema = {"type": "number"}
    for name, word in (("min", "minimum"), ("max", "maximum")):
        if not node.values.get(f"{name}ValueExpression"):
            one[word] = node.value(name)
    return {"type": "array", "items": one} if node.text("sliderType") == "range" else one


def _matrix(question: Question, context: Context) -> Schema:
    node = question.node
    cell: Schema = {"enum": [one.values["value"] for one in node.nodes("columns")]}
    if node.text("cellType") == "checkbox":
        cell = {"type": "array", "items": cell, "uniqueItems": True}
    schema = _rows([js_text(row.values["value"]) for row in node.nodes("rows")], cell)
    if node.flag("eachRowRequired") and not question.lenient and not node.values.get("rowsVisibleIf"):
        sure = [js_text(row.values["value"]) for row in node.nodes("rows") if not row.values.get("visibleIf")]
        schema.update({"required": sure} if sure else {})
    return schema


def _matrixdropdown(question: Question, context: Context) -> Schema:
    node = question.node
    strict = _object(row_elements(node), context)
    loose = {name: value for name, value in strict.items() if name not in ("required", "allOf")}
    conditional = bool(node.values.get("rowsVisibleIf")) or question.lenient
    rows = {
        js_text(row.values["value"]): conditional or bool(row.values.get("visibleIf"))
        for row in node.nodes("rows")
    }
    sure = [name for name, unsure in rows.items() if not unsure]
    schema = _rows(list(rows), strict if len(sure) == len(rows) else loose)
    if "required" in strict and sure:
        schema["required"] = sure
    demands = {name: strict[name] for name in ("required", "allOf") if name in strict}
    if demands and 0 < len(sure) < len(rows):
        schema["allOf"] = [{"properties": dict.fromkeys(sure, demands)}]
    return schema


def _rows(names: list[str], row: Schema) -> Schema:
    """An object of rows, the schema of a row told once: there may be thousands."""
    return {"type": "object", "propertyNames": {"enum": names}, "additionalProperties": row}


def _matrixdynamic(question: Question, context: Context) -> Schema:
    row = _object(row_elements(question.node), context)
    return _many(row, question, min(int(question.node.value("maxRowCount")), MAX_ROWS))


def _paneldynamic(question: Question, context: Context) -> Schema:
    most = question.node.value("maxPanelCount")
    return _many(
        _object(template(question.node), context), question, min(int(most or MAX_PANELS), MAX_PANELS)
    )


def _many(one: Schema, question: Question, most: int) -> Schema:
    if question.lenient:
        one = {name: value for name, value in one.items() if name not in ("required", "allOf")}
    return {"type": "array", "items": one, "maxItems": most}


def _multipletext(question: Question, context: Context) -> Schema:
    return _object(items(question.node, lenient=question.lenient), context)


def _file(question: Question, context: Context) -> Schema:
    text = {"type": "string"}
    one = {
        "type": "object",
        "properties": {"name": text, "type": text, "content": text},
        "required": ["name", "content"],
        "additionalProperties": False,
    }
    most = int(question.node.value("maxFiles")) if question.node.flag("allowMultiple") else 1
    return {"type": "array", "items": one, **({"maxItems": most} if most else {})}


def _signature(question: Question, context: Context) -> Schema:
    return {"type": "string"}


_SCHEMAS: Final[Mapping[str, Callable[[Question, Context], Schema]]] = {
    "boolean": _boolean,
    "comment": _long_text,
    "file": _file,
    "matrix": _matrix,
    "matrixdropdown": _matrixdropdown,
    "matrixdynamic": _matrixdynamic,
    "multipletext": _multipletext,
    "paneldynamic": _paneldynamic,
    "rating": _rating,
    "signaturepad": _signature,
    "slider": _slider,
    "text": _text,
    **dict.fromkeys(
        ("buttongroup", "checkbox", "dropdown", "imagemap", "imagepicker", "radiogroup", "ranking", "tagbox"),
        _choice,
    ),
}
