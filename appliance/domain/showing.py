"""What an element needs besides its condition to show: choices, rows, or the choice that it stands in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from appliance.domain.field import Field
from appliance.domain.logic import Logic
from appliance.domain.node import Node
from appliance.domain.survey_core import is_a, properties
from appliance.domain.values import same_key
from appliance.domain.view import View

Demand = Callable[[Any], bool]


def demands_of(fields: list[Field], logic: Logic) -> Iterator[tuple[int, Demand]]:
    """By the slot of the element."""
    for one in fields:
        node = one.question.node
        for name, demand in (("hideIfChoicesEmpty", _choices), ("hideIfRowsEmpty", _rows)):
            if name in properties(node.kind) and node.flag(name):
                yield one.slot, demand(one)
        if is_a(node.kind, "selectbase"):
            yield from _opened(one, logic)


def _choices(one: Field) -> Demand:
    offered = one.checks.offer
    if offered is None:
        some = bool(one.question.node.nodes("choices"))
        return lambda view: some
    return lambda view: not offered.is_empty(view)


def _rows(one: Field) -> Demand:
    """Of a matrix; a plain one without rows has one that needs no name."""
    node, nested, rows = one.question.node, one.checks.nested, one.checks.rows
    if rows is not None:
        return lambda view: bool(rows(view))
    if nested is None or nested.visible is None:
        some = bool(node.nodes("rows")) or node.kind == "matrix"
        return lambda view: some
    return lambda view: nested.shows_any(_answer(one, view), view)


def _answer(one: Field, view: View) -> Any:
    found = view.values.get(one.question.key)
    return found if isinstance(found, dict) else None


def _opened(one: Field, logic: Logic) -> Iterator[tuple[int, Demand]]:
    """The choices of a question that have questions in them."""
    for choice in one.question.node.nodes("choices"):
        slot = logic.slots.get(choice.path)
        if slot is not None:
            yield slot, _taken(one, choice)


def _taken(one: Field, choice: Node) -> Demand:
    key, wanted, offered = one.question.key, same_key(choice.values["value"]), one.checks.offer
    value = choice.values["value"]
    name = one.question.node.text("valuePropertyName") if one.question.kind == "checkbox" else ""

    def taken(view: View) -> bool:
        answer = view.values.get(key)
        items = answer if isinstance(answer, list) else [answer]
        view.spend(len(items))
        for item in items:
            bare = item.get(name or "value") if isinstance(item, dict) else item
            if bare is not None and same_key(bare) == wanted:
                return offered is None or offered.has(value, view)
        return False

    return taken
