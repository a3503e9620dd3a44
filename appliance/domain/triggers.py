"""What survey-core sets when an answer changes, as far as it happens while a finished answer is judged.

Loading data changes nothing, so no trigger runs then; the page ran them while the form was filled in. At
completion, answers to what does not show go one by one, and each that goes is a change: setValueIf,
setValueExpression and resetValueIf run for it. A trigger of type `visible` is a condition of what it shows:
it has been asked once one of the names in its expression has an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from appliance.domain.comparison import is_empty
from appliance.domain.computed import accepted, put
from appliance.domain.evaluation import Run, compile_text
from appliance.domain.expression import Call, Name, walk
from appliance.domain.expression_parser import parse_expression
from appliance.domain.field import Field
from appliance.domain.javascript import UNDEFINED, truthy
from appliance.domain.logic import Switch, ask
from appliance.domain.node import Node
from appliance.domain.reference import reference
from appliance.domain.values import js_text, to_number
from appliance.domain.view import Json, View

MAX_CHANGES = 1_000
"""Values set in a row; survey-core would go on until its stack is full."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An expression, and when it is due."""

    run: Run
    uses: frozenset[str]
    """The names in the data that it asks for, in lower case."""
    always: bool
    """It calls a function or asks for nothing: due whatever changed."""


def asked(text: str) -> Asked | None:
    if not text:
        return None
    nodes = list(walk(parse_expression(text)))
    uses = frozenset(reference(one.name).path[0][0].lower() for one in nodes if isinstance(one, Name))
    return Asked(compile_text(text), uses, not uses or any(isinstance(one, Call) for one in nodes))


@dataclass(frozen=True, slots=True)
class Setter:
    """The three properties of one question."""

    field: Field
    reset_if: Asked | None
    set_if: Asked | None
    value: Asked | None
    default: Any

    def due(self, values: Json, view: View, key: str) -> Iterator[Any]:
        """What it becomes; UNDEFINED for no answer."""
        if self._is_reset(values, view, key):
            yield UNDEFINED if is_empty(self.default) else self.default
        if self.set_if is not None:
            if _is_due(self.set_if, self.value, key) and truthy(ask(self.set_if.run, view)):
                yield UNDEFINED if self.value is None else ask(self.value.run, view)
        elif self.value is not None and _is_due(self.value, None, key):
            yield ask(self.value.run, view)

    def _is_reset(self, values: Json, view: View, key: str) -> bool:
        one = self.reset_if
        if one is None or is_empty(values.get(self.field.question.key)) or not _is_due(one, None, key):
            return False
        return ask(one.run, view) is True


def _is_due(first: Asked, second: Asked | None, key: str) -> bool:
    """Question.canExecuteTriggerByKeys."""
    if key in first.uses:
        return True
    if second is None:
        return first.always
    return key in second.uses or second.always


def setters(fields: Iterable[Field]) -> tuple[Setter, ...]:
    made = (_setter(field) for field in fields)
    return tuple(one for one in made if one.reset_if or one.set_if or one.value)


def _setter(field: Field) -> Setter:
    node = field.question.node
    reset, setting, value = (
        asked(node.text(name)) for name in ("resetValueIf", "setValueIf", "setValueExpression")
    )
    return Setter(field, reset, setting, value, node.values.get("defaultValue"))


def after(gone: Iterable[str], values: Json, view: View, found: tuple[Setter, ...]) -> None:
    """Runs what is due after each answer that went, and after each that was set by that."""
    due = list(gone)
    for key in due:
        for one in found:
            target = one.field.question.key
            if target == key or len(due) > MAX_CHANGES:
                continue
            accept = one.field.checks.accept
            made = (accepted(accept, value) for value in one.due(values, view, key.lower()))
            due.extend(target for value in made if put(values, target, value))


def switches(nodes: list[Node]) -> dict[str, list[Switch]]:
    """By the name of the page or question, what triggers of type `visible` say of it."""
    found: dict[str, list[Switch]] = {}
    for node in nodes:
        one = asked(trigger_expression(node)) if node.kind == "visibletrigger" else None
        if one is None:
            continue
        for name in ("pages", "questions"):
            given = node.values.get(name)
            for target in given if isinstance(given, list) else ():
                found.setdefault(js_text(target), []).append(
                    Switch(one.run, frozenset() if one.always else one.uses)
                )
    return found


def trigger_expression(node: Node) -> str:
    """buildTriggerExpression: older forms say `name`, `operator` and `value` instead."""
    text, name, value = node.text("expression"), node.text("name"), node.values.get("value")
    if text or not name:
        return text
    operator = (node.text("operator") or "equal").lower()
    if operator in ("empty", "notempty"):  # survey-core itself cannot read what it makes of these
        return f"{{{name}}} {operator} {'undefined' if value is None else _operand(value)}"
    return "" if is_empty(value) else f"{{{name}}} {operator} {_operand(value)}"


def _operand(value: Any) -> str:
    """OperandMaker.toOperandString: quotes around all but numbers, true and false."""
    text = js_text(value)
    plain = not value or to_number(value) is not None or text.lower() in ("true", "false")
    return text if plain else f"'{text}'"
