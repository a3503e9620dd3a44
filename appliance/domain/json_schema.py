"""The JSON Schema (2020-12) of one response's data, as far as JSON Schema can say what the form asks for.

What check_answers stores, this accepts; it is wider where JSON Schema has no word for a rule, for instance
dates, texts counted in UTF-16 units, or unique columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from appliance.domain.answer_nested import items, template
from appliance.domain.answer_table import row_elements
from appliance.domain.element import Elements, Question
from appliance.domain.field import Context
from appliance.domain.form import Form
from appliance.domain.json_schema_values import (
    boolean_schema,
    choice_schema,
    file_schema,
    limited,
    long_text_schema,
    rating_schema,
    signature_schema,
    slider_schema,
    text_schema,
)
from appliance.domain.node import Node
from appliance.domain.scope_build import COMPUTED, has_comment
from appliance.domain.survey_core import COMMENT, MAX_PANELS, MAX_ROWS
from appliance.domain.values import js_text

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema(form: Form) -> Schema:
    """The schema of `data`."""
    found = _object(form.elements, form.context)
    found["properties"].update(dict.fromkeys(sorted(form.scope.computed), True))
    title = form.survey.text("title", form.context.language)
    return {"$schema": DIALECT, **({"title": title} if title else {}), **found}


def _object(elements: Elements, context: Context) -> Schema:
    shared: dict[str, list[Schema]] = {}
    comments: dict[str, Schema] = {}
    required: dict[str, None] = {}
    for question in elements.questions:
        if question.kind not in _SCHEMAS:
            if question.kind in COMPUTED:
                comments[question.key] = {}
            continue
        schema = _titled(question, context, _SCHEMAS[question.kind](question, context))
        shared.setdefault(question.key, []).append(schema)
        if _may_vanish(question):
            pass
        elif question.is_required or (_must_be(schema) and not question.lenient):
            required[question.key] = None
        if has_comment(question.node, context):
            comments[question.key + COMMENT] = limited({"type": "string"}, context.max_comment)
    known = {
        key: all_of[0] if len(all_of) == 1 else {"allOf": list(map(_opened, all_of))}
        for key, all_of in shared.items()
    }
    known.update(comments)
    found: Schema = {"type": "object", "properties": known, "additionalProperties": False}
    if required:
        found["required"] = list(required)
    groups = list(_groups(elements))
    if groups:
        found["allOf"] = groups
    return found


def _opened(schema: Schema) -> Schema:
    """Of a list of objects in which other questions have names too."""
    inner = schema.get("items")
    if not isinstance(inner, dict) or "additionalProperties" not in inner:
        return schema
    return {**schema, "items": {name: one for name, one in inner.items() if name != "additionalProperties"}}


def _groups(elements: Elements) -> Iterator[Schema]:
    """Required panels. One around another says nothing new: the inner one comes first and is enough."""
    told: set[str] = set()
    for group in elements.groups:
        if any(map(_may_vanish, group.questions)):
            continue
        keys = [one.key for one in group.questions if one.kind in _SCHEMAS or one.kind in COMPUTED]
        if keys and group.is_required and told.isdisjoint(keys):
            told.update(keys)
            yield {"anyOf": [{"required": [key]} for key in keys]}


def _may_vanish(question: Question) -> bool:
    """Whether an answer may be taken out as a whole, because none of its rows or columns shows at the end."""
    node = question.node
    items = [*node.values.get("rows", ()), *node.values.get("columns", ())]
    return bool(node.values.get("rowsVisibleIf") or node.values.get("columnsVisibleIf")) or any(
        isinstance(item, Node) and item.values.get("visibleIf") for item in items
    )


def _must_be(schema: Mapping[str, Any]) -> bool:
    """Nothing at all would not do: an object with required names, an array with a least number of items."""
    return bool(schema.get("minItems")) or (schema.get("type") == "object" and "required" in schema)


def _titled(question: Question, context: Context, schema: Schema) -> Schema:
    title = question.node.text("title", context.language)
    return {"title": title, **schema} if title else schema


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
        js_text(row.values["value"]): conditional
        or bool(row.values.get("visibleIf") or row.values.get("enableIf"))
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
    node = question.node
    most = min(int(node.value("maxPanelCount") or MAX_PANELS), MAX_PANELS)
    one = _object(template(node), context)
    return _many(_free(one) if node.values.get("templateVisibleIf") else one, question, most)


def _many(one: Schema, question: Question, most: int) -> Schema:
    return {"type": "array", "items": _free(one) if question.lenient else one, "maxItems": most}


def _free(one: Schema) -> Schema:
    """Without anything that must be answered."""
    return {name: value for name, value in one.items() if name not in ("required", "allOf")}


def _multipletext(question: Question, context: Context) -> Schema:
    return _object(items(question.node, lenient=question.lenient), context)


_SCHEMAS: Final[Mapping[str, Callable[[Question, Context], Schema]]] = {
    "boolean": boolean_schema,
    "comment": long_text_schema,
    "file": file_schema,
    "matrix": _matrix,
    "matrixdropdown": _matrixdropdown,
    "matrixdynamic": _matrixdynamic,
    "multipletext": _multipletext,
    "paneldynamic": _paneldynamic,
    "rating": rating_schema,
    "signaturepad": signature_schema,
    "slider": slider_schema,
    "text": text_schema,
    **dict.fromkeys(
        ("buttongroup", "checkbox", "dropdown", "imagemap", "imagepicker", "radiogroup", "ranking", "tagbox"),
        choice_schema,
    ),
}
