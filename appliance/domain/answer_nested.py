"""Answers that hold answers: multipletext and paneldynamic."""

from __future__ import annotations

from typing import Any

from appliance.domain.answer_matrix import check_all, lenient
from appliance.domain.element import Elements, Question, collect
from appliance.domain.element import question as as_question
from appliance.domain.faults import Faults, token
from appliance.domain.field import Checks, Context, needs, refuse
from appliance.domain.node import Node
from appliance.domain.survey_core import MAX_PANELS, TEXTS
from appliance.domain.values import is_empty, js_text


def items(node: Node, *, lenient: bool = False) -> Elements:
    """The items of a multipletext, each a text question."""
    return Elements(tuple(as_question(item, "text", lenient=lenient) for item in node.nodes("items")), ())


def multipletext_checks(question: Question, context: Context) -> Checks:
    scope = context.build(items(question.node, lenient=question.lenient), context)

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, dict):
            return refuse(faults, path, needs("an object", value))
        return scope.check(value, path, faults)

    return Checks(accept, when_empty={} if scope.demands else None)


def template(node: Node, *, lenient: bool = False) -> Elements:
    """The questions of one panel; which panels show may depend on templateVisibleIf."""
    conditional = bool(node.values.get("templateVisibleIf"))
    return collect(node.nodes("templateElements"), conditional=conditional, lenient=lenient or conditional)


def paneldynamic_checks(question: Question, context: Context) -> Checks:
    node = question.node
    elements = template(node)
    scope = context.build(lenient(elements) if question.lenient else elements, context)
    most = (
        MAX_PANELS
        if node.value("maxPanelCount") is None
        else min(int(node.value("maxPanelCount")), MAX_PANELS)
    )
    least = min(int(node.value("minPanelCount")), most)
    unanswered = min(max(int(node.value("panelCount")), least), most)
    key = node.text("keyName")
    repeated = node.text("keyDuplicationError", context.locale) or TEXTS["keyDuplicationError"]

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, list):
            return refuse(faults, path, needs("an array of panels", value))
        if len(value) > most:
            return refuse(faults, path, f"more than {most} panels")
        stored = check_all(scope, value, len(value) or unanswered, path, faults)
        if key:
            _check_unique(stored, key, path, faults, repeated)
        return stored

    return Checks(accept, when_empty=[] if scope.demands else None)


def _check_unique(panels: list[dict[str, Any]], key: str, path: str, faults: Faults, message: str) -> None:
    """The first panel with a value keeps it; survey-core marks the later ones."""
    seen: set[str] = set()
    for place, panel in enumerate(panels):
        if is_empty(panel.get(key)):
            continue
        value = js_text(panel[key])
        if value in seen:
            faults.add(f"{path}/{place}{token(key)}", message)
        seen.add(value)
