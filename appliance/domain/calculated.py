"""Calculated values of a form: variables that expressions see, and that may be part of the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.comparison import is_empty
from appliance.domain.computed import put, stored
from appliance.domain.evaluation import Run, compile_text
from appliance.domain.expression import Name, walk
from appliance.domain.expression_parser import parse_expression
from appliance.domain.javascript import UNDEFINED, loosely_same
from appliance.domain.node import Node
from appliance.domain.values import js_text
from appliance.domain.view import Json, View

MAX_CALCULATED: Final = 300


@dataclass(frozen=True, slots=True)
class CalculatedValue:
    name: str
    value: Run
    in_result: bool

    def run(self, view: View) -> bool:
        """Whether it changed."""
        variables, key = view.session.variables, self.name.lower()
        found = self.value(view)
        if found is UNDEFINED:
            return variables.pop(key, UNDEFINED) is not UNDEFINED
        if is_empty(found):
            was_empty = key in variables and is_empty(variables[key])
            variables[key] = found
            return not was_empty
        if key in variables and _stays(variables[key], found):
            return False
        # As in JavaScript it is the answer itself, no copy: what is cleared within that goes here too.
        return put(variables, key, found, copies=False)

    def tell(self, values: Json, view: View) -> None:
        """Puts it into the result, if it belongs there."""
        if self.in_result:
            put(values, self.name, stored(view.session.variables.get(self.name.lower())))


def _stays(was: Any, found: Any) -> bool:
    """survey-core sets no value anew that JavaScript calls equal: "0b1" and 1."""
    plain = (str, int, float)
    mixed = (
        isinstance(was, plain) and isinstance(found, plain) and isinstance(was, str) != isinstance(found, str)
    )
    return mixed and not isinstance(was, bool) and not isinstance(found, bool) and loosely_same(was, found)


def calculations(nodes: list[Node]) -> tuple[CalculatedValue, ...]:
    """What another is made of comes before it; in a circle, the first that was written is the last."""
    by_name = {js_text(node.values["name"]): node for node in nodes if node.text("expression")}
    order: list[Node] = []
    begun: set[str] = set()

    def visit(name: str) -> None:
        if name in begun:
            return
        begun.add(name)
        tree = parse_expression(by_name[name].text("expression"))
        used = {one.name for one in walk(tree) if isinstance(one, Name)}
        for other in by_name:
            if other in used:
                visit(other)
        order.append(by_name[name])

    for name in by_name:
        visit(name)
    return tuple(map(_calculation, order))


def _calculation(node: Node) -> CalculatedValue:
    name, value = js_text(node.values["name"]), compile_text(node.text("expression"))
    return CalculatedValue(name, value, node.flag("includeIntoResult"))
