"""What `{a.b[0].c}` leads to in values: survey-core's ValueGetter over plain objects and arrays."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.comparison import number_in
from appliance.domain.javascript import UNDEFINED


class Missing:
    """Leads nowhere; not the same as to a value that is not there."""


MISSING: Final = Missing()
Path = tuple[tuple[str, int | None], ...]
"""Names between dots, each with the index in brackets after it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """`literal`: what `{"key": value}` gives where nothing has this name."""

    name: str
    path: Path
    simple: str = ""
    """The name, if it is nothing but one: no dots, no index."""
    literal: Any = None


def reference(name: str) -> Reference:
    path = tuple(map(_segment, name.split(".")))
    simple = name if len(path) == 1 and path[0][1] is None else ""
    return Reference(name, path, simple, _literal(name))


def _segment(text: str) -> tuple[str, int | None]:
    if not text.endswith("]") or "[" not in text:
        return text, None
    place = text.rindex("[")
    index = number_in(text[place + 1 : -1])
    return (text, None) if math.isnan(index) or not index.is_integer() else (text[:place], int(index))


def _literal(name: str) -> Any:
    if len(name) < 2 or name.find(":") < 1:
        return None
    try:
        return json.loads("{" + name + "}", parse_constant=_refuse)
    except ValueError:
        return None


def _refuse(name: str) -> None:
    raise ValueError(name)


def follow(path: Path, value: Any) -> Any:
    """The value at `path` below `value`, or MISSING. Names may have dots: the longest that exists counts."""
    place = 0
    while place < len(path):
        most = next((at for at in range(place, len(path)) if path[at][1] is not None), len(path) - 1)
        for last in range(most, place - 1, -1):
            name = path[place][0] if last == place else ".".join(part[0] for part in path[place : last + 1])
            found = item(value, name)
            if found is not MISSING:
                break
        else:
            return MISSING
        value, index = found, path[last][1]
        place = last + 1
        if index is not None:
            value = at(value, index)
            if value is MISSING:
                return MISSING
    return value


def item(value: Any, name: str) -> Any:
    """By name, whatever its case; `length` of arrays and texts; MISSING."""
    if not name:
        return MISSING
    if isinstance(value, dict):
        if name in value:
            found = value[name]
        else:
            low = name.lower()
            size = len(low)  # which lower() keeps, of ASCII
            found = next(
                (
                    one
                    for key, one in value.items()
                    if (len(key) == size or not key.isascii()) and key.lower() == low
                ),
                MISSING,
            )
        return MISSING if found is UNDEFINED else found
    if isinstance(value, list | str) and name == "length":
        return (
            len(value) if isinstance(value, list) or value.isascii() else len(value.encode("utf-16-le")) // 2
        )
    if isinstance(value, list) and name.isascii() and name.isdigit() and str(int(name)) == name:
        return value[int(name)] if int(name) < len(value) else MISSING
    return MISSING


def at(value: Any, index: int) -> Any:
    if not isinstance(value, list):
        return MISSING
    place = index + len(value) if index < 0 else index
    return value[place] if 0 <= place < len(value) else MISSING
