"""One column's cells: from stored answers, and back from text, without loss.

A cell is None or what the column's kind says: a string, a number, true or false. An answer that its column
cannot hold so that it comes back as it was (another type, an empty string, a whole number beyond 2^53) is a
misfit, and stands in the column `extra`. Choices are written as they are; what is no declared choice and
would be read as something else is written as JSON: `"5"` in quotes is the text. Several choices are joined
by `|`, or are a JSON array where that would not come back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from appliance.clock import parse_rfc3339
from appliance.domain.columns import Column, Kind
from appliance.domain.dates import parse
from appliance.domain.values import js_text

Cell = str | int | float | bool | None
JOIN: Final = "|"
MISFIT: Final = object()
LARGEST: Final = 2**53
"""Whole numbers up to this one are what they are in every format."""
REMEMBERED: Final = 100_000
"""Different values that all columns of a table remember together: some 20 MB."""
_MOST: Final = 2_000
"""Of these, those of one column."""
_SHORT: Final = 100
"""Characters of a text that is worth remembering."""
_NONE: Final = type(None)
_TEXTS: Final = frozenset({str, _NONE})
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
AS_JSON: Final = ('"', "[", "{")
WORDS: Final = {"true": True, "false": False}


class Taken(NamedTuple):
    cells: list[Any]
    misfits: list[int]
    """Rows whose answer is not in the cells."""


def remembered(columns: int) -> int:
    """How many values each of so many columns may remember."""
    return min(_MOST, REMEMBERED // (columns + 1))


class Memo(dict[Any, Any]):
    """What short texts come to: a column has few of them, or many that are looked at once."""

    def __init__(self, one: Callable[[Any], Any], of_none: Any = None, most: int = _MOST) -> None:
        super().__init__({None: of_none})
        self._one, self._of_none, self._most = one, of_none, most

    def __missing__(self, value: Any) -> Any:
        found = self._one(value)
        if not isinstance(value, str) or len(value) <= _SHORT:
            if len(self) > self._most:
                self.clear()
                self[None] = self._of_none
            self[value] = found
        return found


class Cells:
    """Keep it as long as the column is read: it remembers what texts come to."""

    def __init__(self, column: Column, most: int = _MOST) -> None:
        self.column, self._most = column, most
        self._one: Callable[[Any], Any] = getattr(self, f"_{column.kind}")
        self._plain = _PLAIN.get(column.kind, frozenset())
        self._of_text, self._joined = Memo(self._one, None, most), dict[str, Any]()

    def take(self, values: list[Any]) -> Taken:
        """None is no answer."""
        kinds = set(map(type, values))
        if kinds <= self._plain and "" not in values:
            return Taken(values, [])
        if kinds <= _TEXTS:
            cells = list(map(self._of_text.__getitem__, values))
        else:
            cells = [None if value is None else self._one(value) for value in values]
        misfits = []
        if MISFIT in cells:
            misfits = [row for row, cell in enumerate(cells) if cell is MISFIT]
            for row in misfits:
                cells[row] = None
        return Taken(cells, misfits)

    def _text(self, value: Any) -> Any:
        return value if isinstance(value, str) and value else MISFIT

    def _number(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return MISFIT
        if isinstance(value, float):
            return value if math.isfinite(value) else MISFIT
        return int(value) if -LARGEST <= value <= LARGEST else MISFIT

    def _boolean(self, value: Any) -> Any:
        return value if isinstance(value, bool) else MISFIT

    def _date(self, value: Any) -> Any:
        return _dated("date", value)

    def _time(self, value: Any) -> Any:
        return _dated("time", value)

    def _datetime(self, value: Any) -> Any:
        return _dated("datetime-local", value)

    def _moment(self, value: Any) -> Any:
        try:
            parse_rfc3339(value)
        except (ValueError, TypeError):
            return MISFIT
        return value

    def _json(self, value: Any) -> Any:
        return as_json(value)

    def _choice(self, value: Any) -> Any:
        """Numbers stay numbers, for formats that have types."""
        text = self._choice_text(value)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return value if is_number and text is not MISFIT else text

    def _choice_text(self, value: Any) -> Any:
        if isinstance(value, dict):
            return as_json(value) if value else MISFIT
        if value is None or value == "" or isinstance(value, list) or _inexact(value):
            return MISFIT
        text, choices = js_text(value), self.column.choices
        if text in choices and type(choices[text]) is _type(value):
            return text
        reads_otherwise = text in choices or text.startswith(AS_JSON) or is_scalar(text)
        if isinstance(value, str):
            return as_json(value) if reads_otherwise else value
        return MISFIT if text in choices else text

    def _choices(self, value: Any) -> Any:
        if not isinstance(value, list):
            return MISFIT
        if self.column.wrapped:
            value = unwrapped(value, self.column.wrapped)
            if value is None:
                return MISFIT
        try:
            joined = JOIN.join(value)
        except TypeError:
            return self._choices_text(value)
        if joined.count(JOIN) != len(value) - 1:
            return self._choices_text(value)
        found = self._joined.get(joined)
        if found is None:
            if len(self._joined) >= self._most:
                self._joined.clear()
            found = self._joined[joined] = self._choices_text(value)
        return found

    def _choices_text(self, value: list[Any]) -> Any:
        texts = [self._choice_text(one) for one in value]
        joins = texts and all(isinstance(one, str) and JOIN not in one for one in texts)
        if joins and not texts[0].startswith("["):
            return JOIN.join(texts)
        return as_json(value)


_PLAIN: Final[dict[Kind, frozenset[type]]] = {
    "text": frozenset({str, _NONE}),
    # A whole number of 64 bits is of the driver's own type, so these are small ones.
    "number": frozenset({int, _NONE}),
    "boolean": frozenset({bool, _NONE}),
}


def as_json(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=int).decode()


def unwrapped(value: list[Any], name: str) -> list[Any] | None:
    """The items under valuePropertyName; None where one is not of that form."""
    if not all(isinstance(item, dict) and list(item) == [name] for item in value):
        return None
    return [item[name] for item in value]


def is_scalar(text: str) -> bool:
    return text in WORDS or _NUMBER.fullmatch(text) is not None


def _inexact(value: Any) -> bool:
    """A number that its own text would not give back."""
    if isinstance(value, float):
        return not math.isfinite(value) or value.is_integer()
    return isinstance(value, int) and not -LARGEST <= value <= LARGEST


def _type(value: Any) -> type:
    return int if isinstance(value, int) and not isinstance(value, bool) else type(value)


def _dated(kind: str, value: Any) -> Any:
    try:
        parse(kind, value)
    except (ValueError, TypeError):
        return MISFIT
    return value
