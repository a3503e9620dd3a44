"""Answers to matrix questions: an object of rows, or an array of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from appliance.domain.answer_choice import accept_many
from appliance.domain.choices import Choices
from appliance.domain.element import Elements, Question, collect
from appliance.domain.element import question as as_question
from appliance.domain.faults import Faults, token
from appliance.domain.field import REFUSED, Accept, Checks, Context, Rule, needs, refuse
from appliance.domain.node import Node
from appliance.domain.survey_core import MAX_ROWS, TEXTS
from appliance.domain.values import fill, is_empty, js_text, same_key

if TYPE_CHECKING:
    from appliance.domain.scope import Scope


def matrix_checks(question: Question, context: Context) -> Checks:
    """One choice, or several, a row. Without rows there is nothing to answer, in survey-core too."""
    node = question.node
    columns = {same_key(item.values["value"]): item.values["value"] for item in node.nodes("columns")}
    texts = frozenset(value for value in columns.values() if isinstance(value, str))
    choices = Choices(columns, texts, False, frozenset(), frozenset())
    cell = accept_many(choices, "", 0) if node.text("cellType") == "checkbox" else choices.accept
    rows = node.nodes("rows")
    names = [js_text(row.values["value"]) for row in rows]
    rules = _row_rules(node, rows)
    return Checks(_accept_rows(frozenset(names), cell), rules, tuple(_on_nothing(rule, {}) for rule in rules))


def _on_nothing(rule: Rule, nothing: object) -> Callable[[], str | None]:
    return lambda: rule(nothing)


def _accept_rows(names: frozenset[str], cell: Accept) -> Accept:
    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, dict):
            return refuse(faults, path, needs("an object of rows", value))
        stored: dict[str, object] = {}
        for name, item in value.items():
            at = path + token(name)
            if name not in names:
                faults.add(at, "the matrix has no such row")
            elif not is_empty(item):
                found = cell(item, at, faults)
                if found is not REFUSED:
                    stored[name] = found
        return stored

    return accept


def _row_rules(node: Node, rows: list[Node]) -> tuple[Rule, ...]:
    """eachRowRequired and eachRowUnique, for rows that always show."""
    if node.values.get("rowsVisibleIf"):
        return ()
    sure = [js_text(row.values["value"]) for row in rows if not row.values.get("visibleIf")]
    rules: list[Rule] = []
    if node.flag("eachRowRequired"):
        rules.append(
            lambda value: None if all(name in value for name in sure) else TEXTS["requiredInAllRowsError"]
        )
    if node.flag("eachRowUnique"):
        rules.append(
            lambda value: (
                TEXTS["eachRowUniqueError"]
                if _repeats(value[name] for name in sure if name in value)
                else None
            )
        )
    return tuple(rules)


def _repeats(values: Iterable[object]) -> bool:
    keys = [js_text(value) for value in values]
    return len(set(keys)) < len(keys)


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
    return as_question(
        replace(column, values=values), kind, conditional=bool(node.values.get("columnsVisibleIf"))
    )


def row_elements(node: Node) -> Elements:
    """A row: its cells, and the questions of its detail panel."""
    details = collect(node.nodes("detailElements") if node.value("detailPanelMode") != "none" else ())
    return Elements((*cells(node), *details.questions), details.groups)


def lenient(elements: Elements) -> Elements:
    """The same without anything that must be answered."""
    return Elements(tuple(replace(one, lenient=True) for one in elements.questions), ())


def _row_scopes(question: Question, context: Context) -> dict[str, Scope]:
    """By row: as the form says, or without demands where a condition may hide the row."""
    node = question.node
    conditional = bool(node.values.get("rowsVisibleIf")) or question.lenient
    unsure = {
        js_text(row.values["value"]): conditional or bool(row.values.get("visibleIf"))
        for row in node.nodes("rows")
    }
    elements = row_elements(node)
    # Each is built only if a row needs it: matrices in matrices would double the work at every level.
    scopes = {
        flag: context.build(lenient(elements) if flag else elements, context) for flag in set(unsure.values())
    }
    return {name: scopes[flag] for name, flag in unsure.items()}


def matrixdropdown_checks(question: Question, context: Context) -> Checks:
    node = question.node
    rows = _row_scopes(question, context)
    demanding = [name for name, row in rows.items() if row.demands]
    unique = _unique(node, context)

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, dict):
            return refuse(faults, path, needs("an object of rows", value))
        stored = {}
        for name, given in value.items():
            row = rows.get(name)
            if row is None:
                faults.add(path + token(name), "the matrix has no such row")
            elif given is not None:
                stored[name] = row.check(given, path + token(name), faults)
        for name in demanding:
            if name not in stored and not faults.full:
                rows[name].check({}, path + token(name), faults)
        unique.check(list(stored.items()), path, faults)
        return {name: row for name, row in stored.items() if row}

    return Checks(accept, when_empty={} if demanding else None)


def matrixdynamic_checks(question: Question, context: Context) -> Checks:
    node = question.node
    elements = row_elements(node)
    row = context.build(lenient(elements) if question.lenient else elements, context)
    most = min(int(node.value("maxRowCount")), MAX_ROWS)
    least = min(int(node.value("minRowCount")), most)
    unanswered = min(int(node.value("rowCount")), MAX_ROWS)
    unique = _unique(node, context)

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, list):
            return refuse(faults, path, needs("an array of rows", value))
        if len(value) > most:
            return refuse(faults, path, f"more than {most} rows")
        stored = check_all(row, value, max(len(value), least) if value else unanswered, path, faults)
        unique.check(list(enumerate(stored)), path, faults)
        return stored

    rules = _least_rows(question, least)
    on_empty = tuple(_on_nothing(rule, []) for rule in rules)
    return Checks(accept, rules, on_empty, [] if row.demands else None, empty_answers=True)


def check_all(scope: Scope, given: list[Any], count: int, path: str, faults: Faults) -> list[dict[str, Any]]:
    """The objects as stored. The form shows `count` of them, so those not sent are checked as empty ones."""
    stored = [
        scope.check({} if item is None else item, f"{path}/{place}", faults)
        for place, item in enumerate(given)
    ]
    if scope.demands:
        for place in range(len(given), count):
            if faults.full:
                break
            scope.check({}, f"{path}/{place}", faults)
    return stored


def _least_rows(question: Question, least: int) -> tuple[Rule, ...]:
    if least < 1 or not question.is_required:
        return ()
    message = fill(TEXTS["minRowCountError"], least)
    return (lambda value: message if sum(not is_empty(row) for row in value) < least else None,)


class _Unique:
    """Columns in which no two rows may say the same."""

    def __init__(self, columns: list[str], message: str) -> None:
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


def _unique(node: Node, context: Context) -> _Unique:
    columns = [
        js_text(column.values["name"]) for column in node.nodes("columns") if column.values.get("isUnique")
    ]
    key = node.text("keyName")
    if key and key not in columns:
        columns.append(key)
    return _Unique(columns, node.text("keyDuplicationError", context.locale) or TEXTS["keyDuplicationError"])
