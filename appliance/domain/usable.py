"""Properties of questions that have to be more than their type says."""

from __future__ import annotations

import math

from appliance.domain.answer_scale import scale
from appliance.domain.answer_text import NUMBERS, input_type
from appliance.domain.capacity import is_question
from appliance.domain.counting import BINDABLE
from appliance.domain.dates import KINDS, parse_limit
from appliance.domain.element import OPENING
from appliance.domain.faults import Faults
from appliance.domain.naming import name_fault
from appliance.domain.node import Node
from appliance.domain.survey_core import is_a, is_class
from appliance.domain.values import js_text, to_number


def check_kind(node: Node, faults: Faults) -> None:
    if node.kind in ("text", "multipletextitem"):
        _check_text(node, faults)
    fetched = node.values.get("choicesByUrl")
    if isinstance(fetched, Node) and fetched.values.get("url"):
        faults.add(
            fetched.path, "choices from a URL are not supported: the server cannot check answers against them"
        )
    if is_a(node.kind, "selectbase"):
        _check_openings(node, faults)
    _check_values(node, faults)


def _check_openings(node: Node, faults: Faults) -> None:
    """Questions within choices: survey-core shows those of two types."""
    in_cell = node.values.get("cellType") is not None
    for choice in node.nodes("choices"):
        if choice.values.get("elements") and (node.kind not in OPENING or in_cell):
            where = "of a matrix cell" if in_cell else f"of a {node.kind}"
            faults.add(choice.at("elements"), f"survey-core shows no questions in the choices {where}")


def _check_values(node: Node, faults: Faults) -> None:
    """Properties that have to be more than a number."""
    for name in ("rateStep", "choicesStep", "step"):
        if name in node.values and isinstance(node.values[name], int | float) and node.values[name] <= 0:
            faults.add(node.at(name), "a step is greater than 0")
    for name in ("maxRowCount", "maxPanelCount"):
        if name in node.values and node.values[name] < 1:
            faults.add(node.at(name), "at least 1")
    if node.kind == "rating" and not all(map(math.isfinite, scale(node))):
        faults.add(node.at("rateCount"), "with so many steps the scale has no end")
    if is_question(node):
        value_name = node.values.get("valueName")
        _check_bindings(node, faults)
        message = name_fault(js_text(value_name)) if value_name else None
        if message is not None:
            faults.add(node.at("valueName"), message)


def _check_bindings(node: Node, faults: Faults) -> None:
    """survey-core lets another answer say how many rows or panels there are, and nothing else."""
    bindings, known = node.values.get("bindings"), BINDABLE.get(node.kind)
    if bindings is None or bindings == {}:
        return
    fits = isinstance(bindings, dict) and list(bindings) == [known]
    if not fits or not isinstance(bindings[known], str):
        what = f"{{{known!r}: a question's name}}" if known else "none for this type of question"
        faults.add(node.at("bindings"), f"bindings that can be evaluated: {what}")


def _check_text(node: Node, faults: Faults) -> None:
    kind = input_type(node)
    mask = node.text("maskType") or "none"
    if mask != "none" and not is_class(f"{mask}mask"):
        faults.add(node.at("maskType"), f"no mask type: {mask[:80]!r}")
    for name in ("min", "max"):
        value = node.values.get(name)
        message = None if value is None or value == "" else _bound_fault(kind, value)
        if message is not None:
            faults.add(node.at(name), message)


def _bound_fault(kind: str, value: object) -> str | None:
    if kind in NUMBERS and to_number(value) is None:
        return f"a number is needed for inputType {kind}"
    if kind not in KINDS:
        return None
    try:
        parse_limit(kind, js_text(value))
    except ValueError as fault:
        return f"cannot be read as {kind}: {fault}"
    return None
