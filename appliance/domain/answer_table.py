"""Answers to matrices whose cells are questions: an object of rows, or an array of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from appliance.domain.counting import count_expression, counted
from appliance.domain.element import Elements, Question, collect
from appliance.domain.element import question as as_question
from appliance.domain.faults import Faults, token
from appliance.domain.field import Checks, Context, Rule, needs, refuse
from appliance.domain.javascript import truthy
from appliance.domain.logic import condition, holds
from appliance.domain.message import Message, Said
from appliance.domain.nested import Nested, Part
from appliance.domain.node import Node
from appliance.domain.survey_core import MAX_ROWS, properties
from appliance.domain.values import is_blank, is_empty, js_text
from appliance.domain.view import View

if TYPE_CHECKING:
    from appliance.domain.scope import Scope

Parts = Callable[[Any], list[Part]]


Gather = Callable[[list[Part]], Any]


def cells(node: Node) -> tuple[Question, ...]:
    """The columns of a matrixdropdown or matrixdynamic as the questions of a row."""
    default = node.text("cellType") or "dropdown"
    return tuple(_cell(node, column, default) for column in node.nodes("columns"))


def _cell(node: Node, column: Node, default: str) -> Question:
    kind = column.text("cellType") or "default"
    kind = default if kind == "default" else kind
    values = dict(column.values)
    if not values.get("choices"):
        values["choices"] = node.nodes("choices")
    if "storeOthersAsComment" in node.values:
        values["storeOthersAsComment"] = node.values["storeOthersAsComment"]
    return replace(as_question(replace(column, values=values), kind), role="cell")


def row_elements(node: Node) -> Elements:
    """A row: its cells, and the questions of its detail panel."""
    details = collect(node.nodes("detailElements") if node.value("detailPanelMode") != "none" else ())
    return Elements((*cells(node), *map(_detail, details.questions)), details.groups)


def _detail(question: Question) -> Question:
    """survey-core opens the panel to judge it: what has a default is answered, though it is not stored."""
    node, default = question.node, ("defaultValue", "defaultValueExpression")
    if any(not is_empty(node.values.get(name)) for name in default):
        asked = ("isRequired", "requiredIf")
        node = replace(node, values={name: value for name, value in node.values.items() if name not in asked})
    return replace(question, node=node, role="detail")


def matrixdropdown_checks(question: Question, context: Context) -> Checks:
    node = question.node
    names = [js_text(row.values["value"]) for row in node.nodes("rows")]
    row, known = context.build(row_elements(node), context), frozenset(names)
    always = row.demands or row.dynamic
    cell_keys = _cell_keys(node)
    unique = _unique(node)

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, dict):
            return refuse(faults, path, needs("an object of rows", value))
        stored = {}
        for name, given in value.items():
            if name not in known:
                faults.add(path + token(name), "the matrix has no such row")
            elif given is not None:
                stored[name] = _without_blanks(row.read(given, path + token(name), faults), cell_keys)
        return {name: found for name, found in stored.items() if found}

    def parts(stored: Any) -> list[Part]:
        given = stored or {}
        return [(name, row, given.get(name) or {}) for name in (names if always else given)]

    def gather(found: list[Part]) -> Any:
        return {name: values for name, _, values in found if values}

    def every(stored: Any) -> list[Part]:
        return [(name, row, (stored or {}).get(name) or {}) for name in names]

    return Checks(accept, nested=replace(_rows(node, row, parts, gather, unique.check), every=every))


def _rows(
    node: Node, row: Scope, parts: Parts, gather: Gather, after: Callable[[list[Any], str, Faults], None]
) -> Nested:
    return Nested(
        "row", parts, gather, row.demands, row.dynamic, _visible_rows(node), after, locks=_locked_rows(node)
    )


def _locked_rows(node: Node) -> Callable[[str | int, View], bool] | None:
    runs = {
        js_text(row.values["value"]): run
        for row in node.nodes("rows")
        if (run := condition(row, "enableIf")) is not None
    }
    if not runs:
        return None
    return lambda step, view: (run := runs.get(str(step))) is not None and not truthy(run(view))


def _visible_rows(node: Node) -> Callable[[str | int, View], bool] | None:
    every = condition(node, "rowsVisibleIf") if "rowsVisibleIf" in properties(node.kind) else None
    own = {
        js_text(row.values["value"]): run
        for row in node.nodes("rows")
        if (run := condition(row, "visibleIf")) is not None
    }
    if every is None and not own:
        return None

    def visible(step: str | int, view: View) -> bool:
        runs = (every, own.get(step) if isinstance(step, str) else None)
        return all(holds(run, view) for run in runs if run is not None)

    return visible


def matrixdynamic_checks(question: Question, context: Context) -> Checks:
    node = question.node
    row = context.build(row_elements(node), context)
    most = min(int(node.value("maxRowCount")), MAX_ROWS)
    least = min(int(node.value("minRowCount")), most)
    count = int(node.value("rowCount"))
    unanswered = min(_rows_at_first(node, count, least), MAX_ROWS)
    unique = _unique(node)
    cell_keys = _cell_keys(node)
    beside = context.shared.get(question.key, frozenset())

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, list):
            return refuse(faults, path, needs("an array of rows", value))
        if len(value) > most:
            return refuse(faults, path, f"more than {most} rows")
        return [_without_blanks(one, cell_keys) for one in read_all(row, value, path, faults, beside)]

    def parts(stored: Any) -> list[Part]:
        if stored is None:
            return all_parts(row, [], unanswered)
        return all_parts(row, stored, least if stored else 0)

    return Checks(
        accept,
        nested=replace(
            _rows(node, row, parts, gather_list, unique.check),
            counted=counted(node, "rowCount", least, most),
            blank=lambda number: all_parts(row, [], number),
        ),
        on_asked=_least_rows(least),
        empty_answers=True,
        unanswered=None if count_expression(node, "rowCount") else _unanswered(count, least, unanswered),
    )


def _rows_at_first(node: Node, count: int, least: int) -> int:
    """survey-core sets one property after the other: a rowCount behind minRowCount stands as it is."""
    order = list(node.values)
    later = "rowCount" in order and "minRowCount" in order[: order.index("rowCount")]
    return count if later or not count else max(count, least)


def _unanswered(count: int, least: int, rows: int) -> list[dict[str, Any]] | None:
    """Rows that survey-core takes for an answer: it makes those of minRowCount, where rowCount is another."""
    return [{} for _ in range(rows)] if 0 < least <= rows and count not in (0, least) else None


def _cell_keys(node: Node) -> tuple[str, ...]:
    return tuple(js_text(column.values["name"]) for column in node.nodes("columns"))


def _without_blanks(row: dict[str, Any], cell_keys: tuple[str, ...]) -> dict[str, Any]:
    """survey-core makes cells of what is not empty, and there white space is."""
    for key in cell_keys:
        if isinstance(found := row.get(key), str) and is_blank(found):
            del row[key]
    return row


def gather_list(found: list[Part]) -> Any:
    return [values for _, _, values in found]


def read_all(
    scope: Scope, given: list[Any], path: str, faults: Faults, beside: frozenset[str]
) -> list[dict[str, Any]]:
    return [
        scope.read({} if item is None else item, f"{path}/{place}", faults, beside)
        for place, item in enumerate(given)
    ]


def all_parts(scope: Scope, stored: list[dict[str, Any]], count: int) -> list[Part]:
    """Those sent, and as many empty ones as the form shows beside them."""
    found: list[Part] = [(place, scope, values) for place, values in enumerate(stored)]
    if scope.demands or scope.dynamic:
        found.extend((place, scope, {}) for place in range(len(stored), count))
    return found


def _least_rows(least: int) -> Rule | None:
    if least < 1:
        return None
    message = Message("minRowCountError", (least,))
    return lambda value: message if sum(not is_empty(row) for row in value or ()) < least else None


class _Unique:
    """Columns in which no two rows may say the same."""

    def __init__(self, columns: list[str], message: Said) -> None:
        self.columns, self.message = columns, message

    def check(self, rows: list[tuple[str | int, dict[str, Any]]], path: str, faults: Faults) -> None:
        for column in self.columns:
            places: dict[str, list[str | int]] = {}
            for place, row in rows:
                if not is_empty(row.get(column)):
                    places.setdefault(js_text(row[column]).lower(), []).append(place)
            for found in places.values():
                for place in found if len(found) > 1 else ():
                    faults.add(path + token(place) + token(column), self.message)


def _unique(node: Node) -> _Unique:
    columns = [
        js_text(column.values["name"]) for column in node.nodes("columns") if column.values.get("isUnique")
    ]
    key = node.text("keyName")
    if key and key not in columns:
        columns.append(key)
    return _Unique(columns, Message("keyDuplicationError", own=node.values.get("keyDuplicationError")))
