"""What schemas of choices and arrays become; and which question a schema is."""

from __future__ import annotations

from typing import Any, Final

from appliance.domain.schema_numbers import number
from appliance.domain.schema_questions import Question, constants, text, whole
from appliance.domain.survey_core import MAX_PANELS

Json = dict[str, Any]
FEW: Final = 7
"""Choices that are shown one below another; more are a list that opens."""


def scalar(kind: str, schema: Json, question: Question) -> Json | None:
    """None, and reported, for what cannot be asked for."""
    match kind:
        case "choice":
            return choice(schema, question)
        case "string":
            return text(schema, question)
        case "number" | "integer":
            return number(kind, schema, question)
        case "boolean":
            question.rest(schema)
            return question.element("boolean", schema)
    question.warn("type", f"{kind[:100]!r} is left out")
    return None


def choice(schema: Json, question: Question) -> Json | None:
    found = choices(schema, question)
    if not found:
        question.warn("", "left out: none of its values can be a choice")
        return None
    if sorted(map(str, found)) == ["False", "True"] and {type(one) for one in found} == {bool}:
        return question.element("boolean", schema)
    made = question.element("radiogroup" if len(found) <= FEW else "dropdown", schema)
    made["choices"] = found
    question.rest(schema, "enum", "const", "oneOf" if "oneOf" in schema else "anyOf")
    return made


def choices(schema: Json, question: Question) -> list[Any]:
    rows = constants(schema)
    if rows is None:
        given = schema["enum"] if isinstance(schema.get("enum"), list) else [schema.get("const")]
        rows = [{"const": value} for value in given]
    found: list[Any] = []
    for row in rows:
        value, title = row["const"], row.get("title", row.get("description"))
        if value is None:
            continue
        if isinstance(value, dict | list) or value == "":
            question.warn("enum", f"{str(value)[:100]!r} is left out: it can be no choice")
        elif isinstance(title, str) and title:
            found.append({"value": value, "text": title})
        else:
            found.append(value)
    return found


def several(kind: str, schema: Json, items: Json, question: Question, inner: Question) -> Json | None:
    """An array of values: choices to tick, or values of one's own."""
    if kind not in ("choice", "string", "number", "integer"):
        inner.warn("type", f"an array of {kind[:100]!r} is left out")
        return None
    made = question.element("tagbox", schema)
    if kind == "choice":
        found = choices(items, inner)
        if not found:
            inner.warn("", "left out: none of its values can be a choice")
            return None
        made |= {"type": "checkbox" if len(found) <= FEW else "tagbox", "choices": found}
        inner.rest(items, "enum", "const", "oneOf", "anyOf")
    else:
        made |= {"choices": [], "allowCustomChoices": True}
        inner.rest(items)
    if schema.get("uniqueItems") is not True:
        question.warn("", "each value is taken once only")
    for word, name in (("minItems", "minSelectedChoices"), ("maxItems", "maxSelectedChoices")):
        if whole(schema, word):
            made[name] = schema[word]
    question.rest(schema, "items", "minItems", "maxItems", "uniqueItems")
    return made


def repeated(schema: Json, question: Question, elements: list[Json]) -> Json:
    """An array of objects."""
    made = question.element("paneldynamic", schema)
    made["templateElements"] = elements
    for word, name in (("minItems", "minPanelCount"), ("maxItems", "maxPanelCount")):
        value = whole(schema, word)
        if value and value > MAX_PANELS:
            question.warn(word, f"at most {MAX_PANELS} repetitions can be asked for")
        elif value:
            made[name] = value
    question.rest(schema, "items", "minItems", "maxItems")
    return made
