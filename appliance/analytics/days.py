"""Writing a day of the lake anew, or a month: what it held, without what changed, and with what it is now.

It is one file, sorted by form, time and id, and cut into row groups, so that one form is read without the
others. What is held in memory is a row group and a piece of each part, however many and large responses are.
Forms with many responses in it have their typed columns beside the JSON; which these are is written in the
file's own metadata. The same rows give the same bytes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from appliance.analytics import hot, merging, parquet
from appliance.analytics.engine import Connection
from appliance.analytics.hot import Hot, quoted, text
from appliance.analytics.lake import Lake, Period, publishing
from appliance.analytics.rows import DELETED, LAKE

OFTEN: Final = 500
"""Responses of a form in one file from which on its questions have columns of their own there."""
FORMS: Final = 40
"""Forms at most that have, in one file."""
_NARROW: Final = "response_id, form_id, revision, status"
_SPILLED: Final = (5_000, 4 * 2**20)
"""Rows of a row group that is put aside, and bytes."""


class Spill(NamedTuple):
    """A part of what changed, put aside: in the order of days, and of each as the lake has it."""

    path: Path
    days: frozenset[dt.date]
    groups: tuple[tuple[dt.date, dt.date], ...]
    """First and last day of each row group."""

    def days_of(self, period: Period) -> list[dt.date]:
        return sorted(day for day in self.days if period.first <= day <= period.last)

    def groups_of(self, day: dt.date) -> list[int]:
        return [at for at, (first, last) in enumerate(self.groups) if first <= day <= last]


def spilled(folder: Path, tables: Sequence[pa.Table], number: int) -> Spill:
    """Keep a part of what changed until its days are written."""
    table = pa.concat_tables(tables)
    table = table.append_column(
        "day", pc.cast(pc.floor_temporal(table["created_at"], unit="day"), pa.date32())
    )
    table = table.sort_by([("day", "ascending"), *((name, "ascending") for name in merging.KEY)])
    path, found = folder / f"{number:06d}.parquet", list[tuple[dt.date, dt.date]]()
    with pq.ParquetWriter(
        path, table.schema, compression="zstd", compression_level=1, use_dictionary=False
    ) as writer:
        for group in parquet.groups([table], *_SPILLED):
            writer.write_table(group, group.num_rows)
            found.append((group["day"][0].as_py(), group["day"][-1].as_py()))
    return Spill(path, frozenset(pc.unique(table["day"]).to_pylist()), tuple(found))


def of_forms(connection: Connection, lake: Lake, forms: Collection[str]) -> set[Period]:
    """What has responses of any of these."""
    if not forms or lake.is_empty:
        return set()
    found = connection.execute(
        f"SELECT DISTINCT CAST(created_at AS DATE) FROM {lake.source} WHERE form_id IN ({_texts(forms)})"
    )
    return {lake.period(day) for (day,) in found.fetchall()}


def touched(lake: Lake, spills: Sequence[Spill]) -> set[Period]:
    """What the parts have rows of."""
    return {lake.period(day) for spill in spills for day in spill.days}


def often(
    connection: Connection, lake: Lake, period: Period, spills: Sequence[Spill], without: Collection[str] = ()
) -> list[str]:
    """The forms whose questions get columns of their own there."""
    kept, parts = lake.file(period), []
    left_out = f" WHERE form_id NOT IN ({_texts(without)})" if without else ""
    if mine := [spill.path for spill in spills if spill.days_of(period)]:
        within = f"day BETWEEN DATE '{period.first}' AND DATE '{period.last}'"
        parts.append(f"SELECT {_NARROW}, 1 AS fresh FROM {_read(mine)} WHERE {within}")
    if kept.exists():
        parts.append(f"SELECT {_NARROW}, 0 AS fresh FROM {_read([kept])}{left_out}")
    return often_in(
        connection,
        f"SELECT {_NARROW} FROM ({' UNION ALL '.join(parts)}) "
        "QUALIFY row_number() OVER (PARTITION BY response_id ORDER BY revision DESC, fresh DESC) = 1 "
        f"AND status <> {text(DELETED)}",
    )


def often_in(connection: Connection, source: str) -> list[str]:
    """The same, of what a SELECT gives."""
    counted = connection.execute(
        f"SELECT form_id FROM ({source}) GROUP BY 1 HAVING count(*) >= {OFTEN} "
        f"ORDER BY count(*) DESC, 1 LIMIT {FORMS}"
    )
    return sorted(form for (form,) in counted.fetchall())


def often_among(connection: Connection, files: Sequence[Path]) -> list[str]:
    """The same, of files that have no response in common."""
    return often_in(connection, f"SELECT form_id FROM {_read(files)}")


def write(
    connection: Connection,
    lake: Lake,
    period: Period,
    spills: Sequence[Spill],
    found: Mapping[str, tuple[Hot, ...]],
    without: Collection[str] = (),
) -> int:
    """Put the file in place, or away when nothing is left of it; how many rows it has. `found` has the typed
    columns of the forms that have any. Of the forms `without`, nothing is kept but what the parts have.
    """
    with publishing(lake.file(period)) as beside:
        rows = copy(connection, _rows(lake, period, spills, without), found, beside)
    if not rows:
        lake.drop(period)
    return rows


def copy(
    connection: Connection, tables: Iterable[pa.Table], found: Mapping[str, tuple[Hot, ...]], path: Path
) -> int:
    """Rows in the lake's order, as a file with typed columns; how many they are."""
    columns = {form: found[form] for form in sorted(found) if found[form]}
    told = {form: hot.fingerprint(each) for form, each in columns.items()}
    typed = Typed(connection, columns)
    return parquet.write(tables, typed.schema, path, told, typed.add)


def together(files: Sequence[Path]) -> Iterator[pa.Table]:
    """All that some files have, which have no response in common."""
    return merging.latest([merging.read(file, fresh=False) for file in files])


def _rows(
    lake: Lake, period: Period, spills: Sequence[Spill], without: Collection[str]
) -> Iterator[pa.Table]:
    """Each response once, in its latest state; deleted ones not."""
    kept = lake.file(period)
    runs = [
        merging.read(spill.path, spill.groups_of(day), pc.field("day") == day, fresh=True)
        for spill in spills
        for day in spill.days_of(period)
    ]
    if kept.exists():
        stays = ~pc.field("form_id").isin(sorted(without)) if without else None
        runs.append(merging.read(kept, wanted=stays, fresh=False))
    return merging.latest(runs)


class Typed:
    """The typed columns of some forms, beside the JSON that they are read from."""

    def __init__(self, connection: Connection, columns: Mapping[str, tuple[Hot, ...]]) -> None:
        self._connection, self._columns = connection, columns
        nulls = [
            "SELECT " + ", ".join(f"CAST(NULL AS {one.type}) AS {quoted(one.name)}" for one in each)
            for each in columns.values()
        ]
        self.schema, self._types = LAKE, dict[str, str]()
        if nulls:  # two forms may have a question of one name and other kinds: DuckDB finds a type for both
            every = connection.sql(f"SELECT * FROM ({' UNION ALL BY NAME '.join(nulls)}) LIMIT 0")
            self._types = dict(zip(every.columns, map(str, every.types), strict=True))
            self.schema = pa.schema([*LAKE, *every.to_arrow_table().schema])

    def add(self, rows: pa.Table) -> pa.Table:
        """To rows that are in the order of forms."""
        if not self._columns:
            return rows
        parts = list[pa.Table]()
        for form, first, last in _stretches(rows["form_id"], self._columns):
            part = rows.slice(first, last - first)
            parts.append(self._padded(part if form is None else self._with(part, self._columns[form])))
        return pa.concat_tables(parts)

    def _with(self, rows: pa.Table, columns: Sequence[Hot]) -> pa.Table:
        made = ", ".join(
            f"CAST({hot.expression(one, 'said')} AS {self._types[one.name]}) AS {quoted(one.name)}"
            for one in columns
        )
        self._connection.register("part", rows)
        shape = text(hot.shape(tuple(columns)))
        found = self._connection.sql(
            f"SELECT {made} FROM (SELECT json_transform(data, {shape}) AS said FROM part)"
        ).to_arrow_table()
        self._connection.unregister("part")
        for place, name in enumerate(found.column_names):
            rows = rows.append_column(found.schema.field(place), found[name])
        return rows

    def _padded(self, rows: pa.Table) -> pa.Table:
        known = set(rows.column_names)
        return pa.Table.from_arrays(
            [
                rows[field.name] if field.name in known else pa.nulls(rows.num_rows, field.type)
                for field in self.schema
            ],
            schema=self.schema,
        )


def _stretches(forms: pa.ChunkedArray, apart: Collection[str]) -> Iterator[tuple[str | None, int, int]]:
    """From where to where rows are of one of these forms, or of others (None)."""
    encoded = pc.run_end_encode(forms.combine_chunks())
    begin, of, start = 0, None, 0
    for form, end in zip(encoded.values.to_pylist(), encoded.run_ends.to_pylist(), strict=True):
        now = form if form in apart else None
        if now is not None or of is not None:
            if begin > start:
                yield of, start, begin
            of, start = now, begin
        begin = end
    yield of, start, begin


def _read(paths: Iterable[Path]) -> str:
    return f"read_parquet([{', '.join(text(str(path)) for path in paths)}], hive_partitioning = false)"


def _texts(values: Iterable[str]) -> str:
    return ", ".join(map(text, sorted(values)))
