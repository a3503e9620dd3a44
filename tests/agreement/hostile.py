"""Answers that a browser would not send: survey-core takes them on trust, a server must not."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any, Final

from tests.agreement.compare import Pair

Json = dict[str, Any]
_SINGLE: Final = ("dropdown", "radiogroup", "buttongroup")
_MANY: Final = ("checkbox", "tagbox", "ranking", "imagemap")
_LISTS: Final = (*_MANY, "paneldynamic", "matrixdynamic", "file")
_WRONG: Final[dict[str, Any]] = {
    **{kind: {"x": 1} for kind in ("text", "comment", "boolean", "rating", *_SINGLE)},
    **dict.fromkeys(_LISTS, "x"),
    **{kind: [1] for kind in ("matrix", "matrixdropdown", "multipletext")},
    "slider": "far",
    "signaturepad": 5,
}


def spoil(chance: random.Random, definition: Json, data: Json) -> Pair:
    """The same answers with one thing in them that must be refused or computed anew."""
    data = copy.deepcopy(data)
    ways: list[Callable[[random.Random, list[Json], Json], str]] = [_name, _kind, _choice, _computed]
    elements = list(_questions([one for page in definition["pages"] for one in page["elements"]]))
    for way in chance.sample(ways, len(ways)):
        path = way(chance, elements, data)
        if path:
            return Pair(definition, data, (path,), way is _computed)
    return Pair(definition, data)


def _questions(elements: list[Json]) -> list[Json]:
    return [
        one
        for element in elements
        for one in (_questions(element["elements"]) if element["type"] == "panel" else [element])
    ]


def _name(chance: random.Random, elements: list[Json], data: Json) -> str:
    data["nobody"] = 1
    return "/data/nobody"


def _kind(chance: random.Random, elements: list[Json], data: Json) -> str:
    found = [one for one in elements if one["type"] in _WRONG]
    if not found:
        return ""
    one = chance.choice(found)
    data[one["name"]] = _WRONG[one["type"]]
    return f"/data/{one['name']}"


def _choice(chance: random.Random, elements: list[Json], data: Json) -> str:
    found = [one for one in elements if one["type"] in (*_SINGLE, *_MANY) and not _open(one)]
    if not found:
        return ""
    one = chance.choice(found)
    data[one["name"]] = "zzz" if one["type"] in _SINGLE else ["zzz"]
    return f"/data/{one['name']}"


def _open(one: Json) -> bool:
    """Takes what the list does not have: the text of `other` in its place."""
    return bool(one.get("showOtherItem") or one.get("valuePropertyName") or one.get("choicesFromQuestion"))


def _computed(chance: random.Random, elements: list[Json], data: Json) -> str:
    found = [one for one in elements if one["type"] == "expression" and not one.get("readOnly")]
    if not found:
        return ""
    one = chance.choice(found)
    data[one["name"]] = "forged"
    return f"/data/{one['name']}"
