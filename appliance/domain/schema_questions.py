"""What single schemas become: questions for texts, numbers, choices and lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.faults import token
from appliance.domain.imported import NO_MATCH, Report

Json = dict[str, Any]
ANNOTATIONS: Final = frozenset(
    {"$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "$vocabulary", "$dynamicAnchor"}
)
"""What says nothing of values."""
_TEXTS: Final = frozenset({"type", "title", "description", "default", "readOnly"})
FORMATS: Final[Mapping[str, str]] = {
    "date": "date",
    "time": "time",
    "date-time": "datetime-local",
    "email": "email",
    "idn-email": "email",
    "uri": "url",
    "iri": "url",
    "color": "color",
}
"""The input type for a format."""
LONG: Final = 250
"""Characters from which on a text gets several lines."""
_HINTS: Final = (
    ("object", ("properties", "required", "additionalProperties")),
    ("array", ("items", "minItems", "maxItems", "uniqueItems")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
    ("string", ("minLength", "maxLength", "pattern", "format")),
)


@dataclass(frozen=True, slots=True)
class Question:
    name: str
    prefix: str
    """How expressions name what stands beside it: `panel.` in a dynamic panel."""
    required: bool
    path: str
    report: Report

    def warn(self, word: str, message: str) -> None:
        self.report.warn(self.path + (token(word) if word else ""), message)

    def element(self, kind: str, schema: Json) -> Json:
        made: Json = {"type": kind, "name": self.name, **texts(schema)}
        if self.required:
            made["isRequired"] = True
        if schema.get("readOnly") is True:
            made["readOnly"] = True
        default = schema.get("default")
        if default is not None:
            if _is_plain(default):
                made["defaultValue"] = default
            else:
                self.warn("default", "`default` is not carried over: it is no single value")
        return made

    def rest(self, schema: Json, *known: str) -> None:
        """Reports the words that were not carried over."""
        for word in schema:
            if word not in _TEXTS and word not in ANNOTATIONS and word not in known:
                self.warn(word, f"`{word}` is not carried over")


def _is_plain(value: object) -> bool:
    rows = value if isinstance(value, list) else [value]
    return all(isinstance(one, str | int | float | bool) for one in rows)


def texts(schema: Json) -> Json:
    found = {name: schema[name] for name in ("title", "description") if isinstance(schema.get(name), str)}
    return {name: text for name, text in found.items() if text}


def kind_of(schema: Json, question: Question) -> str:
    """The type: as it is given, or as its other words have it."""
    if "enum" in schema or "const" in schema or constants(schema) is not None:
        return "choice"
    given = schema.get("type")
    if isinstance(given, list):
        kinds = [one for one in given if isinstance(one, str) and one != "null"]
        if len(kinds) > 1:
            question.warn("type", f"of several types only {kinds[0]!r} is carried over")
        given = kinds[0] if kinds else None
    if isinstance(given, str):
        return given
    for kind, words in _HINTS:
        if any(word in schema for word in words):
            return kind
    question.warn("", "no type is given: asked as a text")
    return "string"


def constants(schema: Json) -> list[Json] | None:
    """The choices of `oneOf` or `anyOf` with `const`; None where it is something else."""
    for word in ("oneOf", "anyOf"):
        rows = schema.get(word)
        if isinstance(rows, list) and rows and all(isinstance(row, dict) and "const" in row for row in rows):
            return rows
    return None


def text(schema: Json, question: Question) -> Json:
    made = question.element("text", schema)
    _format(schema, question, made)
    longest, least = whole(schema, "maxLength"), whole(schema, "minLength")
    if longest:
        made["maxLength"] = longest
    if "inputType" not in made and (longest or 0) >= LONG:
        made["type"] = "comment"
    validators: list[Json] = []
    if least:
        validators.append({"type": "text", "minLength": least})
    if isinstance(schema.get("pattern"), str):
        validators.append({"type": "regex", "regex": schema["pattern"], "text": NO_MATCH})
    if validators:
        made["validators"] = [question.report.made(one, question.path) for one in validators]
    question.rest(schema, "format", "maxLength", "minLength", "pattern")
    return made


def _format(schema: Json, question: Question, made: Json) -> None:
    name = schema.get("format")
    if not isinstance(name, str):
        return
    if name not in FORMATS:
        question.warn("format", f"the format {name[:100]!r} is not carried over")
        return
    made["inputType"] = FORMATS[name]
    if name == "date-time":
        question.warn("format", "times are asked for without a time zone")


def whole(schema: Json, word: str) -> int | None:
    value = schema.get(word)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
