"""Answers of a megabyte, and many of them: what is held does not grow with what there is."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from appliance.analytics import days, engine, hot, parquet, rows
from appliance.analytics.hot import Hot
from appliance.analytics.lake import Lake
from appliance.clock import new_id
from appliance.services.lake_reading import Taken

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
COLUMNS = (Hot("q_words", "VARCHAR", ("words",)),)
PEAK = """
import resource, sys
from pathlib import Path
from tests.analytics.test_large import fill, write
folder, size, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
lake, spills = fill(folder, size, count)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write(lake, spills)
write(lake, spills)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def row(form_id: str, at: int, words: str) -> dict[str, Any]:
    moment = NOON + dt.timedelta(seconds=at)
    return {
        "_id": new_id(), "form_id": form_id, "seq": at + 1, "form_version": 1, "submitter": None,
        "status": "accepted", "revision": 1, "tags": [], "data": {"words": words}, "created_at": moment,
        "updated_at": moment, "meta": {"completion_time": 1.5, "language": "en"},
    }  # fmt: skip


def fill(folder: Path, size: int, count: int) -> tuple[Lake, list[days.Spill]]:
    """So many answers of so many bytes, put aside as a run does it."""
    chance, form_id, spills = random.Random(1), new_id(), list[days.Spill]()
    each = max(1, 16 * 2**20 // size)
    for first in range(0, count, each):
        found = [
            row(form_id, at, chance.randbytes(size // 2).hex())
            for at in range(first, min(first + each, count))
        ]
        spills.append(days.spilled(folder, [rows.table(found)], len(spills)))
    return Lake(folder), spills


def write(lake: Lake, spills: list[days.Spill]) -> None:
    with engine.opened(lake.folder) as connection:
        for period in sorted(days.touched(lake, spills)):
            often = days.often(connection, lake, period, spills)
            days.write(connection, lake, period, spills, dict.fromkeys(often, COLUMNS))


@pytest.mark.parametrize("size, count", [(4_000, 20_000), (100_000, 1_500), (950_000, 150)])
def test_a_day_of_large_answers_is_written_and_read(tmp_path: Path, size: int, count: int) -> None:
    """More than DuckDB may have in memory, but for the first."""
    lake, spills = fill(tmp_path, size, count)
    write(lake, spills)
    write(lake, spills)  # over what is there
    (period,) = lake.periods()
    told = pq.read_metadata(lake.file(period))
    assert told.num_rows == count
    held = [told.row_group(at).num_rows * size for at in range(told.num_row_groups)]
    assert max(held) <= max(parquet.BYTES, size)
    with engine.opened(tmp_path) as connection:
        words = "sum(length(data->>'$.words'))"
        ((found,),) = connection.execute(f"SELECT {words} FROM {lake.source}").fetchall()
    assert found == size // 2 * 2 * count


def test_memory_does_not_grow_with_the_answers(tmp_path: Path) -> None:
    """300 MB, in a process of its own; kilobytes are told."""
    ended = subprocess.run(
        [sys.executable, "-c", PEAK, tmp_path, "100000", "3000"], capture_output=True, text=True, check=True
    )
    assert int(ended.stdout) < 300_000


def test_many_forms_take_no_longer_each(tmp_path: Path) -> None:
    """20,000 forms of one answer: with a table each it would take hours."""
    taken = Taken(tmp_path, ())

    async def take() -> None:
        for at in range(20_000):
            await taken.add([row(f"form-{at:06d}", at, "x")], 500)

    asyncio.run(take())
    spills = taken.finish()
    lake = Lake(tmp_path)
    with engine.opened(tmp_path) as connection:
        assert (
            sum(days.write(connection, lake, period, spills, {}) for period in days.touched(lake, spills))
            == 20_000
        )


def test_identical_answers_are_as_large_as_they_are(tmp_path: Path) -> None:
    """A dictionary would hide it from whoever reads a few rows."""
    form_id = new_id()
    found = [row(form_id, at, "y" * 900_000) for at in range(40)]
    spills = [days.spilled(tmp_path, [rows.table(found)], 0)]
    told = pq.read_metadata(spills[0].path)
    assert told.num_row_groups == 10 and told.row_group(0).total_byte_size > 3_000_000


def test_a_folder_of_no_day_is_nobodys(tmp_path: Path) -> None:
    lake, spills = fill(tmp_path, 100, 3)
    write(lake, spills)
    (period,) = lake.periods()
    stranger = lake.responses / "date=2026-13-45"
    stranger.mkdir()
    (stranger / "responses.parquet").write_bytes(lake.file(period).read_bytes())
    assert lake.periods() == [period]


def test_the_types_of_two_forms_meet(tmp_path: Path) -> None:
    """One has a number where the other has a text, in whatever order they come."""
    number, words = (Hot("q_size", "DOUBLE", ("size",)),), (Hot("q_size", "VARCHAR", ("size",)),)
    found = []
    for form_id, size in (("a", 1.5), ("b", "large"), ("c", 2)):
        found += [{**row(form_id, at, ""), "data": {"size": size}} for at in range(2)]
    spills = [days.spilled(tmp_path, [rows.table(found)], 0)]
    lake = Lake(tmp_path)
    with engine.opened(tmp_path) as connection:
        (period,) = days.touched(lake, spills)
        days.write(connection, lake, period, spills, {"a": number, "b": words})
        told = connection.execute(
            f"SELECT form_id, q_size FROM {lake.source} ORDER BY seq, form_id"
        ).fetchall()
    assert told[:3] == [("a", "1.5"), ("b", "large"), ("c", None)]
    assert parquet.told(lake.file(period)) == {"a": hot.fingerprint(number), "b": hot.fingerprint(words)}
