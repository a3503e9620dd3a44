"""Writing a day of the lake anew, or a month: what it held, without what changed, and with what it is now.

It is one file, sorted by form, time and id, and cut into row groups, so that one form is read without the
others. Forms with many responses in it have their typed columns beside the JSON; which these are is
written in the file's own metadata. The same rows give the same bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from appliance.analytics import hot, parquet
from appliance.analytics.engine import Connection
from appliance.analytics.hot import Hot, quoted, text
from appliance.analytics.lake import Lake, Period, publishing
from appliance.analytics.rows import DELETED, SCHEMA

OFTEN: Final = 500
"""Responses of a form in one file from which on its questions have columns of their own there."""
FORMS: Final = 40
"""Forms at most that have, in one file."""
_COLUMNS: Final = ", ".join(quoted(field.name) for field in SCHEMA)


def spilled(folder: Path, tables: Sequence[pa.Table], number: int) -> Path:
    """Keep a part of what changed until its days are written."""
    table = pa.concat_tables(tables)
    day = pc.cast(pc.floor_temporal(table["created_at"], unit="day"), pa.date32())
    path = folder / f"{number:06d}.parquet"
    table = table.append_column("day", day)
    if not pc.all(pc.less_equal(day[:-1], day[1:])).as_py():  # those of one form come in order
        table = table.sort_by("day")
    pq.write_table(table, path, row_group_size=5_000, compression="zstd", compression_level=1)
    return path


def of_forms(connection: Connection, lake: Lake, forms: Collection[str]) -> set[Period]:
    """What has responses of any of these."""
    if not forms or lake.is_empty:
        return set()
    found = connection.execute(
        f"SELECT DISTINCT CAST(created_at AS DATE) FROM {lake.source} WHERE form_id IN ({_texts(forms)})"
    )
    return {lake.period(day) for (day,) in found.fetchall()}


def touched(connection: Connection, lake: Lake, spills: Sequence[Path]) -> set[Period]:
    """What the parts have rows of."""
    if not spills:
        return set()
    found = connection.execute(f"SELECT DISTINCT day FROM {_read(spills)}").fetchall()
    return {lake.period(day) for (day,) in found}


def often(
    connection: Connection, lake: Lake, period: Period, spills: Sequence[Path], without: Collection[str] = ()
) -> list[str]:
    """The forms whose questions get columns of their own there."""
    return often_in(connection, _source(lake, period, spills, without))


def often_in(connection: Connection, source: str) -> list[str]:
    """The same, of what a SELECT gives."""
    counted = connection.execute(
        f"SELECT form_id FROM ({source}) GROUP BY 1 HAVING count(*) >= {OFTEN} "
        f"ORDER BY count(*) DESC, 1 LIMIT {FORMS}"
    )
    return sorted(form for (form,) in counted.fetchall())


def write(
    connection: Connection,
    lake: Lake,
    period: Period,
    spills: Sequence[Path],
    found: Mapping[str, tuple[Hot, ...]],
    without: Collection[str] = (),
) -> int:
    """Put the file in place, or away when nothing is left of it; how many rows it has. `found` has the typed
    columns of the forms that have any. Of the forms `without`, nothing is kept but what the parts have.
    """
    with publishing(lake.file(period)) as beside:
        rows = copy(connection, _source(lake, period, spills, without), found, beside)
    if not rows:
        lake.drop(period)
    return rows


def copy(connection: Connection, source: str, found: Mapping[str, tuple[Hot, ...]], path: Path) -> int:
    """What a SELECT gives, as a file; how many rows."""
    columns = {form: found[form] for form in sorted(found) if found[form]}
    told = {form: hot.fingerprint(each) for form, each in columns.items()}
    asked = connection.sql(f"{_select(source, columns)} ORDER BY form_id, created_at, response_id")
    return parquet.write(asked.to_arrow_reader(parquet.BATCH), path, told)


def together(files: Sequence[Path]) -> str:
    """A SELECT of all that some files have."""
    return f"SELECT {_COLUMNS} FROM {_read(files)}"


def _source(lake: Lake, period: Period, spills: Sequence[Path], without: Collection[str]) -> str:
    """Each response once, in its latest state; deleted ones not."""
    kept = lake.file(period)
    left_out = f" WHERE form_id NOT IN ({_texts(without)})" if without else ""
    within = f"day BETWEEN DATE '{period.first}' AND DATE '{period.last}'"
    parts = []
    if spills:
        parts.append(f"SELECT {_COLUMNS}, 1 AS fresh FROM {_read(spills)} WHERE {within}")
    if kept.exists():
        parts.append(f"SELECT {_COLUMNS}, 0 AS fresh FROM read_parquet({text(str(kept))}){left_out}")
    return (
        f"SELECT {_COLUMNS} FROM ({' UNION ALL '.join(parts)}) "
        "QUALIFY row_number() OVER (PARTITION BY response_id ORDER BY revision DESC, fresh DESC) = 1 "
        f"AND status <> {text(DELETED)}"
    )


def _select(source: str, found: Mapping[str, tuple[Hot, ...]]) -> str:
    """All rows, those of forms with columns of their own with these."""
    names = ", ".join(text(form) for form in found)
    others = f" WHERE form_id NOT IN ({names})" if found else ""
    parts = [f"SELECT {_COLUMNS} FROM of_day{others}"]
    for form, columns in found.items():
        made = ", ".join(f"{hot.expression(one, 'said')} AS {quoted(one.name)}" for one in columns)
        transform = f"json_transform(data, {text(hot.shape(columns))}) AS said"
        mine = f"SELECT *, {transform} FROM of_day WHERE form_id = {text(form)}"
        parts.append(f"SELECT {_COLUMNS}, {made} FROM ({mine})")
    return f"WITH of_day AS MATERIALIZED ({source}) {' UNION ALL BY NAME '.join(parts)}"


def _read(paths: Iterable[Path]) -> str:
    return f"read_parquet([{', '.join(text(str(path)) for path in paths)}], hive_partitioning = false)"


def _texts(values: Iterable[str]) -> str:
    return ", ".join(map(text, sorted(values)))
