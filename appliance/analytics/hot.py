"""Typed columns of single questions (`q_<name>`): which a form has, and how DuckDB makes them of its JSON.

The names are those of exports (`domain.columns`), with `q_` before. An answer that its column cannot hold is
null there and still stands in `data`. Several choices are a list; what has no simple type stays in the JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from appliance.domain.columns import ColumnMap

MOST: Final = 400
"""Typed columns of a form at most: its first ones."""
_TYPES: Final[Mapping[str, str]] = {
    "text": "VARCHAR",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "time": "VARCHAR",
    "datetime": "TIMESTAMP",
    "moment": "TIMESTAMP WITH TIME ZONE",
    "choice": "VARCHAR",
    "choices": "VARCHAR[]",
}
_AS_THEY_ARE: Final[Mapping[str, Any]] = {
    "VARCHAR": "VARCHAR",
    "DOUBLE": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "VARCHAR[]": ["VARCHAR"],
}
"""What DuckDB reads out of JSON as such. All else is text, and cast then: a date that is none is null."""


class Hot(NamedTuple):
    """One typed column: its name, its type in SQL, and the way to it within the answers."""

    name: str
    type: str
    path: tuple[str, ...]


def columns(found: ColumnMap) -> tuple[Hot, ...]:
    """Of a form. DuckDB does not tell `a` from `A`: of such names the first has a column."""
    kept: list[Hot] = []
    ends: set[tuple[str, ...]] = set()
    steps: dict[tuple[str, ...], tuple[str, ...]] = {}
    for column in found.main.columns:
        if column.kind not in _TYPES or column.flag is not None or column.wrapped or len(kept) == MOST:
            continue
        ways = [column.path[:length] for length in range(1, len(column.path) + 1)]
        lower = [tuple(part.casefold() for part in way) for way in ways]
        clashes = any(steps.get(low, way) != way for low, way in zip(lower, ways, strict=True))
        if clashes or lower[-1] in steps or any(low in ends for low in lower):
            continue
        steps.update(zip(lower, ways, strict=True))
        ends.add(lower[-1])
        kept.append(Hot(f"q_{column.name}", _TYPES[column.kind], column.path))
    return tuple(kept)


def fingerprint(hot: tuple[Hot, ...]) -> str:
    """Changes when any column does."""
    return hashlib.sha256(json.dumps(hot).encode()).hexdigest()[:16]


def shape(hot: tuple[Hot, ...]) -> str:
    """For `json_transform(data, …)`: a struct with a field each, nested as the answers are."""
    tree: dict[str, Any] = {}
    for one in hot:
        node = tree
        for part in one.path[:-1]:
            node = node.setdefault(part, {})
        node[one.path[-1]] = _AS_THEY_ARE.get(one.type, "VARCHAR")
    return json.dumps(tree)


def expression(one: Hot, struct: str) -> str:
    """SQL of the column, out of what `json_transform` has made."""
    reached = struct + "".join(f".{quoted(part)}" for part in one.path)
    return reached if one.type in _AS_THEY_ARE else f"TRY_CAST({reached} AS {one.type})"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """An SQL literal."""
    return "'" + value.replace("'", "''") + "'"
