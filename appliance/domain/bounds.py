"""What any JSON from outside must keep to before the rules look at it: depth, sizes, and what BSON can hold.

The walk keeps its own stack, so that no nesting raises RecursionError.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from appliance.domain.faults import Faults, token

INT64: Final = 2**63
type_names: Final = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "true or false",
    type(None): "null",
}

Trail = tuple["Trail", str | int] | None
"""The way to a value, spelled as a JSON Pointer only when something is wrong there."""


def name_of(value: object) -> str:
    """The JSON type of `value`, for a message."""
    return type_names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def check_bounds(value: object, root: str, faults: Faults, *, depth: int, text: int | None = None) -> None:
    """Adds a fault for each breach below `root`: nesting above `depth`, strings above `text` UTF-8 bytes."""
    stack: list[tuple[object, Trail, int]] = [(value, None, 1)]
    while stack and not faults.full:
        found, trail, level = stack.pop()
        if level > depth:
            faults.add(_spell(root, trail), f"nested more than {depth} levels deep")
            continue
        for key, item in _items(found, root, trail, faults):
            kind = type(item)
            if kind is dict or kind is list:
                stack.append((item, (trail, key), level + 1))
            elif kind is str:
                if not item.isascii() or (text is not None and len(item) > text):  # type: ignore[attr-defined, arg-type]
                    _check_text(str(item), _spell(root, (trail, key)), faults, text)
            elif kind is not bool and item is not None:
                message = _number_fault(item)
                if message is not None:
                    faults.add(_spell(root, (trail, key)), message)


def _items(found: object, root: str, trail: Trail, faults: Faults) -> Iterator[tuple[str | int, object]]:
    if type(found) is dict:
        for key, item in found.items():
            message = key_fault(key)
            if message is None:
                yield key, item
            else:
                faults.add(_spell(root, trail), f"the name {ascii(key)[:80]} {message}")
    elif type(found) is list:
        yield from enumerate(found)


def key_fault(key: object) -> str | None:
    """Why no document can have this name, or None."""
    if type(key) is not str:
        return "is not a string"
    if "\0" in key:
        return "has a NUL character in it"
    if not key.isascii() and not _is_utf8(key):
        return "has half a surrogate pair in it and cannot be written as UTF-8"
    return None


def _check_text(item: str, path: str, faults: Faults, most: int | None) -> None:
    if not _is_utf8(item):
        faults.add(path, "has half a surrogate pair in it and cannot be written as UTF-8")
    elif most is not None and len(item.encode()) > most:
        faults.add(path, f"longer than {most} bytes")


def _number_fault(item: object) -> str | None:
    if isinstance(item, int):
        return None if -INT64 <= item < INT64 else "a whole number beyond 64 bits"
    if isinstance(item, float):
        return None if math.isfinite(item) else "not a finite number"
    return f"{type(item).__name__} is no JSON type"


def _is_utf8(item: str) -> bool:
    try:
        item.encode()
    except UnicodeEncodeError:
        return False
    return True


def _spell(root: str, trail: Trail) -> str:
    steps: list[str] = []
    while trail is not None:
        trail, key = trail
        steps.append(token(key))
    return root + "".join(reversed(steps))
