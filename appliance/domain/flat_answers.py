"""Answers as a plain HTML form sends them, names and texts, turned into a response's data.

Guided by the JSON Schema of the form's version alone, so it holds for forms of either kind. It only gives
texts their types and puts them in their places; what is wrong is left as it came, for the form's rules to
say. `likes` sent twice, or once, is a list where the form wants one; `place[city]` lies within `place`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from appliance.domain.values import js_text

CONTROL: Final = "$"
"""What names begin with that are no questions: no question's name may."""

YES_AND_NO: Final = "x-boolean"
"""Marks, in a schema, the `enum` of a boolean question that has values of its own: two, yes first."""
_INNER = re.compile(r"(.+?)\[([^\[\]]*)\]")
_YES: Final = frozenset({"true", "on", "yes", "1"})
_NO: Final = frozenset({"false", "off", "no", "0"})


def answers(schema: Mapping[str, Any], pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Empty texts are no answers."""
    texts: dict[str, list[str]] = {}
    for name, text in pairs:
        if text != "" and not name.startswith(CONTROL):
            texts.setdefault(name, []).append(text)
    data: dict[str, Any] = {}
    properties = schema.get("properties", {})
    for name, given in texts.items():
        found = _INNER.fullmatch(name)
        if name in properties or found is None:
            data[name] = _value(properties.get(name, {}), given)
        elif found[2] == "":
            data[found[1]] = _value(properties.get(found[1], {}), given)
        else:
            _put(data, properties.get(found[1], {}), found[1], found[2], given)
    return data


def _put(data: dict[str, Any], schema: Any, outer: str, inner: str, given: list[str]) -> None:
    place = data.setdefault(outer, {})
    if isinstance(place, dict):
        known = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
        rest = schema.get("additionalProperties") if isinstance(schema, Mapping) else None
        place[inner] = _value(known.get(inner, rest), given)


def _value(schema: Any, given: list[str]) -> Any:
    if not isinstance(schema, Mapping):
        return given[0] if len(given) == 1 else given
    if schema.get("type") == "array":
        return [_one(schema.get("items"), text) for text in given]
    return _one(schema, given[0]) if len(given) == 1 else given


def _one(schema: Any, text: str) -> Any:
    if not isinstance(schema, Mapping):
        return text
    if isinstance(schema.get("enum"), list):
        return (_yes_or_no if schema.get(YES_AND_NO) is True else _choice)(schema["enum"], text)
    match schema.get("type"):
        case "number" | "integer":
            return _number(text)
        case "boolean":
            return _choice([True, False], text)
        case _:
            return text


def _choice(choices: list[Any], text: str) -> Any:
    """The choice that is spelt so; for true and false also as browsers send a ticked box."""
    for choice in choices:
        if (choice is True and text.lower() in _YES) or (choice is False and text.lower() in _NO):
            return choice
        if not isinstance(choice, bool | dict | list) and js_text(choice) == text:
            return choice
    return text


def _yes_or_no(choices: list[Any], text: str) -> Any:
    """A choice of two, yes first: what is spelt as one of them is that, before it is a word for yes or no."""
    found = _choice(choices, text)
    if found is text and text not in choices:
        return next(
            (one for one, words in zip(choices, (_YES, _NO), strict=False) if text.lower() in words), text
        )
    return found


def _number(text: str) -> int | float | str:
    if re.fullmatch(r"-?[0-9]{1,15}", text):
        return int(text)
    try:
        value = float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else text
