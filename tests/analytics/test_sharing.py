"""A copy of the lake has what was asked for and nothing else, and other tools read it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.dataset as ds
import pytest

from appliance.analytics import days, sharing, tables, verify
from appliance.analytics.engine import Connection
from appliance.analytics.lake import Lake
from appliance.analytics.sharing import Asked, Refused
from tests.analytics.test_days import DAY, opened, row, take
from tests.ops.command import appliance_command

FORMS = ("f", "g")
SECRET = "sam@example.org"


def tables_of(lake: Lake, connection: Connection) -> None:
    with lake.working() as folder:
        forms = tables.Parts(folder, "forms")
        forms.add([{"form_id": form, "title": form, "owner": "olga"} for form in FORMS])
        tables.count(connection, lake)
        tables.write_forms(connection, lake, forms, ())
        found = tables.Parts(folder, "ai_results")
        found.add([{"response_id": f"{form}-000001", "form_id": form} for form in FORMS])
        tables.write_ai_results(connection, lake, found, (), (), ())
        tables.write_activity(connection, lake, tables.Parts(folder, "activity"), upto=0, is_whole=True)
    lake.save({**lake.state(), "as_of": "2026-03-30T00:00:00Z"})


@pytest.fixture(scope="module")
def lake() -> Iterator[Lake]:
    """Two forms on two days; `f` has typed columns on the first."""
    rows = [row(number, "f", DAY, submitter=SECRET) for number in range(days.OFTEN)]
    rows += [row(number, "g", DAY + dt.timedelta(days=number % 2)) for number in range(10)]
    with opened() as (made, connection):
        take(made, connection, rows)
        tables_of(made, connection)
        yield made


def shared(lake: Lake, target: Path, *forms: str, without: tuple[str, ...] = (), link: bool = False) -> Lake:
    sharing.share(lake, target, Asked(forms, without, link))
    sums = (target / "SHA256SUMS").read_text().splitlines()
    told = json.loads((target / "manifest.json").read_text())
    assert len(sums) == len(told["files"]) == len([*target.rglob("*.parquet")])
    for line, one in zip(sums, told["files"], strict=True):
        assert line == f"{hashlib.sha256((target / one['path']).read_bytes()).hexdigest()}  {one['path']}"
    assert all(not path.stat().st_mode & 0o222 for path in target.rglob("*") if path.is_file() and not link)
    return Lake(target)


def read(folder: Path, sql: str) -> list[Any]:
    with duckdb.connect() as connection:
        return connection.execute(sql.replace("THERE", str(folder))).fetchall()


def test_all_of_it_is_read_by_duckdb_pyarrow_and_pandas(lake: Lake, tmp_path: Path) -> None:
    copy = shared(lake, tmp_path / "copy")
    assert {file.fault for file in verify.files(copy)} == {""}
    counted = read(
        copy.folder,
        "SELECT count(*), sum(q_n) FROM read_parquet('THERE/responses/*/*.parquet', union_by_name = true)",
    )
    assert counted == [(days.OFTEN + 10, sum(range(days.OFTEN)))]
    arrow = ds.dataset(copy.responses, partitioning="hive").to_table(columns=["form_id", "date"])
    assert arrow.num_rows == days.OFTEN + 10
    frame = pd.concat(map(pd.read_parquet, copy.responses.glob("*/*.parquet")))
    assert frame.groupby("form_id").size().to_dict() == {"f": days.OFTEN, "g": 10}
    assert pd.read_parquet(copy.table("activity"))["count"].sum() == days.OFTEN


def test_one_form_comes_alone(lake: Lake, tmp_path: Path) -> None:
    copy = shared(lake, tmp_path / "copy", "g")
    assert read(copy.folder, "SELECT DISTINCT form_id FROM 'THERE/responses/*/*.parquet'") == [("g",)]
    assert read(copy.folder, "SELECT form_id FROM 'THERE/forms/*.parquet'") == [("g",)]
    assert read(copy.folder, "SELECT form_id FROM 'THERE/ai_results/*.parquet'") == [("g",)]
    columns = read(copy.folder, "DESCRIBE SELECT * FROM 'THERE/responses/*/*.parquet'")
    assert not [name for name, *_ in columns if name.startswith("q_")], "those are of another form"
    assert not copy.table("activity").exists(), "it is about users, whatever the form"
    assert len(copy.periods()) == 2


def test_without_a_column_nothing_of_it_is_in_any_file(lake: Lake, tmp_path: Path) -> None:
    assert SECRET.encode() in b"".join(path.read_bytes() for path in lake.folder.rglob("*.parquet"))
    copy = shared(lake, tmp_path / "copy", without=("submitter", "owner"))
    for path in copy.folder.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
    assert json.loads((copy.folder / "manifest.json").read_text())["without"] == ["owner", "submitter"]
    assert not copy.table("activity").exists()


def test_typed_columns_do_not_go_without_the_answers(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="`data` too"):
        shared(lake, tmp_path / "copy", without=("q_n",))
    copy = shared(lake, tmp_path / "copy", without=("data",))
    names = [
        name
        for name, *_ in read(
            copy.folder, "DESCRIBE SELECT * FROM 'THERE/responses/date=2026-03-28/*.parquet'"
        )
    ]
    assert "submitter" in names and not {"q_m.R", "q_n", "data"} & set(names)


def test_links_take_no_room_and_stay_what_they_were(lake: Lake, tmp_path: Path) -> None:
    target = lake.folder.parent / "linked"  # on the same disk
    copy = shared(lake, target, link=True)
    day = lake.periods()[0]
    assert copy.file(day).samefile(lake.file(day))


@pytest.mark.parametrize(
    "forms, without, why", [(("x",), (), "no form x"), ((), ("x",), "no table has a column x")]
)
def test_what_is_not_there_is_refused(
    lake: Lake, tmp_path: Path, forms: tuple[str, ...], without: tuple[str, ...], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        shared(lake, tmp_path / "copy", *forms, without=without)
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_holds_anything_is_left_alone(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(Refused, match="not empty"):
        shared(lake, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_command_shares_and_says_what_is_wrong(lake: Lake, tmp_path: Path) -> None:
    data = lake.folder.parent
    done = appliance_command("lake", "share", str(tmp_path / "copy"), "--form", "g", data=data)
    assert done.returncode == 0 and "10 responses in 4 files" in done.stdout, done.stderr
    assert (
        subprocess.run(
            ["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=tmp_path / "copy", check=False
        ).returncode
        == 0
    )
    again = appliance_command("lake", "share", str(tmp_path / "copy"), data=data)
    assert again.returncode == 2 and "not empty" in again.stderr


def test_a_damaged_lake_is_found_and_emptied() -> None:
    with opened() as (lake, connection):
        take(lake, connection, [row(1, "f", DAY), row(2, "f", DAY + dt.timedelta(days=1))])
        tables_of(lake, connection)
        data, (first, _) = lake.folder.parent, lake.periods()
        lake.file(first).write_bytes(lake.file(first).read_bytes()[:-9])
        found = appliance_command("lake", "verify", data=data)
        assert found.returncode == 1 and "lake rebuild" in found.stderr
        done = appliance_command("lake", "rebuild", data=data)
        assert done.returncode == 0, done.stderr
        assert lake.is_empty and lake.state()["forms"] == {} and not lake.table("forms").exists()
