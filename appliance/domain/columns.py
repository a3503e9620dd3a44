"""The flat column map: which columns the answers to a form have, over all of its published versions.

Names tell the path: `question`, `matrix.row`, `matrix.row.column`, `multipletext.item`; `question/choice` is
the 0/1 column of one choice. Within each part `%`, `.` and `/` are written `%25`, `%2E` and `%2F`, so a name
says one path only and never changes, whatever other versions ask. Columns stand in the order of the newest
version; those that only older ones have follow. Dynamic panels and matrices are a JSON column of the main
table, so that it holds everything, and a table of their own, a row for each panel or row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

Kind = Literal[
    "text", "number", "boolean", "date", "time", "datetime", "moment", "choice", "choices", "flag", "json"
]
"""`datetime` has no time zone, `moment` has; `choice` holds any scalar, `choices` joins several, `flag` is 0
or 1."""

MOST: Final = 4_000
"""Columns of a table at most; answers that find none stand in the column `extra`."""
MOST_FLAGS: Final = 100
"""Choices of a question at most that get a column each."""
RESERVED: Final = frozenset(
    (
        "response_id form_version created_at updated_at submitter status tags revision started_at "
        "completion_time language source original_created_at row extra"
    ).split()
)
"""Columns that are no answers. A question of such a name, or of one with `_` behind, gets one more `_`."""
_TEXTS: Final = frozenset({"text", "date", "time", "datetime", "moment"})


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `path` leads to its value within the answers, or within one row of a repeat."""

    path: tuple[str, ...]
    kind: Kind
    choices: Mapping[str, object] = field(default_factory=dict)
    """The declared choices by their text; empty where any value may come."""
    wrapped: str = ""
    """valuePropertyName: items are objects of this one name."""
    flag: str | None = None
    """Of a `flag` column: the text of its choice."""

    @property
    def name(self) -> str:
        first, *rest = map(_spelled, self.path)
        if first.rstrip("_") in RESERVED and not rest:
            first += "_"
        name = ".".join((first, *rest))
        return name if self.flag is None else f"{name}/{_spelled(self.flag)}"


@dataclass(frozen=True, slots=True)
class Table:
    """The main table, or that of one repeat, called like its column there; `key` leads to its array."""

    name: str
    columns: tuple[Column, ...]
    key: str = ""


@dataclass(frozen=True, slots=True)
class ColumnMap:
    main: Table
    repeats: tuple[Table, ...] = ()

    def table(self, name: str) -> Table | None:
        return next((one for one in self.repeats if one.name == name), None)


def with_flags(column: Column) -> list[Column]:
    """A column of joined choices with those of its choices behind it."""
    if column.kind != "choices" or len(column.choices) > MOST_FLAGS:
        return [column]
    return [column, *(Column(column.path, "flag", flag=text) for text in column.choices)]


def column_map(columns: Iterable[Column], repeats: Mapping[str, Iterable[Column]]) -> ColumnMap:
    """Of one version: `columns` without flags, in the form's order, and the repeats by their key."""
    tables = []
    for key, found in repeats.items():
        name = Column((key,), "json").name
        tables.append(Table(name, _bounded(_merged(found)), key))
    return ColumnMap(Table("", _bounded(_merged(columns))), tuple(tables))


def union(maps: Iterable[ColumnMap]) -> ColumnMap:
    """Of all versions, the newest first."""
    given = list(maps)
    columns = (column for one in given for column in one.main.columns)
    repeats: dict[str, list[Column]] = {}
    for one in given:
        for table in one.repeats:
            repeats.setdefault(table.key, []).extend(table.columns)
    return column_map(columns, repeats)


def _merged(columns: Iterable[Column]) -> list[Column]:
    """Each path once, held by a kind that takes the values of all that were given for it."""
    found: dict[tuple[str, ...], Column] = {}
    for column in columns:
        if column.flag is None:
            known = found.get(column.path)
            found[column.path] = column if known is None else _both(known, column)
    return list(found.values())


def _both(newer: Column, older: Column) -> Column:
    choices = {**older.choices, **newer.choices}
    ordered = {text: choices[text] for text in (*newer.choices, *older.choices)}
    if newer.kind == older.kind and newer.wrapped == older.wrapped:
        is_open = newer.kind in ("choice", "choices") and not (newer.choices and older.choices)
        return replace(newer, choices={} if is_open else ordered)
    kinds = {newer.kind, older.kind}
    if kinds & {"choices", "json"}:
        return Column(newer.path, "json")
    return Column(newer.path, "text") if kinds <= _TEXTS else Column(newer.path, "choice", ordered)


def _bounded(columns: list[Column]) -> tuple[Column, ...]:
    """Without flags where these would be too many, and without the last columns where those are."""
    flagged = [one for column in columns for one in with_flags(column)]
    return tuple(flagged if len(flagged) <= MOST else columns[:MOST])


def _spelled(part: str) -> str:
    return part.replace("%", "%25").replace(".", "%2E").replace("/", "%2F")
