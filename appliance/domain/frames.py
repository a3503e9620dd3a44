"""Responses as tables: the columns that every response has, those of its answers, and what fits nowhere.

A frame is a list of columns of cells. Cells of kind `moment` are aware datetimes, or RFC 3339 text where they
are answers; all others are as `cells` has them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from appliance.clock import parse_rfc3339
from appliance.domain.cells import Cells, as_json
from appliance.domain.columns import Column, ColumnMap, Kind, Table
from appliance.domain.flatten import Flat, Flattener

Row = Mapping[str, Any]
Frame = list[list[Any]]


class Head(NamedTuple):
    """A column as a file shows it."""

    name: str
    kind: Kind


TAGS: Final = Column(("tags",), "choices")
SYSTEM: Final = (
    Head("response_id", "text"),
    Head("form_version", "number"),
    Head("created_at", "moment"),
    Head("updated_at", "moment"),
    Head("submitter", "text"),
    Head("status", "text"),
    Head("tags", "choices"),
    Head("revision", "number"),
    Head("started_at", "moment"),
    Head("completion_time", "number"),
    Head("language", "text"),
    Head("source", "text"),
    Head("original_created_at", "moment"),
)
OF_REPEAT: Final = (Head("response_id", "text"), Head("row", "number"))
EXTRA: Final = Head("extra", "json")


class MainFrames:
    """The main table: a row a response."""

    def __init__(self, columns: ColumnMap) -> None:
        self.heads = (*SYSTEM, *_heads(columns.main), EXTRA)
        self._flatten, self._tags = Flattener(columns.main), Cells(TAGS)

    def frame(self, rows: list[Row]) -> Frame:
        flat = self._flatten.take([row["data"] for row in rows])
        tags = self._tags.take([row["tags"] or None for row in rows]).cells
        meta = [row["meta"] for row in rows]
        return [
            [row["_id"] for row in rows],
            [row["form_version"] for row in rows],
            [row["created_at"] for row in rows],
            [row["updated_at"] for row in rows],
            [row["submitter"] for row in rows],
            [row["status"] for row in rows],
            tags,
            [row["revision"] for row in rows],
            [_moment(one.get("started_at")) for one in meta],
            *([one.get(name) for one in meta] for name in ("completion_time", "language", "source")),
            [_moment(one.get("original_created_at")) for one in meta],
            *flat.columns,
            _extra(flat),
        ]


class RepeatFrames:
    """The table of one repeat: a row for each panel or row, numbered from 1."""

    def __init__(self, table: Table) -> None:
        self.name, self.heads = table.name, (*OF_REPEAT, *_heads(table), EXTRA)
        self._flatten, self._key = Flattener(table), table.key

    def frame(self, rows: list[Row]) -> Frame:
        ids: list[str] = []
        places: list[int] = []
        found: list[dict[str, Any]] = []
        for row in rows:
            given = row["data"].get(self._key)
            for place, one in enumerate(given if isinstance(given, list) else (), 1):
                if isinstance(one, dict):
                    ids.append(row["_id"])
                    places.append(place)
                    found.append(one)
        if not found:
            return [[] for _ in self.heads]
        flat = self._flatten.take(found)
        return [ids, places, *flat.columns, _extra(flat)]


def _heads(table: Table) -> Iterable[Head]:
    return (Head(column.name, column.kind) for column in table.columns)


def _extra(flat: Flat) -> list[str | None]:
    return [None if one is None else as_json(one) for one in flat.extra]


def _moment(text: str | None) -> dt.datetime | None:
    try:
        return None if text is None else parse_rfc3339(text)
    except ValueError:
        return None


def moments(cells: list[Any]) -> list[dt.datetime | None]:
    """Those of a column of kind `moment`, whichever way they are told."""
    return [_moment(cell) if isinstance(cell, str) else cell for cell in cells]


def mapped(cells: list[Any], one: Callable[[Any], Any]) -> list[Any]:
    return [None if cell is None else one(cell) for cell in cells]
