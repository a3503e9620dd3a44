"""What makes a readable definition a usable one: names, ranges, choices, patterns, and bounds on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any, Final

from appliance.domain.answer_matrix import cells
from appliance.domain.answer_text import NUMBERS, input_type
from appliance.domain.bounds import key_fault
from appliance.domain.choices import MAX_CHOICES
from appliance.domain.dates import KINDS, parse_limit
from appliance.domain.element import collect
from appliance.domain.faults import Faults
from appliance.domain.node import Node
from appliance.domain.pattern import compile_pattern
from appliance.domain.survey_core import is_a, is_class, properties
from appliance.domain.values import SPACE, js_text, same_key, to_number

MAX_BYTES: Final = 512 * 1024
MAX_DEPTH: Final = 100
"""Of JSON. Elements within elements are bounded closer, by node.MAX_NESTING."""
MAX_TEXT: Final = 64 * 1024
MAX_QUESTIONS: Final = 1_000
"""Questions, matrix columns and items of multipletext together."""
MAX_CELLS: Final = 20_000
"""Rows times columns of one matrix."""
MAX_SHARED_CHOICES: Final = 100_000
"""Choices of matrices, counted once for each column that shows them."""
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
    count = shared = 0
    for node in survey.walk():
        if faults.full:
            return
        shared += _shared_choices(node)
        count += is_a(node.kind, "question") or node.kind in _NAMED
        if is_a(node.kind, "itemvalue"):
            continue
        for one in _judged(node):
            _check_ranges(one, faults)
            _check_lists(one, faults)
            _check_kind(one, faults)
    if count > MAX_QUESTIONS:
        faults.add(survey.path, f"{count} questions; a form may have {MAX_QUESTIONS}")
    if shared > MAX_SHARED_CHOICES:
        faults.add(survey.path, f"{shared} choices in matrix cells; a form may have {MAX_SHARED_CHOICES}")
    if survey.nodes("pages") and survey.nodes("elements"):
        faults.add(
            survey.at("elements"), "a survey has pages or elements, not both: survey-core drops one of them"
        )
    if not collect(top_elements(survey)).questions and not faults.found:
        faults.add(survey.path, "the form has no questions: it needs pages with elements")
    for scope in _scopes(survey):
        _check_names(scope, faults)


def _shared_choices(node: Node) -> int:
    """Choices of a matrix times the columns that have none of their own."""
    if not is_a(node.kind, "matrixdropdownbase"):
        return 0
    return len(node.nodes("choices")) * sum(
        not column.values.get("choices") for column in node.nodes("columns")
    )


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
        if least > most:
            faults.add(node.at(low if low in node.values else high), f"{low} is greater than {high}")


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
        given = [
            item for item in node.values.get(name, ()) if isinstance(item, Node) and "value" in item.values
        ]
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
    if node.kind == "regexvalidator":
        _check_regex(node, faults)
    elif node.kind in ("text", "multipletextitem"):
        _check_text(node, faults)
    elif node.kind in ("matrixdropdown", "matrix"):
        cells = len(node.nodes("rows")) * len(node.nodes("columns"))
        if cells > MAX_CELLS:
            faults.add(node.at("rows"), f"{cells} cells; a matrix may have {MAX_CELLS}")
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
    if is_a(node.kind, "question") or node.kind in _NAMED:
        value_name = node.values.get("valueName")
        message = name_fault(js_text(value_name)) if value_name else None
        if message is not None:
            faults.add(node.at("valueName"), message)


def _check_regex(node: Node, faults: Faults) -> None:
    source = node.values.get("regex")
    if source is None or source == "":
        return
    try:
        compile_pattern(js_text(source))
    except ValueError as fault:
        faults.add(node.at("regex"), f"this pattern cannot be used: {fault}")


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
