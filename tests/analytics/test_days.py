"""A day of the lake is what its responses are by now, in the same bytes however it came to it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bson
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.analytics import asking, days, engine, hot, months, named, rows, verify
from appliance.analytics.lake import Lake, day
from appliance.domain.columns import Column, ColumnMap, Table

DAY = dt.datetime(2026, 3, 28, tzinfo=dt.UTC)  # the clocks go forward in Europe on the next one
END = dt.date(2026, 4, 30) + months.RESTS  # from the next day on, April is over
COLUMNS = hot.columns(ColumnMap(Table("", (Column(("n",), "number"), Column(("m", "R"), "choice")))))


def row(number: int, form: str, at: dt.datetime, **more: Any) -> dict[str, Any]:
    return {
        "_id": f"{form}-{number:06d}", "form_id": form, "form_version": 1, "created_at": at, "updated_at": at,
        "submitter": None, "status": "accepted", "tags": ["a"], "seq": number, "revision": 1,
        "data": {"n": number, "m": {"R": "x"}}, "meta": {"completion_time": number * 1.5, "language": "en"},
        **more,
    }  # fmt: skip


@contextmanager
def opened() -> Iterator[tuple[Lake, engine.Connection]]:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        lake.folder.mkdir()
        with engine.opened(lake.folder) as connection:
            yield lake, connection


def take(lake: Lake, connection: engine.Connection, changed: list[dict[str, Any]]) -> None:
    """What a run does with what changed."""
    with lake.working() as folder:
        spills = [
            days.spilled(folder, [rows.table(changed[at : at + 7])], at) for at in range(0, len(changed), 7)
        ]
        for period in sorted(days.touched(lake, spills)):
            often = days.often(connection, lake, period, spills)
            days.write(connection, lake, period, spills, dict.fromkeys(often, COLUMNS))


def join(lake: Lake, connection: engine.Connection, today: dt.date) -> None:
    found = months.due(lake, today)
    columns: dict[Any, Any] = {
        month: dict.fromkeys(days.often_among(connection, files), COLUMNS) for month, files in found.items()
    }
    if found:
        assert months.join(connection, lake, found, columns)


def kept(lake: Lake) -> dict[str, tuple[int, str]]:
    if lake.is_empty:
        return {}
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT response_id, revision, data FROM read_parquet(?, union_by_name = true)", [lake.pattern]
        ).fetchall()
    assert len(found) == len({one[0] for one in found})
    return {one[0]: (one[1], one[2]) for one in found}


def digest(lake: Lake) -> str:
    return hashlib.sha256(b"".join(lake.file(period).read_bytes() for period in lake.periods())).hexdigest()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["submit", "edit", "delete", "run", "join"]),
        st.integers(0, 30),
        st.integers(-140, 140),
        st.sampled_from(["f", "g"]),
    ),
    max_size=40,
)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_the_lake_is_what_the_responses_are_after_any_history(
    steps: list[tuple[str, int, int, str]],
) -> None:
    truth: dict[str, dict[str, Any]] = {}
    changed: set[str] = set()
    with opened() as (lake, connection):
        for kind, number, hours, form in [*steps, ("run", 0, 0, "f")]:
            name = f"{form}-{number:06d}"
            if kind == "submit" and name not in truth:
                truth[name] = row(number, form, DAY + dt.timedelta(hours=hours))
                changed.add(name)
            elif kind == "edit" and name in truth:
                truth[name] |= {"revision": truth[name]["revision"] + 1, "data": {"n": number + hours}}
                changed.add(name)
            elif kind == "delete" and name in truth:
                truth[name] |= {"revision": truth[name]["revision"] + 1, "status": "deleted"}
                changed.add(name)
            elif kind == "run":
                take(lake, connection, [truth[one] for one in sorted(changed)])
                take(lake, connection, [truth[one] for one in sorted(changed)])  # as after a kill
                changed.clear()
            elif kind == "join":
                join(lake, connection, END + hours * dt.timedelta(days=1))
        there = {name: one for name, one in truth.items() if one["status"] != "deleted"}
        assert {name: one[0] for name, one in kept(lake).items()} == {
            name: one["revision"] for name, one in there.items()
        }
        held = lake.periods()
        for one in there.values():
            assert lake.period(one["created_at"].date()) in held
        assert len(held) <= len({one["created_at"].date() for one in there.values()}), "none is empty"


def test_the_same_rows_give_the_same_bytes_by_any_way() -> None:
    every = [row(number, "f", DAY + dt.timedelta(minutes=number)) for number in range(1200)]
    with opened() as (one, connection):
        take(one, connection, every)
        at_once = digest(one)
        take(one, connection, [])
        take(one, connection, every[100:200])
        assert digest(one) == at_once
    with opened() as (other, connection):
        for first in range(0, 1200, 300):
            take(other, connection, every[first : first + 300])
        assert digest(other) == at_once


def test_a_month_that_is_over_is_one_file_with_the_same_rows() -> None:
    april = [row(number, "f", DAY + dt.timedelta(hours=6 * number)) for number in range(100)]
    with opened() as (lake, connection):
        take(lake, connection, april)
        before, files = kept(lake), len(lake.periods())
        join(lake, connection, END)
        assert [period.name for period in lake.periods()][:5] == [
            "2026-03",
            *(f"2026-04-0{n}" for n in range(1, 5)),
        ]
        join(lake, connection, END + dt.timedelta(days=1))
        assert [period.name for period in lake.periods()] == ["2026-03", "2026-04"] and files == 25
        assert kept(lake) == before and not any(file.fault for file in verify.files(lake))
        joined = digest(lake)
        join(lake, connection, END + dt.timedelta(days=9))
        assert digest(lake) == joined
        late = [row(101, "f", DAY + dt.timedelta(hours=1)), april[50] | {"revision": 2, "status": "deleted"}]
        take(lake, connection, late)
        assert [period.name for period in lake.periods()] == ["2026-03", "2026-04"]
        assert kept(lake).keys() == before.keys() - {april[50]["_id"]} | {late[0]["_id"]}
        take(lake, connection, [one | {"revision": 3, "status": "deleted"} for one in (*april, *late)])
        assert lake.is_empty
    with opened() as (lake, connection):
        for each in april:
            take(lake, connection, [each])
        join(lake, connection, END + dt.timedelta(days=1))
        assert digest(lake) == joined, "however it came to it"


# All that JSON has, which is all that answers can be made of.
ANSWERS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(ANSWERS)
@example({"big": 2**40, "list": [[2**53 + 1], {"least": -(2**63)}]})
def test_answers_are_in_the_lake_as_the_database_has_them(answer: Any) -> None:
    """It gives back whole numbers of 64 bits as a type of its own."""
    stored = bson.decode(bson.encode(row(1, "f", DAY, data={"answer": answer})))
    (text,) = rows.table([stored | {"created_at": DAY, "updated_at": DAY}])["data"].to_pylist()
    assert json.loads(text) == {"answer": answer}


def test_questions_of_forms_with_many_answers_have_typed_columns() -> None:
    with opened() as (lake, connection):
        take(lake, connection, [row(number, "f", DAY) for number in range(days.OFTEN)])
        take(lake, connection, [row(1, "g", DAY)])
        found = connection.execute(
            'SELECT form_id, sum(q_n), any_value("q_m.R") '
            f"FROM '{lake.file(day(DAY.date()))}' GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert found == [("f", sum(range(days.OFTEN)), "x"), ("g", None, None)]


def test_named_queries_say_what_a_loop_over_the_rows_says() -> None:
    every = [row(number, "fg"[number % 2], DAY + dt.timedelta(minutes=7 * number)) for number in range(400)]
    with opened() as (lake, connection):
        take(lake, connection, every)
        scope = asking.Scope(["f"], time_zone="Europe/Berlin")
        daily = asking.ask(lake, named.queries()["daily"].sql, scope)
        activity = asking.ask(lake, named.queries()["activity"].sql, scope)
    mine = [one for one in every if one["form_id"] == "f"]
    first = [one["meta"]["completion_time"] for one in mine if one["created_at"].date() == DAY.date()]
    assert daily[0]["total"] == len(first) and daily[0]["avg"] == sum(first) / len(first)
    middle = sorted(first)
    half = len(middle) // 2
    assert daily[0]["p50"] == (middle[half] if len(middle) % 2 else (middle[half - 1] + middle[half]) / 2)
    assert sum(hour["responses"] for hour in activity) == len(mine)
    hours = [hour["hour"] for hour in activity]
    assert "2026-03-29T01:00:00+01:00" in hours and "2026-03-29T03:00:00+02:00" in hours


def test_a_damaged_page_is_told_whatever_byte_it_is(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.folder.mkdir()
    with engine.opened(lake.folder) as connection:
        take(
            lake, connection, [row(number, "f", DAY + dt.timedelta(minutes=number)) for number in range(600)]
        )
    path = lake.file(day(DAY.date()))
    whole, table = path.read_bytes(), pq.read_table(path, partitioning=None)
    assert [file.fault for file in verify.files(lake)] == [""]
    pages = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")  # what comes then has no checksums
    for at in range(0, pages, pages // 300):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        (found,) = verify.files(lake)
        is_same = found.fault or pq.read_table(path, partitioning=None).equals(table)
        assert is_same, f"byte {at} of {len(whole)}"
    path.write_bytes(whole)
    path.parent.rename(path.parent.with_name("date=2026-03-29"))
    assert [file.fault for file in verify.files(lake)] == ["it has responses of other days"]
    again = lake.file(day(DAY.date()))
    again.parent.mkdir()
    pq.write_table(pa.concat_tables([table, table]), again)
    assert verify.files(lake)[0].fault == "a response is there twice"
    (lake.responses / "date=2026-03-28 copy").mkdir()
    (lake.responses / "date=2026-03-28 copy" / "responses.parquet").touch()
    assert len(verify.files(lake)) == 2
