"""A definition as survey-core's table reads it: objects of known classes, properties known and typed.

Older names are replaced by today's, choices written as plain values become nodes, nulls are left out. What a
property means is the business of `definition` and `form`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.bounds import name_of
from appliance.domain.faults import Faults, token
from appliance.domain.node import Node
from appliance.domain.survey_core import (
    CELLS,
    QUESTIONS,
    Property,
    cell_properties,
    is_a,
    is_class,
    properties,
)
from appliance.domain.values import js_text, text_in

MAX_NESTING: Final = 20
"""Elements within elements."""


_TEXT: Final = frozenset(
    {"string", "condition", "expression", "text", "html", "color", "file", "question_carryforward"}
)


_SWITCH: Final = frozenset({"boolean", "switch"})


_FREE: Final = frozenset({"value", "rowvalue", "panelvalue", "triggervalue", "bindings", "cells", "datetime"})


_LISTS: Final = frozenset({"set", "pages", "questions"})


_WAS_TEXT: Final = frozenset({"showProgressBar", "showNavigationButtons", "showPreviewBeforeComplete"})
"""Switches of presentation that were words ("top") in older versions; survey-core still reads those."""


@dataclass(frozen=True, slots=True)
class _Place:
    path: str
    level: int
    cell: str = "dropdown"
    """What a column of cellType `default` has in its cells here."""

    def step(self, key: str | int, *, deeper: bool = False, cell: str | None = None) -> _Place:
        return _Place(self.path + token(key), self.level + deeper, cell or self.cell)


def read_survey(definition: Mapping[str, object], path: str, faults: Faults) -> Node:
    """The definition as a node of class `survey`; what cannot be read is left out and is a fault."""
    return _read(definition, "survey", properties("survey"), _Place(path, 0), faults)


def _read(
    given: Mapping[str, object], kind: str, known: Mapping[str, Property], place: _Place, faults: Faults
) -> Node:
    values: dict[str, Any] = {}
    cell = given.get("cellType")
    below = _Place(place.path, place.level, cell if isinstance(cell, str) and cell in CELLS else place.cell)
    for name, value in given.items():
        if faults.full:
            break
        one = known.get(name)
        if one is None:
            if name != "type":
                faults.add(place.path + token(name), _unknown(name, kind, known))
        elif value is not None:
            found = _value(value, one, given, below.step(name), faults)
            if found is not None:
                values[one.name] = found
    for one in set(known.values()):
        if one.required and one.name not in values and not faults.full and _is_missing(one, given, known):
            faults.add(place.path, f"{one.name} is required in {kind}")
    return Node(kind, place.path, values)


def _is_missing(one: Property, given: Mapping[str, object], known: Mapping[str, Property]) -> bool:
    """Not given at all; what was given and refused has its own fault."""
    return not any(known[name] is one and given.get(name) is not None for name in given if name in known)


def _value(value: object, one: Property, owner: Mapping[str, object], place: _Place, faults: Faults) -> Any:
    """The value as kept, or None after a fault."""
    if one.array and (one.item or one.base):
        return _list(value, one, place, faults)
    if one.item:
        return _object(value, _class_of(one.item, owner), place, faults)
    message = _fault(value, one)
    if message is None:
        return value
    faults.add(place.path, message)
    return None


def _list(value: object, one: Property, place: _Place, faults: Faults) -> list[Node] | None:
    if not isinstance(value, list):
        faults.add(place.path, f"an array is needed, not {name_of(value)}")
        return None
    if one.base == "question" and place.level >= MAX_NESTING:
        faults.add(place.path, f"elements are nested more than {MAX_NESTING} deep")
        return None
    read = _element if one.base else _item
    found = (
        read(item, one, place.step(index, deeper=bool(one.base)), faults) for index, item in enumerate(value)
    )
    return [node for node in found if node is not None]


def _element(item: object, one: Property, place: _Place, faults: Faults) -> Node | None:
    """An object that names its own class."""
    if not isinstance(item, dict):
        faults.add(place.path, f"an object is needed, not {name_of(item)}")
        return None
    named = item.get("type")
    if not isinstance(named, str):
        faults.add(place.path + "/type" if "type" in item else place.path, "type is required, a string")
        return None
    kind = named.lower()
    if one.suffix and one.suffix not in kind:
        kind += one.suffix
    if not _may_be(kind, one.base):
        faults.add(place.path + "/type", _unknown_type(named, one))
        return None
    return _read(item, kind, properties(kind), place, faults)


def _may_be(kind: str, base: str) -> bool:
    if base == "question":
        return kind in QUESTIONS or (is_class(kind) and is_a(kind, "panel") and kind != "page")
    return is_class(kind) and is_a(kind, base) and kind != base


def _unknown_type(named: str, one: Property) -> str:
    what = "question" if one.base == "question" else (one.suffix or one.base)
    names = [*QUESTIONS, "panel"] if what == "question" else [name for name in _children(one) if name]
    return f"no {what} type of survey-core: {named[:80]!r}{_nearest(named, names)}"


def _children(one: Property) -> list[str]:
    stems = ("numeric", "text", "answercount", "regex", "email", "expression")
    return (
        list(stems)
        if one.suffix == "validator"
        else ["complete", "setvalue", "copyvalue", "skip", "runexpression"]
    )


def _item(item: object, one: Property, place: _Place, faults: Faults) -> Node | None:
    """An object of the one class that may stand here; for a choice its value alone will do."""
    if is_a(one.item, "itemvalue") and not isinstance(item, dict | list):
        return _choice(item, one.item, place, faults)
    if one.item != "matrixdropdowncolumn" or not isinstance(item, dict):
        return _object(_valued(item, one.item), one.item, place, faults)
    named = item.get("cellType", "default")
    cell = place.cell if named == "default" else named
    if not isinstance(cell, str) or cell not in CELLS:
        faults.add(
            place.path + "/cellType",
            f"no cell type: {js_text(named)[:80]!r}{_nearest(js_text(named), CELLS)}",
        )
        return None
    return _read(item, one.item, cell_properties(cell), place, faults)


def _valued(item: object, kind: str) -> object:
    """survey-core takes the text of {"text": …} for the value too."""
    if isinstance(item, dict) and is_a(kind, "itemvalue") and list(item) == ["text"]:
        return {"value": text_in(item["text"], ""), **item}
    return item


def _choice(item: object, kind: str, place: _Place, faults: Faults) -> Node | None:
    if isinstance(item, str) and "|" in item:
        value, _, text = item.partition("|")
        return Node(kind, place.path, {"value": value, "text": text})
    if item is None or item == "":
        faults.add(place.path, "a choice needs a value")
        return None
    return Node(kind, place.path, {"value": item})


def _object(value: object, kind: str, place: _Place, faults: Faults) -> Node | None:
    if not isinstance(value, dict):
        faults.add(place.path, f"an object is needed, not {name_of(value)}")
        return None
    return _read(value, kind, properties(kind), place, faults)


def _class_of(kind: str, owner: Mapping[str, object]) -> str:
    """The class of maskSettings is named by its neighbour maskType."""
    named = f"{owner.get('maskType')}mask"
    return named if kind == "masksettings" and is_class(named) else kind


_CHECKS: Final[tuple[tuple[frozenset[str], Callable[[object], bool], str], ...]] = (
    (_SWITCH, lambda value: isinstance(value, bool), "true or false"),
    (
        frozenset({"number", "responsiveImageSize"}),
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        "a number",
    ),
    (_TEXT, lambda value: isinstance(value, str), "a string"),
    (_LISTS, lambda value: isinstance(value, list | str), "an array"),
    (frozenset({"string[]"}), lambda value: isinstance(value, list | dict), "an array"),
    (_FREE, lambda value: True, ""),
    (
        frozenset({"any"}),
        lambda value: not isinstance(value, list | dict),
        "a string, a number, true or false",
    ),
)


def _fault(value: object, one: Property) -> str | None:
    """What keeps `value` from being this property, or None."""
    if one.localizable and isinstance(value, dict):
        wrong = [key for key, text in value.items() if not isinstance(text, str | list)]
        return f"the text of language {wrong[0]!r} is not a string" if wrong else None
    if one.type in _SWITCH and one.name in _WAS_TEXT and isinstance(value, str):
        return None
    for types, is_right, needed in _CHECKS:
        if one.type in types and not is_right(value):
            return f"{needed} is needed, not {name_of(value)}"
    if one.choices and not any(
        value == choice and (value is True) == (choice is True) for choice in one.choices
    ):
        return f"not one of {', '.join(map(js_text, one.choices[:20]))}"
    return None


def _unknown(name: str, kind: str, known: Mapping[str, Property]) -> str:
    return f"survey-core knows no property {name[:80]!r} of {kind}{_nearest(name, known)}"


def _nearest(name: str, names: Any) -> str:
    by_fold = {one.lower(): one for one in sorted(names)}
    near = difflib.get_close_matches(name[:64].lower(), by_fold, 1)
    return f"; did you mean {by_fold[near[0]]!r}?" if near else ""
