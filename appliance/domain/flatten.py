"""Answers as columns and back.

Many at once: a column of a thousand cells is read, checked and kept by few calls, each a loop in C.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from appliance.domain.cell_reading import read
from appliance.domain.cells import Cells, remembered, unwrapped
from appliance.domain.columns import Column, Table
from appliance.domain.values import js_text

Json = dict[str, Any]
_NOTHING: Final[Json] = {}


class Flat(NamedTuple):
    """`columns` are those of the table, in its order."""

    columns: list[list[Any]]
    extra: list[Json | None]
    """By row: what has no column, or does not fit into it."""


@dataclass(slots=True)
class _Node:
    """One name in an object of answers."""

    cells: Cells | None = None
    place: int = 0
    most: int = 0
    """Different answers that it remembers."""
    flags: dict[str, int] = field(default_factory=dict)
    """By the text of the choice: the place of its column."""
    below: dict[str, _Node] = field(default_factory=dict)
    chosen: dict[tuple[Any, ...], tuple[int | None, ...]] = field(default_factory=dict)
    """What flags come to, by the choices and their types."""


class Flattener:
    """Of one table; for one export, as it remembers what it saw."""

    def __init__(self, table: Table) -> None:
        self._names: dict[str, _Node] = {}
        self._width = len(table.columns)
        most = remembered(self._width)
        for place, column in enumerate(table.columns):
            node = self._node(column.path)
            if column.flag is not None:
                node.flags[column.flag] = place
            else:
                node.cells, node.place, node.most = Cells(column, most), place, most

    def _node(self, path: tuple[str, ...]) -> _Node:
        names, node = self._names, _Node()
        for part in path:
            node = names.setdefault(part, _Node())
            names = node.below
        return node

    def take(self, rows: list[Json]) -> Flat:
        """The columns of these objects of answers."""
        flat = Flat([[]] * self._width, [None] * len(rows))
        if rows:
            _take(self._names, rows, (), flat)
        return flat


def _take(names: dict[str, _Node], rows: list[Json], path: tuple[str, ...], flat: Flat) -> None:
    for name, node in names.items():
        values = [row.get(name) for row in rows]
        at = (*path, name)
        if node.below:
            # An object that the column itself would take belongs to the columns below all the same.
            deeper = [value if type(value) is dict and value else _NOTHING for value in values]
            _take(node.below, deeper, at, flat)
            values = [None if type(value) is dict and value else value for value in values]
        if node.cells is not None:
            _take_cells(node, node.cells, values, at, flat)
        elif node.below:
            for row, value in enumerate(values):
                if value is not None:
                    _keep(flat.extra, row, at, value)
    _take_rest(names, rows, path, flat.extra)


def _take_rest(
    names: dict[str, _Node], rows: list[Json], path: tuple[str, ...], extra: list[Json | None]
) -> None:
    """Answers that no column has, and those that are null, which a cell cannot tell from none."""
    known = frozenset(names)
    for row, found in enumerate(rows):
        if not known.issuperset(found) or None in found.values():
            for name, value in found.items():
                if name not in known or value is None:
                    _keep(extra, row, (*path, name), value)


def _take_cells(node: _Node, cells: Cells, values: list[Any], at: tuple[str, ...], flat: Flat) -> None:
    taken = cells.take(values)
    flat.columns[node.place] = taken.cells
    for row in taken.misfits:
        _keep(flat.extra, row, at, values[row])
    if node.flags:
        _take_flags(node, cells.column, values, flat)


def _take_flags(node: _Node, column: Column, values: list[Any], flat: Flat) -> None:
    """1 or 0 for each choice of a question that was answered."""
    flags, known = node.flags, node.chosen
    nothing = (None,) * len(flags)
    rows: list[tuple[int | None, ...]] = []
    for value in values:
        if type(value) is not list:
            rows.append(nothing)
            continue
        try:
            key = (*value, *map(type, value))
            found = known.get(key)
        except TypeError:
            rows.append(_chosen(flags, column, value))
            continue
        if found is None:
            found = _chosen(flags, column, value)
            if len(known) < node.most:
                known[key] = found
        rows.append(found)
    for place, cells in zip(flags.values(), zip(*rows, strict=True), strict=True):
        flat.columns[place] = list(cells)


def _chosen(flags: Iterable[str], column: Column, value: list[Any]) -> tuple[int, ...]:
    items = unwrapped(value, column.wrapped) if column.wrapped else value
    texts = {js_text(one.get("value") if isinstance(one, dict) else one) for one in items or ()}
    return tuple(int(text in texts) for text in flags)


def _keep(extra: list[Json | None], row: int, path: tuple[str, ...], value: Any) -> None:
    found = extra[row]
    if found is None:
        found = extra[row] = {}
    for part in path[:-1]:
        found = found.setdefault(part, {})
    found[path[-1]] = value


def rebuild(cells: Iterable[tuple[Column, str]], extra: Mapping[str, Any] | None) -> Json:
    """The answers of one row of the main table: the inverse of `take`. Flags say nothing of their own.

    Raises ValueError with the name of the column first.
    """
    data: Json = {}
    for column, text in cells:
        if text and column.kind != "flag":
            try:
                value = read(column, text)
            except ValueError as fault:
                raise ValueError(f"{column.name}: {fault}") from None
            _put(data, column.path, value)
    if extra:
        _merge(data, extra)
    return data


def _put(data: Json, path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        below = data.setdefault(part, {})
        if not isinstance(below, dict):
            raise ValueError(f"{'.'.join(path)}: two columns say different things of {part!r}")
        data = below
    data[path[-1]] = value


def _merge(data: Json, extra: Mapping[str, Any]) -> None:
    for name, value in extra.items():
        if isinstance(value, dict) and isinstance(data.get(name), dict):
            _merge(data[name], value)
        else:
            data[name] = value
