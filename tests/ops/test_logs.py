from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.errors import CannotStart
from appliance.ops import logs
from appliance.ops.log_lines import Parser, Wanted, as_json_line, as_text
from appliance.ops.log_tail import Tail
from appliance.ops.log_times import find_time

NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)


def line(second: float, message: str, **fields: object) -> str:
    stamp = (NOON + dt.timedelta(seconds=second)).isoformat().replace("+00:00", "Z")
    return json.dumps({"time": stamp, "level": "info", "message": message, **fields}) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "api-1.log.2").write_text(line(0, "a0"))
    (tmp_path / "api-1.log.1").write_text(line(2, "a2", request_id="r1") + line(4, "a4", level="error"))
    (tmp_path / "api-1.log").write_text(line(6, "a6"))
    (tmp_path / "api-2.log").write_text(
        line(3, "b3", request_id="r1") + "Traceback\n  at b3\n" + line(5, "b5")
    )
    (tmp_path / "nginx.log").write_text(line(1, "n1") + line(7, "n7", request_id="r2"))
    return tmp_path


def messages(folder: Path, wanted: Wanted, lines: int = 0) -> list[str]:
    return [str(each.fields.get("message", each.text)) for each in logs.read(folder, wanted, lines)]


def test_programs_and_rotated_files_are_merged_by_time(folder: Path) -> None:
    expected = ["a0", "n1", "a2", "b3", "Traceback", "  at b3", "a4", "b5", "a6", "n7"]
    assert messages(folder, Wanted()) == expected
    assert messages(folder, Wanted(), lines=3) == expected[-3:]


@pytest.mark.parametrize(
    "wanted,expected",
    [
        (Wanted(programs=("nginx",)), ["n1", "n7"]),
        (Wanted(programs=("api-1",)), ["a0", "a2", "a4", "a6"]),
        (Wanted(programs=("api",), level="error"), ["a4"]),
        (Wanted(request_id="r1"), ["a2", "b3", "Traceback", "  at b3"]),
        (Wanted(since=NOON.timestamp() + 5), ["b5", "a6", "n7"]),
    ],
)
def test_only_what_is_wanted(folder: Path, wanted: Wanted, expected: list[str]) -> None:
    assert messages(folder, wanted) == expected


CRASH = "Traceback (most recent call last):\n  at x\n\nValueError: x\n"
CRASHED = ["Traceback (most recent call last):", "  at x", "", "ValueError: x"]


@pytest.mark.parametrize("before", [line(0, "fine"), line(0, "bad", level="error"), ""])
def test_a_traceback_is_an_error_of_the_time_of_the_line_before(tmp_path: Path, before: str) -> None:
    """Also where there is no line before: a program that fails as it starts writes nothing else."""
    (tmp_path / "api-1.log").write_text(before + CRASH)
    at = NOON.timestamp() if before else (tmp_path / "api-1.log").stat().st_mtime
    wanted = Wanted(level="error", since=at - 60)
    found = list(logs.read(tmp_path, wanted))
    assert [each.text for each in found][-4:] == CRASHED
    assert {round(each.at) for each in found} == {round(at)}
    told = json.loads(as_json_line(found[-1]))
    assert (told["level"], told["message"]) == ("error", "ValueError: x")
    assert not list(logs.read(tmp_path, Wanted(level="error", since=at + 60)))
    append(tmp_path / "api-1.log", line(3, "fine again"))
    assert "fine again" not in messages(tmp_path, Wanted(level="error"))


def test_what_comes_before_the_first_time_of_a_file_has_that(tmp_path: Path) -> None:
    (tmp_path / "api-1.log").write_text(CRASH + line(7, "again"))
    found = list(logs.read(tmp_path, Wanted(since=NOON.timestamp() + 5)))
    assert [each.at - NOON.timestamp() for each in found] == [7] * 5


def test_following_has_a_time_and_a_level_for_a_traceback(folder: Path) -> None:
    with Tail(folder, Wanted(level="error", since=time.time() - 60)) as tail:
        append(folder / "nginx.log", CRASH)
        assert [each.text for each in tail.read()] == CRASHED


@pytest.mark.parametrize(
    "text,level",
    [
        ("2026/01/31 12:00:00 [alert] 7#7: worker process 8 exited on signal 9", "critical"),
        ("2026/01/31 12:00:00 [warn] 7#7: x", "warning"),
        ('{"t":{"$date":"2026-01-31T13:00:00.250+01:00"},"s":"E","msg":"x"}', "error"),
        ('{"time":"2026-01-31T13:00:00Z","level":"warning","message":"x"}', "warning"),
        (
            "2026-01-31 12:00:00,250 CRIT Server 'unix_http_server' running without any HTTP authentication",
            None,
        ),
        ("712:M 31 Jan 2026 12:00:00.250 # Redis version=7", None),
        ('{"level":"warn","msg":"x","ts":"2026-01-31T12:00:00.250Z"}', "warning"),
        ('{"level":"error","msg":"no password","time":"2026-01-31T12:00:00Z"}', "error"),
        ('{"level":"error","msg":"Loaded 1 entries from /x","time":"2026-01-31T12:00:00Z"}', "info"),
    ],
)
def test_levels_of_others(text: str, level: str | None) -> None:
    assert Parser("x").parse(text.encode()).level == level


def test_a_line_that_is_no_json_is_shown_with_its_program(folder: Path) -> None:
    shown = [as_text(each) for each in logs.read(folder, Wanted(programs=("api-2",)))]
    assert shown[1] == "2026-01-31T12:00:03.000Z api-2          Traceback"
    assert shown[0] == "2026-01-31T12:00:03.000Z api-2          info    b3 request_id=r1"


def test_lines_of_prometheus_are_shown_as_ours() -> None:
    loud = '{"level":"error","msg":"Loaded 1 entries from x","n":1,"ts":"2026-01-31T12:00:00.000Z"}'
    read = Parser("prometheus").parse(loud.encode())
    head = "2026-01-31T12:00:00.000Z prometheus     info   "
    assert as_text(read) == f"{head} Loaded 1 entries from x n=1"
    told = json.loads(as_json_line(read))
    assert (told["time"], told["level"]) == ("2026-01-31T12:00:00.000Z", "info")


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda path: append(path, line(9, "new") + line(10, "half")[:-9]), id="half a line"),
        pytest.param(lambda path: rotate(path, line(9, "new")), id="rotated"),
        pytest.param(lambda path: rotate(path, "", line(9, "new")), id="written, then rotated"),
        pytest.param(lambda path: path.write_text(line(9, "new")), id="emptied"),
        pytest.param(lambda path: path.with_name("mongo.log").write_text(line(9, "new")), id="another file"),
    ],
)
def test_following_neither_loses_nor_repeats(folder: Path, write: Callable[[Path], object]) -> None:
    with Tail(folder, Wanted()) as tail:
        write(folder / "nginx.log")
        assert [each.fields["message"] for each in tail.read()] == ["new"]
        assert tail.read() == []


def test_the_past_ends_where_following_begins(folder: Path) -> None:
    with Tail(folder, Wanted()) as tail:
        append(folder / "nginx.log", line(9, "new"))
        past = logs.read(folder, Wanted(programs=("nginx",)), until=tail.starts)
        assert [each.fields["message"] for each in past] == ["n1", "n7"]
        assert [each.fields["message"] for each in tail.read()] == ["new"]


def append(path: Path, content: str) -> None:
    with path.open("a") as file:
        file.write(content)


def rotate(path: Path, content: str, before: str = "") -> None:
    """As supervisord does: append, rename, open anew."""
    append(path, before)
    path.rename(f"{path}.1")
    path.write_text(content)


def test_since_is_an_age_or_a_time() -> None:
    def now() -> dt.datetime:
        return NOON

    assert logs.parse_since("15m", now=now) == NOON.timestamp() - 900
    assert logs.parse_since("2026-01-31T12:00:00Z") == NOON.timestamp()
    for nonsense in ("yesterday", "-5m", "999999999d", "2026-01-31"):
        with pytest.raises(CannotStart, match="--since"):
            logs.parse_since(nonsense, now=now)


@pytest.mark.parametrize(
    "text,expected",
    [
        ("712:M 31 Jan 2026 12:00:00.250 * Ready to accept connections", 0.25),
        ("2026-01-31 12:00:00,250 INFO spawned: 'api-1' with pid 9", 0.25),
        ('{"t":{"$date":"2026-01-31T13:00:00.250+01:00"},"s":"I","msg":"x"}', 0.25),
        ('{"level":"info","msg":"Listening on","ts":"2026-01-31T12:00:00.250Z"}', 0.25),
        ('{"level":"info","msg":"Providing metrics","time":"2026-01-31T12:00:00Z"}', 0.0),
        ("[2026-01-31 12:00:00] started", 0.0),
        ("2026/01/31 12:00:00 [alert] 7#7: worker process 8 exited on signal 9", 0.0),
        ("no time here", None),
        ("2026-13-31 12:00:00,000 INFO no such month", None),
    ],
)
def test_times_of_others(text: str, expected: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    fields = json.loads(text) if text.startswith("{") else {}
    found = find_time(text, fields)
    assert found == (None if expected is None else pytest.approx(NOON.timestamp() + expected))
