"""Functions of expressions that go through the rows of a matrix or the panels of a dynamic panel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.comparison import corrected, is_empty, number_in
from appliance.domain.javascript import UNDEFINED, add, less, number_of, tidy, truthy

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Over:
    """`rows` None: the parameters make no sense, and there is no result."""

    rows: list[Any] | None
    name: str
    column: str
    """What minInArray gives of the row that it finds."""
    holds: Callable[[Json], bool] | None

    @classmethod
    def of(cls, rows: Any, name: Any, column: str | None, holds: Callable[[Json], bool] | None) -> Over:
        if not truthy(rows) or not isinstance(name, str):
            return cls(None, "", "", None)
        items = rows if isinstance(rows, list) else list(rows.values()) if isinstance(rows, dict) else []
        return cls(items, name, name if column is None else column, holds)

    def kinds(self) -> tuple[int, int]:
        """How many rows have a decimal fraction there, and how many what is no number yet."""
        held = [type(row.get(self.name)) for row in self.rows or () if isinstance(row, dict)]
        fractions, wholes = held.count(float), held.count(int) + held.count(type(None))
        return fractions, len(held) - fractions - wholes

    def found(self) -> Iterator[Json]:
        """The rows that have an answer of this name and that the condition holds for."""
        for row in self.rows or ():
            answered = isinstance(row, dict) and not is_empty(row.get(self.name))
            if answered and (self.holds is None or self.holds(row)):
                yield row


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    number = number_in(value)
    return UNDEFINED if math.isnan(number) else tidy(number)


def _sum(over: Over) -> Any:
    return _total(over.found(), over.name)


def _total(rows: Iterable[Json], name: str) -> Any:
    total: Any = 0
    for row in rows:
        value = _number(row[name])
        if type(value) is int and type(total) is int:
            total = add(total, value)
        elif value is not UNDEFINED:
            total = corrected(total, value, add(total, value))
    return total


def _count(over: Over) -> int:
    return sum(1 for _ in over.found())


def _avg(over: Over) -> Any:
    rows = list(over.found())
    return tidy(number_of(_total(rows, over.name)) / len(rows)) if rows else 0


def _extreme(over: Over, wins: Callable[[Any, Any], bool]) -> Any:
    best: Any = UNDEFINED
    best_row: Json | None = None
    for row in over.found():
        value = _number(row[over.name])
        if value is not UNDEFINED and (best is UNDEFINED or wins(value, best)):
            best, best_row = value, row
    if best_row is None or over.column == over.name:
        return best
    return best_row.get(over.column, UNDEFINED)


ARRAYS: Final[Mapping[str, Callable[[Over], Any]]] = {
    "avgInArray": _avg,
    "countInArray": _count,
    "maxInArray": lambda over: _extreme(over, lambda value, best: less(best, value)),
    "minInArray": lambda over: _extreme(over, less),
    "sumInArray": _sum,
}
