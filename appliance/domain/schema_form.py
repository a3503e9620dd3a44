"""A form that was given as a JSON Schema 2020-12 of one response's data.

Light schemas are compiled and asked in this process; what is heavy, or recursive, only in a child with limits
(`services.schemas`), which runs the same code. Patterns run on an engine that takes linear time.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import jsonschema_rs
import msgspec

from appliance.domain.answer import DETAIL as WRONG_ANSWERS
from appliance.domain.answer import MAX_DEPTH
from appliance.domain.answer import ROOT as ANSWERS
from appliance.domain.bounds import check_bounds
from appliance.domain.columns import ColumnMap
from appliance.domain.faults import MOST, Faults, token
from appliance.domain.field import needs
from appliance.domain.file_questions import NO_FILES, FilePlan
from appliance.domain.filters import MAX_TERMS, MAX_VALUE, spell_term
from appliance.domain.json_schema import DIALECT
from appliance.domain.quota import BadQuota, Counted
from appliance.domain.schema_columns import schema_columns
from appliance.domain.schema_walk import ROOT, Work
from appliance.domain.values import js_text
from appliance.errors import BadRequest

DETAIL: Final = "The schema is not valid"
MAX_BYTES: Final = 256 * 1024
SCHEMA_DEPTH: Final = 64
MESSAGE: Final = 300
"""Characters of a message at most: jsonschema-rs quotes whole enumerations."""

LIGHT_BYTES: Final = 64 * 1024
LIGHT_WORK: Final = 20_000
LIGHT_PATTERNS: Final = 50
CHEAP_VERDICT: Final = 1_000_000
"""Schemas asked about values at most for a verdict in process: some 50 ms."""
CHEAP_ERRORS: Final = 20_000
"""The same for the errors, which cost a kilobyte each."""


class TooCostly(Exception):
    """Not to be judged in this process."""


class SchemaRules:
    """`light`: may be compiled in any process. Then `check` judges, or raises TooCostly."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """Raises Invalid with each fault at its JSON Pointer below /schema. Compiles nothing yet."""
        faults = Faults()
        self._schema = schema
        self._work, patterns, size = _measure(schema, faults)
        faults.raise_any(DETAIL)
        self.light = self._work <= LIGHT_WORK and patterns <= LIGHT_PATTERNS and size <= LIGHT_BYTES
        self._validator: jsonschema_rs.Draft202012Validator | None = None

    def compile(self) -> None:
        """Raises Invalid. May take any time and memory unless `light`."""
        faults = Faults()
        try:
            self._validator = _compile(self._schema)
        except jsonschema_rs.ValidationError as fault:
            faults.add(ROOT + "".join(map(token, fault.instance_path)), _short(fault.message))
        except (jsonschema_rs.ReferencingError, ValueError) as fault:
            faults.add(ROOT, _short(str(fault)))
        faults.raise_any(DETAIL)

    def check(self, data: object, now: dt.datetime, wanted: Iterable[str | None] = ()) -> dict[str, Any]:
        """In English, whatever is wanted: these are the words of jsonschema-rs."""
        nodes = _bounded(data)
        if self._validator is None or nodes * self._work > CHEAP_VERDICT:
            raise TooCostly
        if not self._validator.is_valid(data):
            if nodes * self._work > CHEAP_ERRORS:
                raise TooCostly
            self.check_at_any_cost(data)
        return data  # type: ignore[return-value]

    def check_at_any_cost(self, data: object) -> None:
        """Raises Invalid. Only where time and memory are limited from outside."""
        if self._validator is None:
            self.compile()
        assert self._validator is not None  # noqa: S101 (compiled above)
        faults = Faults()
        for fault in itertools.islice(self._validator.iter_errors(data), MOST):
            faults.add(*_told(fault))
        faults.raise_any(WRONG_ANSWERS)

    def terms(self, data: Mapping[str, Any]) -> list[str]:
        """Of the top-level properties that the schema names and whose answer is a scalar."""
        found = (
            spell_term(name, text)
            for name in self._names()
            if name in data and (text := _scalar(data[name])) is not None and len(text) <= MAX_VALUE
        )
        return list(itertools.islice(found, MAX_TERMS))

    def term(self, name: str, text: str) -> str:
        if name not in self._names():
            raise BadRequest(f"filter.{name}: the schema has no top-level property of this name")
        if len(text) > MAX_VALUE:
            raise BadRequest(f"filter.{name}: a value to filter by has at most {MAX_VALUE} characters")
        return spell_term(name, text)

    def schema(self) -> dict[str, Any]:
        return self._schema

    @property
    def files(self) -> FilePlan:
        return NO_FILES

    def language(self, wanted: Iterable[str | None]) -> str:
        return ""

    def quota(self, question: str, value: Any) -> Counted:
        raise BadQuota("question", "a form by JSON Schema has no quotas: its answers have no choices")

    def columns(self) -> ColumnMap:
        return schema_columns(self._schema)

    def _names(self) -> Mapping[str, Any]:
        names: Mapping[str, Any] = self._schema.get("properties", {})
        return names


def _measure(schema: dict[str, Any], faults: Faults) -> tuple[float, int, int]:
    """Work, patterns and bytes."""
    check_bounds(schema, ROOT, faults, depth=SCHEMA_DEPTH)
    size = 0 if faults.found else len(msgspec.json.encode(schema))
    if size > MAX_BYTES:
        faults.add(ROOT, f"{size} bytes of JSON; a schema may have {MAX_BYTES}")
    if schema.get("$schema", DIALECT) not in (DIALECT, DIALECT + "#"):
        faults.add(ROOT + "/$schema", f"only {DIALECT} is understood")
    if faults.found:
        return 0, 0, size
    work = Work(schema, faults)
    return work.of_root(), work.patterns, size


def _compile(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        schema,
        validate_formats=True,
        mask="the value",
        retriever=_retrieve_nothing,
        pattern_options=jsonschema_rs.RegexOptions(size_limit=64 * 1024, dfa_size_limit=64 * 1024),
    )


def _retrieve_nothing(uri: str) -> Any:
    raise ValueError(f"nothing is fetched for a reference: {uri[:100]}")


def _bounded(data: object) -> int:
    """How many values the data holds. Raises Invalid for what cannot be stored."""
    faults = Faults()
    if not isinstance(data, dict):
        faults.add(ANSWERS, needs("an object", data))
    check_bounds(data, ANSWERS, faults, depth=MAX_DEPTH)
    faults.raise_any(WRONG_ANSWERS)
    count = 0
    stack: list[tuple[object, str]] = [(data, ANSWERS)]
    while stack:
        found, at = stack.pop()
        count += 1
        for key, part in _items(found):
            # In the database such names are words of its own.
            if isinstance(key, str) and key.startswith("$"):
                faults.add(at + token(key), "a name may not begin with $")
            if isinstance(part, dict | list):
                stack.append((part, at + token(key)))
            else:
                count += 1
    faults.raise_any(WRONG_ANSWERS)
    return count


def _items(found: object) -> Iterator[tuple[str | int, object]]:
    if isinstance(found, dict):
        yield from found.items()
    elif isinstance(found, list):
        yield from enumerate(found)


def _told(fault: jsonschema_rs.ValidationError) -> tuple[str, str]:
    """Where and what. What is missing is told at its own place, as for other forms."""
    at = ANSWERS + "".join(map(token, fault.instance_path))
    kind = fault.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return at + token(kind.property), "an answer is required"
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties) and kind.unexpected:
        return at + token(kind.unexpected[0]), "the schema has no property of this name"
    return at, _short(fault.message)


def _scalar(value: object) -> str | None:
    return js_text(value) if isinstance(value, str | int | float) else None


def _short(message: str) -> str:
    return message if len(message) <= MESSAGE else message[: MESSAGE - 1] + "…"
