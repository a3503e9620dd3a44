"""The flat columns of a form that was given as a JSON Schema, as far as the schema tells them.

Taken are the properties that it names, those of objects within too, at most DEEPEST levels down. What it
tells in other words (`patternProperties`, `allOf` and the like) has no column and stands in `extra`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from appliance.domain.columns import Column, ColumnMap, Kind, column_map
from appliance.domain.values import js_text

Schema = Mapping[str, Any]
DEEPEST: Final = 3
_HOPS: Final = 8
"""References followed from one property at most."""
_FORMATS: Final[Mapping[str, Kind]] = {"date": "date", "date-time": "moment"}
_KINDS: Final[Mapping[str, Kind]] = {
    "string": "text",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
}


def schema_columns(schema: Schema) -> ColumnMap:
    repeats = {
        name: list(_properties(items, schema, ()))
        for name, given in _named(schema)
        if (items := _rows(_followed(given, schema), schema)) is not None
    }
    return column_map(_properties(schema, schema, ()), repeats)


def _named(schema: Schema) -> Iterator[tuple[str, Any]]:
    properties = schema.get("properties")
    yield from properties.items() if isinstance(properties, dict) else ()


def _rows(schema: Schema, root: Schema) -> Schema | None:
    """The schema of one row, where the property is an array of objects."""
    if schema.get("type") != "array":
        return None
    items = _followed(schema.get("items"), root)
    return items if items.get("type") == "object" and items.get("properties") else None


def _properties(schema: Schema, root: Schema, path: tuple[str, ...]) -> Iterator[Column]:
    for name, given in _named(schema):
        found, at = _followed(given, root), (*path, name)
        nested = found.get("type") == "object" and isinstance(found.get("properties"), dict)
        if nested and found["properties"] and len(at) < DEEPEST:
            yield from _properties(found, root, at)
        else:
            yield _column(found, root, at)


def _column(schema: Schema, root: Schema, path: tuple[str, ...]) -> Column:
    if (choices := _enumerated(schema)) is not None:
        return Column(path, "choice", choices)
    kind = schema.get("type")
    if kind == "array":
        within = _enumerated(_followed(schema.get("items"), root))
        return Column(path, "json") if within is None else Column(path, "choices", within)
    if kind == "string":
        return Column(path, _FORMATS.get(str(schema.get("format")), "text"))
    return Column(path, _KINDS.get(kind, "json") if isinstance(kind, str) else "json")


def _enumerated(schema: Schema) -> dict[str, object] | None:
    """Its values by their text, where all are strings."""
    values = schema.get("enum")
    if not isinstance(values, list) or not values or not all(isinstance(one, str) for one in values):
        return None
    return {js_text(value): value for value in values}


def _followed(given: Any, root: Schema) -> Schema:
    """The schema itself, or what a reference within the document leads to; {} for anything else."""
    for _ in range(_HOPS):
        if not isinstance(given, dict):
            return {}
        reference = given.get("$ref")
        if not isinstance(reference, str):
            return given
        given = _at(root, reference) if reference.startswith("#/") else None
    return {}


def _at(root: Any, pointer: str) -> Any:
    for part in pointer[2:].split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        root = root.get(key) if isinstance(root, dict) else None
    return root
