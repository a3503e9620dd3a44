"""Whether the expressions of a definition can be read, and run on a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from appliance.domain.expression import Call, Const, Name, walk
from appliance.domain.expression_parser import parse_expression
from appliance.domain.faults import Faults
from appliance.domain.node import Node
from appliance.domain.survey_core import CELLS, FUNCTIONS, VARIABLES, cell_properties, is_a, properties
from appliance.domain.triggers import trigger_expression

TYPES: Final = frozenset({"condition", "expression"})
"""survey-core's types of properties that hold an expression."""
REFUSED: Final = {
    "displayValue": "what a choice is called depends on the page's language",
    "propertyValue": "the properties of a question are the page's",
    "isContainerReady": "it depends on what was shown so far",
}
"""Functions of survey-core that a server cannot answer, and why."""
UNKNOWN: Final = VARIABLES - {"locale"}
"""survey-core's own variables that a server does not know: pages as they are shown, scores of a quiz."""
_OF_THE_PAGE: Final = frozenset({"htmlconditionitem", "urlconditionitem", "completetrigger", "skiptrigger"})
"""Classes whose expressions bear on nothing but what the page shows next."""
MAX_STEPS: Final = 30
"""Of a name: `{a.b[0].c}` has three. As names may have dots themselves, each more is tried in more ways."""
MAX_TOTAL_NODES: Final = 50_000
"""Operands and operators of all expressions of a form."""


def written(node: Node, cell: str = "") -> Iterator[tuple[str, str]]:
    """The expressions of one object, by property; `cell` is the question type in a matrix column's cells."""
    known = cell_properties(cell) if cell in CELLS else properties(node.kind)
    for name, value in node.values.items():
        if isinstance(value, str) and value and name in known and known[name].type in TYPES:
            yield name, value


def check_expressions(survey: Node, faults: Faults) -> None:
    total = 0
    for node, cell in with_cells(survey, ""):
        for name, text in (*written(node, cell), *_of_old_trigger(node)):
            if faults.full:
                return
            try:
                total += check_text(text, frozenset() if node.kind in _OF_THE_PAGE else UNKNOWN)
            except ValueError as fault:
                faults.add(node.at(name), _refusal(name, fault))
            if total > MAX_TOTAL_NODES:
                message = f"the expressions up to this one have {total} operands and operators"
                faults.add(node.at(name), f"{message}; a form may have {MAX_TOTAL_NODES}")
                return


def _of_old_trigger(node: Node) -> Iterator[tuple[str, str]]:
    """What `name`, `operator` and `value` of an older form make."""
    if is_a(node.kind, "trigger") and not node.values.get("expression") and node.values.get("name"):
        text = trigger_expression(node)
        if text:
            yield "name" if _is_readable(f"{{a}} {node.value('operator')} 1") else "operator", text


def _is_readable(text: str) -> bool:
    try:
        parse_expression(text)
    except ValueError:
        return False
    return True


def _refusal(name: str, fault: ValueError) -> str:
    """Who wrote an old trigger has seen no expression, so what survey-core makes of it is not quoted."""
    if name == "operator":
        return "this operator of an older form cannot be used here: use `expression` instead"
    return f"this expression cannot be used: {fault}"


def with_cells(node: Node, default: str = "") -> Iterator[tuple[Node, str]]:
    """Each object, and for a column of a matrix the type of question in its cells."""
    cell = node.text("cellType") or "default" if node.kind == "matrixdropdowncolumn" else ""
    yield node, default if cell == "default" else cell
    below = (node.text("cellType") or "dropdown") if is_a(node.kind, "matrixdropdownbase") else ""
    for child in node.children():
        yield from with_cells(child, below)


def check_text(text: str, unknown: frozenset[str] = UNKNOWN) -> int:
    """How many operands and operators it has. Raises ValueError for what cannot be read or run."""
    count = 0
    for one in walk(parse_expression(text)):
        count += 1
        if isinstance(one, Name) and one.name.startswith("$"):
            raise ValueError(f"{{{one.name}}} asks for a property of an element, which only the page knows")
        if isinstance(one, Name) and one.name.count(".") >= MAX_STEPS:
            raise ValueError(f"{{{one.name[:40]}…}} has more than {MAX_STEPS} steps")
        if isinstance(one, Name) and one.name.lower() in unknown:
            raise ValueError(f"{{{one.name}}} is survey-core's own, and only the page knows it")
        if isinstance(one, Call):
            _check_call(one)
    return count


def _check_call(call: Call) -> None:
    if call.name in REFUSED:
        raise ValueError(f"{call.name} is not supported: {REFUSED[call.name]}")
    if call.name not in FUNCTIONS:
        near = next((one for one in sorted(FUNCTIONS) if one.lower() == call.name.lower()), None)
        raise ValueError(f"no function {call.name[:80]!r}" + (f"; did you mean {near!r}?" if near else ""))
    for param in call.params[2:] if call.name.endswith("InArray") else ():
        if (
            isinstance(param, Const)
            and isinstance(param.value, str)
            and any(sign in param.value for sign in "{}><=!")
        ):
            check_text(param.value)
