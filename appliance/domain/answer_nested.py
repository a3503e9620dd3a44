"""Answers that hold answers: multipletext and paneldynamic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from appliance.domain.answer_table import all_parts, gather_list, read_all
from appliance.domain.counting import counted
from appliance.domain.element import Elements, Question, collect
from appliance.domain.element import question as as_question
from appliance.domain.faults import Faults, token
from appliance.domain.field import Checks, Context, needs, refuse
from appliance.domain.logic import condition
from appliance.domain.message import Message, Said
from appliance.domain.nested import Nested, Part
from appliance.domain.node import Node
from appliance.domain.survey_core import MAX_PANELS
from appliance.domain.values import is_empty, js_text


def items(node: Node, *, lenient: bool = False) -> Elements:
    """The items of a multipletext, each a text question."""
    return Elements(tuple(as_question(item, "text", lenient=lenient) for item in node.nodes("items")), ())


def multipletext_checks(question: Question, context: Context) -> Checks:
    scope = context.build(items(question.node), context)

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, dict):
            return refuse(faults, path, needs("an object", value))
        return scope.read(value, path, faults)

    def parts(stored: Any) -> list[Part]:
        return [("", scope, stored or {})]

    return Checks(accept, nested=Nested("", parts, lambda found: found[0][2], scope.demands, scope.dynamic))


def template(node: Node) -> Elements:
    """The questions of one panel."""
    return collect(node.nodes("templateElements"))


def paneldynamic_checks(question: Question, context: Context) -> Checks:
    node = question.node
    scope = context.build(template(node), context)
    most = (
        MAX_PANELS
        if node.value("maxPanelCount") is None
        else min(int(node.value("maxPanelCount")), MAX_PANELS)
    )
    least = min(int(node.value("minPanelCount") or 0), most)
    unanswered = panels_at_first(node, most)
    beside = context.shared.get(question.key, frozenset())

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, list):
            return refuse(faults, path, needs("an array of panels", value))
        if len(value) > most:
            return refuse(faults, path, f"more than {most} panels")
        return read_all(scope, value, path, faults, beside)

    def parts(stored: Any) -> list[Part]:
        return all_parts(scope, stored or [], 0 if stored else unanswered)

    visible_if = condition(node, "templateVisibleIf")
    nested = Nested(
        "panel",
        parts,
        gather_list,
        scope.demands,
        scope.dynamic,
        None if visible_if is None else (lambda step, view: visible_if(view) is True),
        _unique(node),
        counted=counted(node, "panelCount", least, most),
        blank=lambda number: all_parts(scope, [], number),
        clears_fields=True,
    )
    return Checks(accept, nested=nested)


def panels_at_first(node: Node, most: int) -> int:
    """How many there are before anything is answered."""
    return min(max(int(node.value("panelCount") or 0), int(node.value("minPanelCount") or 0)), most)


def _unique(node: Node) -> Callable[[list[tuple[Any, Any]], str, Faults], None] | None:
    key = node.text("keyName")
    if not key:
        return None
    repeated = Message("keyDuplicationError", own=node.values.get("keyDuplicationError"))
    return lambda stored, path, faults: _check_unique(stored, key, path, faults, repeated)


def _check_unique(panels: list[tuple[Any, Any]], key: str, path: str, faults: Faults, message: Said) -> None:
    """The first panel with a value keeps it; survey-core marks the later ones."""
    seen: set[str] = set()
    for place, panel in panels:
        if is_empty(panel.get(key)):
            continue
        value = js_text(panel[key])
        if isinstance(panel[key], list | dict):  # to JavaScript, no two of these are the same
            continue
        if value in seen:
            faults.add(f"{path}/{place}{token(key)}", message)
        seen.add(value)
