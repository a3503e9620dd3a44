"""What makes a readable definition a usable one: names, ranges, choices, patterns, and bounds on them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any, Final

from appliance.domain.answer_table import cells
from appliance.domain.answer_text import input_type
from appliance.domain.capacity import check_calculated, check_cells, check_patterns, check_totals
from appliance.domain.choices import MAX_CHOICES
from appliance.domain.dates import KINDS, parse_limit
from appliance.domain.element import collect
from appliance.domain.expression_check import check_expressions
from appliance.domain.faults import Faults
from appliance.domain.naming import name_fault
from appliance.domain.node import Node
from appliance.domain.offers import MAX_CHAIN
from appliance.domain.survey_core import is_a, properties
from appliance.domain.usable import check_kind
from appliance.domain.values import js_text, same_key, to_number

MAX_BYTES: Final = 512 * 1024
MAX_DEPTH: Final = 100
"""Of JSON. Elements within elements are bounded closer, by node.MAX_NESTING."""
MAX_TEXT: Final = 64 * 1024

_LISTS: Final = ("choices", "rows", "columns", "areas", "rateValues", "items")
_RANGES: Final = (
    ("min", "max", False),
    ("minValue", "maxValue", False),
    ("minLength", "maxLength", True),
    ("minCount", "maxCount", True),
    ("minSelectedChoices", "maxSelectedChoices", True),
    ("minSelectedAreas", "maxSelectedAreas", True),
    ("minRangeLength", "maxRangeLength", True),
    ("minRowCount", "maxRowCount", True),
    ("minPanelCount", "maxPanelCount", True),
    ("rateMin", "rateMax", False),
    ("choicesMin", "choicesMax", True),
)
"""Pairs of properties; where the last is true, 0 means that there is no limit."""


def check_definition(survey: Node, faults: Faults) -> None:
    """Adds a fault for each thing in a readable definition that cannot be used."""
    nodes = list(survey.walk())
    for node in nodes:
        if faults.full:
            return
        if is_a(node.kind, "itemvalue"):
            continue
        for one in _judged(node):
            _check_ranges(one, faults)
            _check_lists(one, faults)
            check_kind(one, faults)
    check_totals(survey.path, nodes, faults)
    check_patterns(nodes, faults)
    check_expressions(survey, faults)
    _check_givers(survey, faults)
    check_calculated(survey, faults)
    check_cells(survey, 1, 0, faults)
    if survey.nodes("pages") and survey.nodes("elements"):
        faults.add(
            survey.at("elements"), "a survey has pages or elements, not both: survey-core drops one of them"
        )
    if not collect(top_elements(survey)).questions and not faults.found:
        faults.add(survey.path, "the form has no questions: it needs pages with elements")
    for scope in _scopes(survey):
        _check_names(scope, faults)


def _check_givers(survey: Node, faults: Faults) -> None:
    """choicesFromQuestion leads to choices at last, not round in a circle."""
    named = {one.name: one.node for one in collect(top_elements(survey)).questions}
    for node in named.values():
        seen, name = {node.path}, node.text("choicesFromQuestion")
        while (other := named.get(name)) is not None and name:
            if other.path in seen and len(seen) > 1:
                faults.add(
                    node.at("choicesFromQuestion"), "these questions take their choices from each other"
                )
                break
            if other.path in seen or len(seen) > MAX_CHAIN:
                break
            seen.add(other.path)
            name = other.text("choicesFromQuestion")


def _judged(node: Node) -> list[Node]:
    """A matrix column is judged with its matrix, as the question it puts into the cells."""
    if node.kind == "matrixdropdowncolumn":
        return []
    if is_a(node.kind, "matrixdropdownbase"):
        columns = zip(node.nodes("columns"), cells(node), strict=True)
        return [node, *(replace(column, kind=cell.kind) for column, cell in columns)]
    return [node]


def top_elements(survey: Node) -> list[Node]:
    """Pages, and what stands on the survey itself, which survey-core takes for one more page."""
    return [*survey.nodes("pages"), *survey.nodes("elements")]


def _scopes(survey: Node) -> Iterator[list[Node]]:
    """What shares an object of answers and so must not share a name: one list for each such object."""
    yield [one.node for one in collect(top_elements(survey)).questions]
    for node in survey.walk():
        if is_a(node.kind, "matrixdropdownbase"):
            below = collect(node.nodes("detailElements")).questions
            yield [*node.nodes("columns"), *(one.node for one in below)]
        elif node.kind == "multipletext":
            yield node.nodes("items")
        elif node.kind == "paneldynamic":
            yield [one.node for one in collect(node.nodes("templateElements")).questions]


def _check_names(scope: list[Node], faults: Faults) -> None:
    """survey-core ignores the case of names, so two that differ by it alone are one."""
    first: dict[str, str] = {}
    for node in scope:
        if "name" not in node.values:
            continue
        name = js_text(node.values["name"])
        message = name_fault(name)
        if message is None and name.lower() in first:
            message = f"the name {name!r} is already taken by {first[name.lower()]}"
        if message is not None:
            faults.add(node.at("name"), message)
        first.setdefault(name.lower(), node.path)


@cache
def _ranges(kind: str) -> list[tuple[str, str, bool]]:
    return [row for row in _RANGES if properties(kind).keys() >= {row[0], row[1]}]


def _check_ranges(node: Node, faults: Faults) -> None:
    for low, high, zero_is_none in _ranges(node.kind):
        if low not in node.values and high not in node.values:
            continue
        least, most = _limit(node, low), _limit(node, high)
        if least is None or most is None or (zero_is_none and not (least and most)):
            continue
        at = node.at(low if low in node.values else high)
        if least > most:
            faults.add(at, f"{low} is greater than {high}")
        elif isinstance(least, float) and isinstance(most, int | float) and math.isinf(most - least):
            faults.add(at, f"{low} is too far from {high}")


def _limit(node: Node, name: str) -> Any:
    """What can be compared: a number, a moment, or None. What is not one is told by _check_text."""
    value = node.value(name)
    kind = input_type(node) if node.kind == "text" else ""
    if kind not in KINDS:
        return to_number(value)
    if not isinstance(value, str):  # a number and a moment do not compare
        return None
    try:
        return parse_limit(kind, value)
    except ValueError:
        return None


def _check_lists(node: Node, faults: Faults) -> None:
    for name in _LISTS:
        listed = node.values.get(name, ())  # of a comment, `rows` is a number
        items = [item for item in listed if isinstance(item, Node)] if isinstance(listed, list) else []
        given = [item for item in items if "value" in item.values]
        for item in items:
            if item.kind == "imagemaparea" and "value" not in item.values:  # survey-core's table lets it pass
                faults.add(item.path, "a value is needed")
        if len(given) > MAX_CHOICES:
            faults.add(node.at(name), f"{len(given)} {name}; a question may have {MAX_CHOICES}")
            continue
        seen: dict[str, str] = {}
        for item in given:
            value = item.values["value"]
            message = _value_fault(value, as_name=name == "rows")
            if message is None and seen.setdefault(same_key(value), item.path) != item.path:
                message = f"the value {js_text(value)!r} is already taken by {seen[same_key(value)]}"
            if message is not None:
                faults.add(item.path, message)


def _value_fault(value: object, *, as_name: bool) -> str | None:
    if isinstance(value, dict | list):
        return "a value is a string, a number, true or false"
    if value == "":
        return "a value is needed"
    return name_fault(js_text(value)) if as_name else None
