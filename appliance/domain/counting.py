"""How many rows or panels there are, where an expression or another answer says it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from appliance.domain.evaluation import Run
from appliance.domain.logic import bounded, condition, count_of
from appliance.domain.node import Node
from appliance.domain.reference import MISSING, reference
from appliance.domain.values import js_text
from appliance.domain.view import View

BINDABLE: Final = {"matrixdynamic": "rowCount", "paneldynamic": "panelCount"}
"""What `bindings` may lead another answer to."""
Count = Callable[[View], int]


def counted(node: Node, name: str, least: int, most: int) -> Count | None:
    """Of a question without an answer; `name` is rowCount or panelCount. None for the number in the form."""
    run = count_expression(node, name)
    if run is not None:
        return lambda view: count_of(run, view, least, most)
    bound = _bound_to(node, name)
    if not bound:
        return None
    at, otherwise = reference(bound), int(node.value(name) or 0)

    def count(view: View) -> int:
        found = view.find(at)
        return otherwise if found is MISSING or not found else bounded(found, least, most)

    return count


def count_expression(node: Node, name: str) -> Run | None:
    return condition(node, f"{name}Expression")


def _bound_to(node: Node, name: str) -> str:
    bindings = node.values.get("bindings")
    return js_text(bindings.get(name) or "") if isinstance(bindings, dict) else ""
