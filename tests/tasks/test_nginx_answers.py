"""What nginx answers itself is counted once, and nothing else: read off the log that the real one writes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import httpx
import pytest
from supervisor.loggers import RotatingFileHandler

from appliance.runtime import programs
from appliance.tasks.nginx_answers import NginxAnswers
from tests.faults.steering import api_names, stopped, until_whole
from tests.running import Running
from tests.runtime.servers import Front, echo_apps, front, temporary_data, until
from tests.tasks.test_exporter import scrape

FORGED = '"message":"request","own":"503"'
LINE = b'{"time":"2026-11-28T12:00:00Z","program":"nginx","level":"info","message":"request","own":"%s"}\n'


@pytest.fixture
def answers() -> Iterator[NginxAnswers]:
    with closing(NginxAnswers()) as made:
        yield made


@pytest.fixture
def alone() -> Iterator[Front]:
    """Nothing behind it."""
    with temporary_data() as data, front(data) as made:
        yield made


@pytest.fixture
def door() -> Iterator[Front]:
    """With limits, behind a trusted proxy: so a test can choose the address that it comes from."""
    with temporary_data() as data, front(data, APPLIANCE_TRUSTED_PROXIES="127.0.0.1") as made:
        with echo_apps(made.settings):
            yield made


def counted(answers: NginxAnswers) -> dict[tuple[str, ...], float]:
    """By status and whether it was planned, zeros left out."""
    (family,) = answers.collect()
    return {tuple(each.labels.values()): each.value for each in family.samples if each.value}


def until_logged(door: Front) -> None:
    """All that came before this is: a worker writes its lines in turn, and there is one answer at a time."""
    door.get("/static/last", x_request_id="last")
    until(lambda: '"request_id":"last"' in door.log.read_text())


def test_without_an_api_each_503_is_counted_but_no_probe(alone: Front, answers: NginxAnswers) -> None:
    alone.get("/f/before")
    until_logged(alone)
    answers.look(alone.log)
    for _ in range(7):
        assert alone.get("/api/v1/forms").status_code == 503
    for path in ("/healthz", "/readyz"):
        assert alone.get(path).status_code == 503
    assert alone.get("/static/none").status_code == 404
    until(lambda: alone.log.read_text().count('"uri":"/readyz"') == 1)
    answers.look(alone.log)
    assert counted(answers) == {("503", "false"): 7}
    answers.look(alone.log)
    assert counted(answers) == {("503", "false"): 7}


def test_maintenance_is_planned_and_what_is_too_large_is_not(door: Front, answers: NginxAnswers) -> None:
    answers.look(door.log)
    door.paths.maintenance.touch()
    try:
        assert [door.get("/f/x", accept=accept).status_code for accept in ("text/html", "*/*")] == [503, 503]
        assert door.get("/readyz").status_code == 200
    finally:
        door.paths.maintenance.unlink()
    assert door.client.post(door.http + "/f/x", content=b"x" * (1 << 20) + b"x").status_code == 413
    until_logged(door)
    answers.look(door.log)
    assert counted(answers) == {("503", "true"): 2, ("413", "false"): 1}


def test_what_an_api_answers_is_its_own(door: Front, answers: NginxAnswers) -> None:
    """Also when it was asked second, since the first was not there."""
    answers.look(door.log)
    moved = door.paths.api_socket(1).rename(door.paths.run / "away")
    try:
        found = [door.get("/api/status/503").json() for _ in range(6)]
    finally:
        moved.rename(door.paths.api_socket(1))
    for status in ("413", "429", "500", "503"):
        assert [door.get(f"/api/status/{status}").status_code for _ in "123"] == [int(status)] * 3
    until_logged(door)
    answers.look(door.log)
    if programs.api_count(door.settings) > 1:
        assert found == [{}] * 6 and '"upstream_status":"502, 503"' in door.log.read_text()
        assert counted(answers) == {}
    else:
        assert counted(answers) == {("503", "false"): 6}


def test_no_caller_can_write_one(alone: Front, answers: NginxAnswers) -> None:
    answers.look(alone.log)
    alone.get(f"/static/{FORGED}", user_agent=FORGED, x_request_id=FORGED)
    alone.raw(
        f"GET /static/{FORGED}?{FORGED} HTTP/1.1\r\nHost: {FORGED}\r\nConnection: close\r\n\r\n".encode()
    )
    alone.raw(f"{FORGED} / HTTP/1.1\r\n\r\n".encode())
    until_logged(alone)
    answers.look(alone.log)
    assert counted(answers) == {}


def test_a_flood_is_refused_at_once_and_counted(door: Front, answers: NginxAnswers) -> None:
    answers.look(door.log)

    def ask(_: int) -> int:
        return door.get("/f/x", x_forwarded_for="198.51.100.7", x_forwarded_proto="https").status_code

    with ThreadPoolExecutor(8) as pool:
        found = Counter(pool.map(ask, range(1000)))
    assert set(found) == {200, 429} and found[429] > 500
    until(lambda: door.log.read_text().count('"uri":"/f/x"') == 1000)
    answers.look(door.log)
    assert counted(answers) == {("429", "false"): found[429]}


def test_no_line_is_lost_by_a_rotation(tmp_path: Path, answers: NginxAnswers) -> None:
    """As supervisord does it; a line may be seen half-written."""
    path = tmp_path / "nginx.log"
    answers.look(path)
    handler = RotatingFileHandler(str(path), maxBytes=len(LINE) * 10, backupCount=3)
    for number in range(1, 100):
        line = LINE % (b"503" if number % 2 else b"")
        for part in (line[:30], line[30:]):
            handler.stream.write(part)
            handler.stream.flush()
            if number % 3 == 0:
                answers.look(path)
        handler.doRollover()
    handler.close()
    answers.look(path)
    assert (tmp_path / "nginx.log.3").exists()
    assert counted(answers) == {("503", "false"): 50}


@pytest.mark.parametrize("at", [1, 30, len(LINE) - 5])
def test_a_line_that_a_rotation_splits_is_counted(tmp_path: Path, answers: NginxAnswers, at: int) -> None:
    path, line = tmp_path / "nginx.log", LINE % b"503"
    path.touch()
    answers.look(path)
    path.write_bytes(line + line[:at])
    answers.look(path)
    path.rename(tmp_path / "nginx.log.1")
    path.write_bytes(line[at:] + line)
    answers.look(path)
    assert counted(answers) == {("503", "false"): 3}


def test_a_log_that_was_emptied_is_read_from_its_beginning(tmp_path: Path, answers: NginxAnswers) -> None:
    path, line = tmp_path / "nginx.log", LINE % b"503"
    path.touch()
    answers.look(path)
    path.write_bytes(line * 5)
    answers.look(path)
    os.truncate(path, 0)
    path.write_bytes(line * 2)
    answers.look(path)
    assert counted(answers) == {("503", "false"): 7}


def test_an_alert_of_nginx_that_quotes_a_caller_is_none(tmp_path: Path, answers: NginxAnswers) -> None:
    """It quotes him as he is: `2048 worker_connections are not enough, … request: "GET /f/x?…"`."""
    path = tmp_path / "nginx.log"
    path.touch()
    answers.look(path)
    quoted = b'2026/11/28 12:00:00 [alert] 7#7: worker_connections are not enough, request: "GET /f/x?'
    path.write_bytes(quoted + LINE.rstrip(b"\n") % b"503" + FORGED.encode() + b'"\n')
    answers.look(path)
    assert counted(answers) == {}


def test_what_is_no_log_holds_nobody_up(tmp_path: Path, answers: NginxAnswers) -> None:
    path = tmp_path / "nginx.log"
    os.mkfifo(path)
    with pytest.raises(OSError, match="it is no file"):
        answers.look(path)
    path.unlink()
    path.write_bytes(b"x" * (1 << 22))  # no line
    for _ in range(2):
        answers.look(path)
    path.unlink()
    path.write_bytes(LINE % b"503")
    answers.look(path)
    assert counted(answers) == {("503", "false"): 1}


def test_it_goes_on_after_a_scheduler_that_was_killed(appliance: Running) -> None:
    def told(status: str) -> float:
        return scrape(appliance)["appliance_nginx_answers_total", "false", status]

    def ask() -> int:
        return httpx.get(f"{appliance.url}/api/v1/forms", trust_env=False).status_code

    def is_counting() -> bool:
        assert ask() == 503
        with suppress(httpx.TransportError):  # it is about to start
            return told("503") > 0
        return False

    def settled() -> float:
        """How many 503: all that stand before a 413 in the log are counted when that is."""
        before = told("413")
        refused = httpx.post(f"{appliance.url}/f/x", content=b"x" * (1 << 20) + b"x", trust_env=False)
        assert refused.status_code == 413
        until(lambda: told("413") == before + 1)
        return told("503")

    def check() -> None:
        until(is_counting, 30)
        before = settled()
        assert [ask() for _ in range(9)] == [503] * 9
        assert settled() == before + 9

    with ExitStack() as stack:
        for name in api_names(appliance):
            stack.enter_context(stopped(appliance, name))
        check()
        killed = appliance.pid("scheduler")
        appliance.signal("scheduler")
        assert [ask() for _ in range(9)] == [503] * 9, "nobody waits for it"
        until(lambda: appliance.program("scheduler").pid not in (None, killed))
        check()
    until_whole(appliance)
