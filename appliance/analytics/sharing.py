"""A copy of the lake for somebody else: all of it, or some forms, or without some columns.

Contract: it is what the lake was at one moment, and it is there whole or not at all. The files are read-only,
and `SHA256SUMS` has their checksums.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from appliance import disk
from appliance.analytics import engine, parquet
from appliance.analytics.engine import Connection
from appliance.analytics.hot import quoted, text
from appliance.analytics.lake import Lake
from appliance.analytics.rows import SCHEMA
from appliance.analytics.tables import TABLES

OF_USERS: Final = "activity"
"""The table that is about users, not about a form."""
_SUBMITTER: Final = "submitter"
_DATA: Final = "data"
_README: Final = Path(__file__).with_name("shared.md")
_READ_ONLY: Final = 0o444


class Refused(Exception):
    """It was not shared; the message says why."""


class Asked(NamedTuple):
    forms: Collection[str] = ()
    """Only these; none: all."""
    without: Collection[str] = ()
    """Columns that are left out, in every table."""
    link: bool = False
    """Share the disk's blocks with the lake, where files are taken as they are."""

    @property
    def as_they_are(self) -> bool:
        return not self.forms and not self.without


class Shared(NamedTuple):
    files: int
    responses: int
    bytes: int


def share(lake: Lake, target: Path, asked: Asked) -> Shared:
    """Raises Refused, OSError."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Refused(f"{target} is there and not empty")
    with disk.only_one(lake.folder) as alone:
        if not alone:
            raise Refused("the lake is being brought up to date; try again when that has ended")
        state = lake.state()
        if state["as_of"] is None:
            raise Refused("the lake is empty; next: POST /api/v1/analytics/run, or wait for ANALYTICS_CRON")
        with _beside(target) as draft:
            return _fill(lake, Lake(draft), asked, state["as_of"])


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder that takes its name when the body has filled it."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.new")
    draft.mkdir(parents=True)
    try:
        yield draft
        draft.rename(target)
        disk.sync_folder(target.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _fill(lake: Lake, copy: Lake, asked: Asked, as_of: str) -> Shared:
    with engine.opened(lake.folder) as connection:
        _check(connection, lake, asked)
        left_out = {OF_USERS} if asked.forms or _SUBMITTER in asked.without else set()
        places = [(lake.file(period), copy.file(period)) for period in lake.periods()]
        places += [(lake.table(name), copy.table(name)) for name in TABLES if name not in left_out]
        for source, place in places:
            if source.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                if asked.as_they_are:
                    _take(source, place, asked.link)
                else:
                    _write(connection, source, place, asked)
    files = [_told(copy, path) for path in sorted(copy.folder.rglob("*.parquet"))]
    chosen = {"forms": sorted(asked.forms) or None, "without": sorted(asked.without)}
    manifest = {"version": 1, "as_of": as_of, **chosen, "files": files}
    _keep(copy.folder / "manifest.json", json.dumps(manifest, indent=2) + "\n")
    _keep(copy.folder / "README.md", _README.read_text().replace("AS_OF", as_of))
    _keep(copy.folder / "SHA256SUMS", "".join(f"{one['sha256']}  {one['path']}\n" for one in files))
    rows = sum(one["rows"] for one in files if one["path"].startswith("responses/"))
    return Shared(len(files), rows, sum(one["bytes"] for one in files))


def _check(connection: Connection, lake: Lake, asked: Asked) -> None:
    known = {name for schema in (SCHEMA, *TABLES.values()) for name in schema.names}
    if not lake.is_empty:
        described = connection.execute(f"DESCRIBE SELECT * FROM {lake.source}").fetchall()
        known |= {str(row[0]) for row in described}
    if strange := sorted(set(asked.without) - known):
        raise Refused(f"no table has a column {strange[0]}")
    questions = sorted(name for name in asked.without if name.startswith("q_"))
    if questions and _DATA not in asked.without:
        raise Refused(f"the answers of {questions[0]} are in `data` too; leave that out as well")
    kept = connection.execute(
        f"SELECT form_id FROM read_parquet({text(str(lake.table('forms')))})"
    ).fetchall()
    if strange := sorted(set(asked.forms) - {form for (form,) in kept}):
        raise Refused(f"the lake has no form {strange[0]}")


def _take(source: Path, place: Path, link: bool) -> None:
    """Files of the lake never change: a new one takes the name of the old one."""
    if link:
        with contextlib.suppress(OSError):  # another disk
            place.hardlink_to(source)
            return
    shutil.copyfile(source, place)
    place.chmod(_READ_ONLY)


def _write(connection: Connection, source: Path, place: Path, asked: Asked) -> None:
    """The rows and columns that are asked for, but no column and no file that nothing is left in."""
    names = pq.read_schema(source).names
    forms = ", ".join(text(form) for form in sorted(asked.forms))
    chosen = f" WHERE form_id IN ({forms})" if asked.forms else ""
    table = f"FROM read_parquet({text(str(source))}, hive_partitioning = false){chosen}"
    questions = [name for name in names if name.startswith("q_")]
    counts = ", ".join(["count(*)", *(f"count({quoted(name)})" for name in questions)])
    ((rows, *filled),) = connection.execute(f"SELECT {counts} {table}").fetchall()
    empty = {name for name, count in zip(questions, filled, strict=True) if not count}
    if _DATA in asked.without:  # what is in it goes too
        empty.update(questions)
    kept = [name for name in names if name not in asked.without and name not in empty]
    if rows and kept:
        schema = pa.schema([pq.read_schema(source).field(name) for name in kept])
        parquet.write(_rows(source, kept, asked.forms), schema, place, {})
        place.chmod(_READ_ONLY)
    else:
        place.parent.rmdir()


def _rows(source: Path, kept: list[str], forms: Collection[str]) -> Iterator[pa.Table]:
    """In their order, a row group at a time."""
    with pq.ParquetFile(source, pre_buffer=False) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=sorted({*kept, "form_id"}) if forms else kept)
            if forms:
                table = table.filter(pc.field("form_id").isin(sorted(forms)))
            yield table.select(kept)


def _told(copy: Lake, path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "path": str(path.relative_to(copy.folder)),
        "rows": pq.read_metadata(path).num_rows,
        "bytes": path.stat().st_size,
        "sha256": digest,
    }


def _keep(path: Path, content: str) -> None:
    path.write_text(content)
    path.chmod(_READ_ONLY)
