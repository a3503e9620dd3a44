"""What makes a readable definition a usable one: names, ranges, choices, patterns, and bounds on them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any, Final

from appliance.domain.answer_matrix import cells
from appliance.domain.answer_scale import scale
from appliance.domain.answer_text import NUMBERS, input_type
from appliance.domain.bounds import key_fault
from appliance.domain.choices import MAX_CHOICES, ranged
from appliance.domain.dates import KINDS, parse_limit
from appliance.domain.effort import MAX_TOTAL_WEIGHT
from appliance.domain.element import collect
from appliance.domain.faults import Faults
from appliance.domain.node import Node
from appliance.domain.survey_core import is_a, is_class, properties
from appliance.domain.validator import regex
from appliance.domain.values import SPACE, js_text, same_key, to_number

MAX_BYTES: Final = 512 * 1024
MAX_DEPTH: Final = 100
"""Of JSON. Elements within elements are bounded closer, by node.MAX_NESTING."""
MAX_TEXT: Final = 64 * 1024
MAX_QUESTIONS: Final = 1_000
"""Questions, matrix columns and items of multipletext together."""
MAX_CELLS: Final = 20_000
"""Rows times columns of all matrices; those in a detail panel count once for each row around them."""
MAX_SHARED_CHOICES: Final = 100_000
"""Choices that are more than the definition spells out: those of a matrix, counted once for each column that
shows them, and those from choicesMin to choicesMax."""
MAX_SHARED_BYTES: Final = 1024 * 1024
"""Of the values of matrices' choices, counted in the same way."""
MAX_NAME: Final = 200

_NAMED: Final = frozenset({"matrixdropdowncolumn", "multipletextitem"})
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
            _check_kind(one, faults)
    _check_totals(survey.path, nodes, faults)
    _check_patterns(nodes, faults)
    _check_cells(survey, 1, 0, faults)
    if survey.nodes("pages") and survey.nodes("elements"):
        faults.add(
            survey.at("elements"), "a survey has pages or elements, not both: survey-core drops one of them"
        )
    if not collect(top_elements(survey)).questions and not faults.found:
        faults.add(survey.path, "the form has no questions: it needs pages with elements")
    for scope in _scopes(survey):
        _check_names(scope, faults)


def _check_totals(path: str, nodes: list[Node], faults: Faults) -> None:
    for count, most, what in (
        (sum(map(_is_question, nodes)), MAX_QUESTIONS, "questions"),
        (sum(map(_shared_choices, nodes)), MAX_SHARED_CHOICES, "choices in matrix cells and number ranges"),
        (sum(map(_shared_bytes, nodes)), MAX_SHARED_BYTES, "bytes of choices in matrix cells"),
    ):
        if count > most:
            faults.add(path, f"{count} {what}; a form may have {most}")


def _is_question(node: Node) -> bool:
    return is_a(node.kind, "question") or node.kind in _NAMED


def _shared_choices(node: Node) -> int:
    """Choices of a matrix times the columns that have none of their own; those that a range makes."""
    if is_a(node.kind, "matrixdropdownbase"):
        return len(node.nodes("choices")) * _sharing(node)
    return ranged(node) if "choicesMax" in properties(node.kind) or "choicesMax" in node.values else 0


def _sharing(matrix: Node) -> int:
    return sum(not column.values.get("choices") for column in matrix.nodes("columns"))


def _shared_bytes(node: Node) -> int:
    if not is_a(node.kind, "matrixdropdownbase"):
        return 0
    values = (js_text(choice.values.get("value")) for choice in node.nodes("choices"))
    return sum(len(json.dumps(value)) for value in values) * _sharing(node)


def _check_patterns(nodes: list[Node], faults: Faults) -> None:
    """Each compiles as it will be used, and all together are not too many to keep."""
    total = 0
    for node in nodes:
        if node.kind != "regexvalidator":
            continue
        try:
            total += regex(node).weight
        except ValueError as fault:
            faults.add(node.at("regex"), f"this pattern cannot be used: {fault}")
        if total > MAX_TOTAL_WEIGHT or faults.full:
            message = f"the patterns up to this one have {total} places; a form may have {MAX_TOTAL_WEIGHT}"
            faults.add(node.at("regex"), message)
            return


def _check_cells(node: Node, rows: int, count: int, faults: Faults) -> int:
    """`count` and the cells below `node`, which shows in `rows` rows; a fault where it is too much."""
    if node.kind in ("matrix", "matrixdropdown"):
        rows *= len(node.nodes("rows"))
        before, count = count, count + rows * len(node.nodes("columns"))
        if before <= MAX_CELLS < count:
            message = f"{count} cells, with the matrices before it; a form may have {MAX_CELLS}"
            faults.add(node.at("rows"), message)
    for child in node.children():
        count = _check_cells(child, rows, count, faults)
    return count


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


def name_fault(name: str) -> str | None:
    """Why no answer can be stored under `name`, or None."""
    if not name.strip(SPACE):
        return "a name is needed"
    if name.startswith("$"):
        return "a name must not begin with $"
    if name != name.strip(SPACE) or "{" in name or "}" in name or name.startswith("#"):
        return "survey-core would change this name: no {, }, leading # or space around it"
    if name in ("__proto__", "constructor", "prototype"):
        return "this name means something else to JavaScript"
    if len(name) > MAX_NAME:
        return f"a name may have {MAX_NAME} characters"
    message = key_fault(name)
    return None if message is None else f"the name {message}"


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
    if kind not in KINDS or not isinstance(value, str) or not value:
        return to_number(value)
    try:
        return parse_limit(kind, value)
    except ValueError:
        return None


def _check_lists(node: Node, faults: Faults) -> None:
    for name in _LISTS:
        items = [item for item in node.values.get(name, ()) if isinstance(item, Node)]
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


def _check_kind(node: Node, faults: Faults) -> None:
    if node.kind in ("text", "multipletextitem"):
        _check_text(node, faults)
    fetched = node.values.get("choicesByUrl")
    if isinstance(fetched, Node) and fetched.values.get("url"):
        faults.add(
            fetched.path, "choices from a URL are not supported: the server cannot check answers against them"
        )
    _check_values(node, faults)


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
    if _is_question(node):
        value_name = node.values.get("valueName")
        message = name_fault(js_text(value_name)) if value_name else None
        if message is not None:
            faults.add(node.at("valueName"), message)


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
