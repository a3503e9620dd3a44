"""The answers to one question, or to two, as views that the named queries read.

    answers  a row a response: `answer`, and `by_answer` of the second question; null without one
    given    how many `responses` gave an `answer` (and a `by_answer`): counts to be added up, a row a choice
             where a question takes several; `answered` is how many responses these are in all
    cells    the same of a matrix: `row`, `answer`, `responses`
    declared the choices that the form offers, `answer`

A day of the lake on which the form had many responses has a typed column of the question, which is read 13
times as fast as the JSON (50 against 670 ms for 1M responses); other days, and what came since the last run,
are read from the JSON by the very expression that makes typed columns, so both say the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from appliance.analytics import hot, parquet
from appliance.analytics.hot import Hot, quoted, text
from appliance.domain.columns import Column, ColumnMap, Table

_ARROW: Final = {
    "VARCHAR": pa.string(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "VARCHAR[]": pa.list_(pa.string()),
}
_BASE: Final = "response_id, form_id, created_at, completion_time, submitter, status"
KINDS: Final = ("choice", "choices", "number", "boolean")
"""Of columns that can be asked about."""
MATRIX: Final = "matrix"
"""A question that has several columns, a row each."""


class Part(NamedTuple):
    """A column: of a question, or of one row of a matrix."""

    column: Column
    hot: Hot
    is_typed: bool
    """Days may have a column of it."""
    row: str = ""


class Question(NamedTuple):
    name: str
    kind: str
    """Of KINDS, or `matrix`."""
    parts: tuple[Part, ...]


class Asked(NamedTuple):
    """One question, or two, of a form."""

    form_id: str
    mark: str
    """The fingerprint of the form's typed columns as they are now."""
    questions: tuple[Question, ...]


class Source(NamedTuple):
    """Rows: a table expression of SQL, and what they must be to be seen."""

    rows: str
    where: str
    is_typed: bool = False


def questions(found: ColumnMap) -> dict[str, Question]:
    """All that can be asked about, by their names as exports have them."""
    typed = {one.path for one in hot.columns(found)}
    named: dict[str, Question] = {}
    matrices: dict[str, list[Part]] = {}
    for column in found.main.columns:
        if column.kind not in KINDS:
            continue
        named[column.name] = Question(column.name, column.kind, (_part(column, typed, 0),))
        for length in range(1, len(column.path)):
            name = Column(column.path[:length], "json").name
            matrices.setdefault(name, []).append(_part(column, typed, length))
    for name, parts in matrices.items():
        named.setdefault(name, Question(name, MATRIX, tuple(parts)))
    return named


def _part(column: Column, typed: set[tuple[str, ...]], start: int) -> Part:
    (made,) = hot.columns(_map(replace(column, wrapped="")))
    row = Column(("", *column.path[start:]), "json").name[1:] if start else ""
    return Part(column, made, column.path in typed, row)


def _map(*columns: Column) -> ColumnMap:
    return ColumnMap(Table("", columns))


def has(file: Path, asked: Asked) -> bool:
    """Whether the day has a typed column of all that is asked about, as it would be made now."""
    parts = [part for question in asked.questions for part in question.parts]
    if not all(part.is_typed for part in parts):
        return False
    told = file.stat()
    wanted = tuple((part.hot.name, part.hot.type) for part in parts)
    return _has(str(file), told.st_mtime_ns, told.st_ino, asked.form_id, asked.mark, wanted)


@lru_cache(4096)
def _has(
    file: str, _changed: int, _inode: int, form_id: str, mark: str, wanted: tuple[tuple[str, str], ...]
) -> bool:
    """Two forms may have a question of one name and other kinds: then its column has another type."""
    if parquet.told(Path(file)).get(form_id) != mark:
        return False
    schema = pq.read_schema(file)
    return all(name in schema.names and schema.field(name).type == _ARROW[kind] for name, kind in wanted)


def views(asked: Asked, sources: Sequence[Source]) -> dict[str, str]:
    """SQL by name."""
    first = asked.questions[0]
    if first.kind == MATRIX:
        return {"cells": _cells(first.parts, sources)}
    return {
        "answers": _answers([one.parts[0] for one in asked.questions], sources),
        "given": _given(asked.questions),
        "declared": _declared(first),
    }


def _answers(parts: Sequence[Part], sources: Sequence[Source]) -> str:
    selects = []
    for source in sources:
        told = zip(_expressions(parts, source.is_typed), ("answer", "by_answer"), strict=False)
        made = ", ".join(f"{expression} AS {name}" for expression, name in told)
        selects.append(f"SELECT {_BASE}, {made} FROM ({_said(parts, source)})")
    return " UNION ALL ".join(selects)


def _given(asked: Sequence[Question]) -> str:
    """Counted before lists are taken apart: of these there are many fewer than of responses. What is null is
    left out behind a window, past which DuckDB does not move it: asked of each response, it would have the
    JSON read twice.
    """
    names = ("answer", "by_answer")[: len(asked)]
    there = " AND ".join(f"{name} IS NOT NULL" for name in names)
    select = f"SELECT {', '.join(names)}, count(*) AS responses FROM answers GROUP BY ALL"
    select = f"SELECT *, sum(responses) FILTER ({there}) OVER () AS answered FROM ({select})"
    select = f"SELECT * FROM ({select}) WHERE {there}"
    for one, name in zip(asked, names, strict=True):
        if one.kind == "choices":
            select = f"SELECT * REPLACE (unnest({name}) AS {name}) FROM ({select})"
            select = f"SELECT * FROM ({select}) WHERE {name} IS NOT NULL"
    return select


def _declared(one: Question) -> str:
    choices = one.parts[0].column.choices if one.kind in ("choice", "choices") else ()
    kind = one.parts[0].hot.type.removesuffix("[]")
    return f"SELECT unnest(CAST([{', '.join(map(text, choices))}] AS {kind}[])) AS answer"


def _cells(parts: Sequence[Part], sources: Sequence[Source]) -> str:
    is_list = any(part.hot.type == "VARCHAR[]" for part in parts)
    selects = []
    for source in sources:
        told = [
            _as_text(part, expression, is_list)
            for part, expression in zip(parts, _expressions(parts, source.is_typed), strict=True)
        ]
        if source.is_typed:  # a scan of each column: faster than lists that are made and taken apart
            selects += [
                f"SELECT {text(part.row)} AS row, {answer} AS answer, count(*) AS responses "
                f"FROM {source.rows} WHERE {source.where} GROUP BY ALL"
                for part, answer in zip(parts, told, strict=True)
            ]
        else:
            cells = ", ".join(
                f"{{'row': {text(part.row)}, 'answer': {answer}}}"
                for part, answer in zip(parts, told, strict=True)
            )
            unnested = f"SELECT unnest([{cells}]) AS cell FROM ({_said(parts, source)})"
            selects.append(
                "SELECT cell.row AS row, cell.answer AS answer, count(*) AS responses "
                f"FROM ({unnested}) GROUP BY ALL"
            )
    every = " UNION ALL ".join(selects)
    answer = "unnest(answer)" if is_list else "answer"
    return (
        f"SELECT * FROM (SELECT row, {answer} AS answer, responses FROM ({every})) WHERE answer IS NOT NULL"
    )


def _as_text(part: Part, expression: str, is_list: bool) -> str:
    if part.hot.type == "VARCHAR[]":
        return expression
    if part.hot.type == "DOUBLE":
        expression = f"format('{{:.15g}}', {expression})"
    return f"[CAST({expression} AS VARCHAR)]" if is_list else f"CAST({expression} AS VARCHAR)"


def _said(parts: Sequence[Part], source: Source) -> str:
    """The rows, with what their JSON says of the parts where no typed column does."""
    if source.is_typed:
        return f"SELECT * FROM {source.rows} WHERE {source.where}"
    made = ", ".join(
        f"json_transform(data, {text(hot.shape(shape))}) AS said_{place}"
        for place, shape in enumerate(_shapes(parts))
    )
    return f"SELECT *, {made} FROM {source.rows} WHERE {source.where}"


def _expressions(parts: Sequence[Part], is_typed: bool) -> list[str]:
    if is_typed:
        told = [quoted(part.hot.name) for part in parts]
    else:
        is_one = len(_shapes(parts)) == 1
        told = [
            hot.expression(part.hot, f"said_{0 if is_one else place}") for place, part in enumerate(parts)
        ]
    return [_unwrapped(part, each) for part, each in zip(parts, told, strict=True)]


def _shapes(parts: Sequence[Part]) -> list[tuple[Hot, ...]]:
    """One for all, or one each where names differ in their case alone, or twice the same is asked."""
    together = hot.columns(_map(*(replace(part.column, wrapped="") for part in parts)))
    return [together] if len(together) == len(parts) else [(part.hot,) for part in parts]


def _unwrapped(part: Part, expression: str) -> str:
    if part.hot.type != "VARCHAR[]":
        return expression
    if name := part.column.wrapped:
        shape = text(json.dumps({name: "VARCHAR"}))
        expression = f"list_transform({expression}, lambda one: json_transform(one, {shape}).{quoted(name)})"
    return f"nullif({expression}, [])"
