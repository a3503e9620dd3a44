"""`appliance upgrade` of an installation that runs, with real code, real data and a real start."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from appliance import __version__
from tests.runtime.servers import until
from tests.upgrade import machine, trees
from tests.upgrade.machine import Machine
from tests.upgrade.trees import Case


@pytest.fixture
def running(case: Case) -> Iterator[Machine]:
    """An installation that serves the data of before."""
    made = Machine(case.data.parent, case, patience=20)
    try:
        started = made.systemctl("start")
        assert started.returncode == 0, started.stderr + (made.folder / "up.log").read_text()
        yield made
    finally:
        made.systemctl("stop")


def check(running: Machine, version: str, marked: int) -> None:
    """It serves what it served; then, stopped, the data is looked at."""
    assert (running.version, running.is_active) == (version, True)
    assert running.command("maintenance", "status") == (0, "maintenance is off\n")
    # On a busy machine systemd is told that the start is over before it is ready; then queues go on.
    until(running.is_ready, 60, "ready")
    until(lambda: not paused(running), 30, "queues go on")
    assert running.responses() == 200
    assert not [each for each in running.folder.glob(".home.upgrade/*") if each.name != "lock"]
    assert running.systemctl("stop").returncode == 0
    assert len(running.case.find("responses", {"marked": True})) == marked
    assert len(running.case.find("responses", {})) == trees.RESPONSES


def paused(running: Machine) -> list[str]:
    queues = json.loads(running.command("queue", "list", "--json")[1])["queues"]
    return [str(queue["name"]) for queue in queues if queue["paused"]]


class Visitor:
    """Somebody who asks all the time."""

    def __init__(self, url: str) -> None:
        self.statuses: list[int] = []
        self._url, self._over = url, threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        while not self._over.wait(0.05):
            try:
                self.statuses.append(httpx.get(f"{self._url}/api/v1/forms", trust_env=False).status_code)
            except httpx.HTTPError:
                self.statuses.append(0)

    def leave(self) -> list[int]:
        self._over.set()
        self._thread.join()
        return self.statuses


def test_newer_code_and_migrated_data(running: Machine, tmp_path: Path) -> None:
    newer = machine.newer(tmp_path / "newer", trees.GOOD)
    code, told = running.command("upgrade", str(newer.home), "--check")
    assert code == 0, told
    assert f"code      {__version__} here, 9.9.9 in {newer.home}" in told
    assert "migrates  2 (mark_responses)" in told
    visitor = Visitor(running.url)
    code, told = running.command("upgrade", str(newer.home))
    statuses = visitor.leave()
    assert code == 0, told
    assert "the appliance is 9.9.9 now" in told
    # Before, closed, and open again: nobody was served by code that might still have gone back.
    assert 401 in statuses and 503 in statuses and set(statuses) <= {401, 503, 0}
    check(running, "9.9.9", trees.RESPONSES)


def test_a_migration_that_fails_brings_back_code_and_data(running: Machine, tmp_path: Path) -> None:
    newer = machine.newer(tmp_path / "newer", trees.FAILING)
    code, told = running.command("upgrade", str(newer.home))
    assert code == 1, told
    assert f"all is as it was, with {__version__}" in told
    assert "row 150 is not what it should be" in (running.folder / "up.log").read_text()
    check(running, __version__, 0)


def test_code_that_does_not_get_ready_after_its_migration_goes_back_with_it(
    running: Machine, tmp_path: Path
) -> None:
    newer = machine.newer(tmp_path / "newer", trees.GOOD)
    app = newer.home / "appliance" / "app.py"
    app.write_text(
        app.read_text().replace(
            "def create_app() -> ASGIApp:\n", "def create_app() -> ASGIApp:\n    raise SystemExit(3)\n"
        )
    )
    code, told = running.command("upgrade", str(newer.home), "--ready", "5")
    assert code == 1, told
    assert "takes its place at the next start" in told
    check(running, __version__, 0)


def test_killed_in_its_migration_it_goes_back_by_itself(running: Machine, tmp_path: Path) -> None:
    newer = machine.newer(tmp_path / "newer", trees.SLOW)
    newer.hold.touch()
    child = running.begin("upgrade", str(newer.home))
    until(lambda: newer.is_held, 60, "migrates")
    code, told = running.command("upgrade", str(newer.home))
    assert code == 2, told
    assert f"process {child.pid} upgrades to 9.9.9 (starting); nothing was changed; next: wait" in told
    child.send_signal(signal.SIGKILL)
    told, _ = child.communicate(timeout=200)  # its guard has the other end, until it is done
    assert "the upgrade was killed" in told
    assert f"going back to {__version__}" in told
    check(running, __version__, 0)
