"""How much one definition may ask of a server: questions, choices, cells, patterns, calculated values."""

from __future__ import annotations

import json
from typing import Final

from appliance.domain.calculated import MAX_CALCULATED
from appliance.domain.choices import ranged
from appliance.domain.effort import MAX_TOTAL_WEIGHT
from appliance.domain.faults import Faults
from appliance.domain.naming import name_fault
from appliance.domain.node import Node
from appliance.domain.survey_core import is_a, properties
from appliance.domain.validator import regex
from appliance.domain.values import js_text

MAX_QUESTIONS: Final = 1_000
"""Questions, matrix columns and items of multipletext together."""


MAX_CELLS: Final = 20_000
"""Rows times columns of all matrices; those in a detail panel count once for each row around them."""


MAX_SHARED_CHOICES: Final = 100_000
"""Choices that are more than the definition spells out: those of a matrix, counted once for each column that
shows them, and those from choicesMin to choicesMax."""


MAX_SHARED_BYTES: Final = 1024 * 1024
"""Of the values of matrices' choices, counted in the same way."""


_NAMED: Final = frozenset({"matrixdropdowncolumn", "multipletextitem"})


def check_totals(path: str, nodes: list[Node], faults: Faults) -> None:
    for count, most, what in (
        (sum(map(is_question, nodes)), MAX_QUESTIONS, "questions"),
        (sum(map(_shared_choices, nodes)), MAX_SHARED_CHOICES, "choices in matrix cells and number ranges"),
        (sum(map(_shared_bytes, nodes)), MAX_SHARED_BYTES, "bytes of choices in matrix cells"),
    ):
        if count > most:
            faults.add(path, f"{count} {what}; a form may have {most}")


def is_question(node: Node) -> bool:
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


def check_patterns(nodes: list[Node], faults: Faults) -> None:
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


def check_calculated(survey: Node, faults: Faults) -> None:
    values = survey.nodes("calculatedValues")
    if len(values) > MAX_CALCULATED:
        message = f"{len(values)} calculated values; a form may have {MAX_CALCULATED}"
        faults.add(survey.at("calculatedValues"), message)
    for node in values:
        fault = name_fault(js_text(node.values.get("name", ""))) if node.flag("includeIntoResult") else None
        if fault is not None:
            faults.add(node.at("name"), fault)


def check_cells(node: Node, rows: int, count: int, faults: Faults) -> int:
    """`count` and the cells below `node`, which shows in `rows` rows; a fault where it is too much."""
    if node.kind in ("matrix", "matrixdropdown"):
        rows *= len(node.nodes("rows"))
        before, count = count, count + rows * len(node.nodes("columns"))
        if before <= MAX_CELLS < count:
            message = f"{count} cells, with the matrices before it; a form may have {MAX_CELLS}"
            faults.add(node.at("rows"), message)
    for child in node.children():
        count = check_cells(child, rows, count, faults)
    return count
