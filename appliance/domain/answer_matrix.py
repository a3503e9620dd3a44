"""Answers to matrix questions: an object of rows, or an array of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from appliance.domain.answer_choice import accept_many
from appliance.domain.choices import Choices, choice_view
from appliance.domain.element import Question
from appliance.domain.faults import Faults, token
from appliance.domain.field import REFUSED, Accept, Checks, Context, Rule, needs, refuse
from appliance.domain.logic import condition, holds
from appliance.domain.message import Message, Said
from appliance.domain.node import Node
from appliance.domain.values import is_empty, js_text, same_key
from appliance.domain.view import View

if TYPE_CHECKING:
    from appliance.domain.computed import Change, Prune


def matrix_checks(question: Question, context: Context) -> Checks:
    """One choice, or several, a row. Without rows there is nothing to answer, in survey-core too."""
    node = question.node
    columns = {same_key(item.values["value"]): item.values["value"] for item in node.nodes("columns")}
    texts = frozenset(value for value in columns.values() if isinstance(value, str))
    choices = Choices(columns, texts, False, frozenset(), frozenset())
    cell = accept_many(choices, "", 0) if node.text("cellType") == "checkbox" else choices.accept
    rows = node.nodes("rows")
    accept = _accept_rows(frozenset(js_text(row.values["value"]) for row in rows), cell)
    seen, columns_seen = _seen(node, "rows"), _seen(node, "columns")
    prune = None if seen is None and columns_seen is None else _prune(seen, columns_seen)
    if seen is not None:
        return Checks(accept, by_view=_by_view(node, seen), prune=prune, rows=seen)
    rules = _row_rules(node, [js_text(row.values["value"]) for row in rows])
    on_empty = tuple(_on_nothing(rule, {}) for rule in rules)
    return Checks(accept, rules, on_empty, prune=prune)


Seen = Callable[[View], list[Any]]
"""The values of the rows or columns that show."""


def _seen(node: Node, name: str) -> Seen | None:
    """None where all always do. A condition of its own stands in for that of all."""
    every = condition(node, f"{name}VisibleIf")
    runs = [(item.values["value"], condition(item, "visibleIf") or every) for item in node.nodes(name)]
    if all(run is None for _, run in runs):
        return None
    return lambda view: [value for value, run in runs if run is None or holds(run, choice_view(view, value))]


def _by_view(node: Node, seen: Seen) -> Callable[[Any, View], Said | None]:
    def check(stored: Any, view: View) -> Said | None:
        rules = _row_rules(node, list(map(js_text, seen(view))))
        return next((message for rule in rules if (message := rule(stored or {})) is not None), None)

    return check


def _prune(rows: Seen | None, columns: Seen | None) -> Prune:
    def prune(stored: Any, view: View, changes: list[Change], /, *, shown: bool) -> Any:
        names = stored.keys() if rows is None else set(map(js_text, rows(view)))
        kept = {name: cell for name, cell in stored.items() if name in names}
        if columns is None:
            return kept
        values = set(map(same_key, columns(view)))
        return {name: found for name, cell in kept.items() if (found := _seen_cell(cell, values))}

    return prune


def _seen_cell(cell: Any, values: set[str]) -> Any:
    if isinstance(cell, list):
        return [one for one in cell if same_key(one) in values]
    return cell if same_key(cell) in values else None


def _on_nothing(rule: Rule, nothing: object) -> Callable[[], Said | None]:
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


def _row_rules(node: Node, sure: list[str]) -> tuple[Rule, ...]:
    """eachRowRequired and eachRowUnique, for the rows that show."""
    rules: list[Rule] = []
    if node.flag("eachRowRequired"):
        rules.append(
            lambda value: None if all(name in value for name in sure) else Message("requiredInAllRowsError")
        )
    if node.flag("eachRowUnique"):
        rules.append(
            lambda value: (
                Message("eachRowUniqueError")
                if _repeats(value[name] for name in sure if name in value)
                else None
            )
        )
    return tuple(rules)


def _repeats(values: Iterable[object]) -> bool:
    keys = [js_text(value) for value in values]
    return len(set(keys)) < len(keys)
