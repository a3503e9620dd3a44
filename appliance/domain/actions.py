"""Triggers that set values. They run where the server computes another value than was sent: that is a change.

What the page computed and sent along changes nothing, so there the values count that its triggers set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.comparison import values_equal
from appliance.domain.computed import accepted, put, stored
from appliance.domain.field import Field
from appliance.domain.javascript import UNDEFINED
from appliance.domain.logic import ask
from appliance.domain.node import Node
from appliance.domain.reference import MISSING, reference
from appliance.domain.triggers import Asked, asked, trigger_expression
from appliance.domain.values import js_text
from appliance.domain.view import Json, View

MAX_PASSES: Final = 3
"""How often survey-core looks at its triggers again because one of them set something."""


@dataclass(frozen=True, slots=True)
class Action:
    """One trigger of type setvalue, copyvalue or runexpression."""

    when: Asked | None
    uses: frozenset[str]
    target: str
    value: Callable[[View], Any]
    """MISSING where nothing is to be set."""
    is_variable: bool

    def due(self, changed: set[str], view: View) -> bool:
        if {self.target.lower()} == changed:
            return False
        if self.when is None:
            return not self.uses.isdisjoint(changed)
        if self.when.always or not self.uses.isdisjoint(changed):
            return ask(self.when.run, view) is True
        return False


def actions(nodes: Iterable[Node]) -> tuple[Action, ...]:
    made = (_action(node) for node in nodes if node.kind in _VALUES and node.values.get("setToName"))
    return tuple(one for one in made if one.when is not None or one.uses)


def _action(node: Node) -> Action:
    when = asked(trigger_expression(node))
    uses = when.uses if when is not None else frozenset()
    if node.kind == "copyvaluetrigger":
        uses |= {reference(js_text(node.values["fromName"])).path[0][0].lower()}
    variable = node.kind == "setvaluetrigger" and node.flag("isVariable")
    return Action(when, uses, js_text(node.values["setToName"]), _VALUES[node.kind](node), variable)


def _given(node: Node) -> Callable[[View], Any]:
    value = node.values.get("setValue")
    return lambda view: value


def _copied(node: Node) -> Callable[[View], Any]:
    at = reference(js_text(node.values["fromName"]))
    return lambda view: view.find(at)


def _computed(node: Node) -> Callable[[View], Any]:
    one = asked(node.text("runExpression"))
    if one is None:
        return lambda view: MISSING

    def value(view: View) -> Any:
        found = ask(one.run, view)
        return MISSING if found is UNDEFINED else found

    return value


_VALUES: Final[Mapping[str, Callable[[Node], Callable[[View], Any]]]] = {
    "setvaluetrigger": _given,
    "copyvaluetrigger": _copied,
    "runexpressiontrigger": _computed,
}


@dataclass(slots=True)
class Watch:
    """What the values of computed questions were when the triggers last looked."""

    actions: tuple[Action, ...]
    fields: Mapping[str, Field]
    seen: dict[str, Any]
    """By name: at first as they were sent."""

    def run(self, values: Json, view: View) -> bool:
        """Whether a trigger set something."""
        changed = self._changed(values)
        any_set = False
        for _ in range(MAX_PASSES):
            if not changed:
                break
            changed = {one.lower() for one in self._pass(changed, values, view)}
            any_set = any_set or bool(changed)
        return any_set

    def _changed(self, values: Json) -> set[str]:
        found = {name for name, was in self.seen.items() if not values_equal(was, values.get(name))}
        self.seen.update((name, values.get(name)) for name in found)
        return {name.lower() for name in found}

    def _pass(self, changed: set[str], values: Json, view: View) -> list[str]:
        return [one.target for one in self.actions if one.due(changed, view) and self._set(one, values, view)]

    def _set(self, one: Action, values: Json, view: View) -> bool:
        value = one.value(view)
        if value is MISSING:
            return False
        if one.is_variable:
            return put(view.session.variables, one.target.lower(), value)
        field = self.fields.get(one.target)
        taken = stored(value) if field is None else accepted(field.checks.accept, value)
        return put(values, one.target, taken)
