"""`appliance upgrade` of an installation, killed before each of its steps; and what ends it then.

The programs it starts are stand-ins that write down what they were asked; with real ones: test_installed.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance import settings
from appliance.errors import CannotStart
from appliance.ops import front, service, upgrade, upgrade_check, upgrade_code, upgrade_journal
from appliance.ops.front import Readiness
from appliance.settings import HOME
from tests.ops.installation import Installation
from tests.runtime.servers import temporary_data, until

STEPS = ("os.rename", "os.remove", "os.mkdir", "open", "ctypes.dlopen", "subprocess.Popen", "shutil.rmtree")
KILLED = 9
PROGRAM = '#!/bin/sh\necho "$*" >> {log}\n'


class Installed(Installation):
    """With a release in its place, and a newer one beside."""

    def __init__(self, folder: Path, data: Path, patch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, data, patch)
        self.log, self.newer = folder / "log", folder / "newer"
        self.write(self.home, "1.0")
        self.write(self.newer, "2.0")
        service.write_unit(data)
        (self.home / ".venv" / "bin").mkdir(parents=True)
        program = self.home / ".venv" / "bin" / "python"
        program.write_text(PROGRAM.format(log=self.log))
        program.chmod(0o755)
        lock = self.home / "deploy" / "requirements" / "runtime.txt"
        told = subprocess.run(
            ["sha256sum"], input=lock.read_text(), capture_output=True, text=True, check=True
        )
        (self.home / ".venv" / "ready").write_text(f"{self.home} {told.stdout}")
        (self.home / "kept").mkdir()
        (self.home / "kept" / "x").write_text("somebody's")
        for module in (upgrade, upgrade_check, upgrade_code, upgrade_journal):
            patch.setattr(module, "HOME", self.home)
        patch.setattr(front, "ask", lambda _: self._ready())
        patch.setattr(upgrade, "_LOOK", 0.01)
        self.start()

    def write(self, home: Path, version: str) -> None:
        for name in ("appliance", "deploy/requirements", "scripts", "docs"):
            (home / name).mkdir(parents=True, exist_ok=True)
        (home / "appliance" / "__init__.py").write_text(f'__version__ = "{version}"\n')
        (home / "docs" / f"of-{version}.md").touch()
        (home / "deploy" / "contents").write_text("# those\nappliance\ndeploy\ndocs\nscripts/setup\n")
        shutil.copy(HOME / "deploy" / "appliance.service", home / "deploy")
        with (home / "deploy" / "appliance.service").open("a") as unit:
            unit.write(f"# {version}\n")
        (home / "deploy" / "requirements" / "runtime.txt").write_text("a==1\n")
        (home / "scripts" / "setup").write_text("#!/bin/sh\nexit 0\n")
        (home / "scripts" / "setup").chmod(0o755)

    def _ready(self) -> Readiness:
        return Readiness(None if (self.newer / "broken").exists() and self.version == "2.0" else 200, {}, "x")

    @property
    def version(self) -> str:
        return (self.home / "appliance" / "__init__.py").read_text().split('"')[1]

    def words(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def check(self, version: str) -> None:
        """Whole, of this version, running, open, and nothing of an upgrade is left."""
        assert self.version == version
        assert [each.name for each in (self.home / "docs").iterdir()] == [f"of-{version}.md"]
        assert service.UNIT.read_text().endswith(f"# {version}\n")
        assert (self.home / "kept" / "x").read_text() == "somebody's"
        assert (self.home / ".env").resolve() == self.config
        assert (self.home / ".venv" / "ready").read_text().startswith(f"{self.home} ")
        assert not (self.home / upgrade_code.MARK).exists()
        assert self.is_active
        assert {each.name for each in upgrade_journal.folder().glob("*")} <= {"lock"}
        words = self.words()
        if any("drain" in line for line in words):
            assert "maintenance off" in words[-1], words


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    with temporary_data() as data:
        (data / "run").mkdir(parents=True)
        data.chmod(0o700)
        yield Installed(data.parent, data, monkeypatch)


def killed_before(step: int, work: Callable[[], int]) -> int:
    """The status of a process that ends without a word before its step so and so; its children live on."""
    child = os.fork()
    if child == 0:
        left, me = step, os.getpid()

        def count(event: str, given: tuple[object, ...]) -> None:
            nonlocal left
            is_read = event == "open" and not (
                isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR)
            )
            if event in STEPS and not is_read and os.getpid() == me:
                left -= 1
                if left == 0:
                    os._exit(KILLED)

        try:
            sys.addaudithook(count)
            os._exit(work())
        except BaseException:
            traceback.print_exc()
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def is_free() -> bool:
    with contextlib.suppress(CannotStart), upgrade_journal.alone():
        return True
    return False


def test_the_code_is_replaced_as_a_whole(installed: Installed, capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade.run(installed.newer) == 0
    installed.check("2.0")
    assert [line.partition("appliance ")[2] for line in installed.words()] == [
        "config show --json",
        f"drain --timeout 60 --message {upgrade._MESSAGE}",
        "maintenance off",
    ]
    assert "the appliance is 2.0 now" in capsys.readouterr().out


def test_one_that_does_not_get_ready_goes_back(
    installed: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    (installed.newer / "broken").touch()
    assert upgrade.run(installed.newer, ready_seconds=0.1) == 1
    installed.check("1.0")
    told = capsys.readouterr().out
    assert "it did not go well: it is not ready after 0 s: x" in told
    assert "all is as it was, with 1.0" in told
    assert upgrade.run(installed.newer, ready_seconds=0.1) == 1


@pytest.mark.parametrize("by", ["guard", "next", "boot"])
def test_killed_anywhere_it_goes_back_or_forward(
    installed: Installed, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by != "guard":  # it is killed too
        monkeypatch.setattr(upgrade, "_guarded", lambda _: contextlib.nullcontext())
    outcomes = set()
    for step in range(1, 300):
        status = killed_before(step, lambda: upgrade.run(installed.newer))
        assert status in (0, KILLED), step
        if by == "guard":
            until(is_free, 10, "the guard has ended")
        elif by == "boot":
            assert upgrade.resume() == 0
            installed.start()
        else:
            upgrade_journal.folder().mkdir(exist_ok=True)
            with upgrade_journal.alone():
                upgrade.end_what_was_begun(settings.load(), print)
        outcomes.add(installed.version)
        installed.check(installed.version)
        if status == 0:
            break
        if installed.version == "2.0":
            shutil.rmtree(installed.home / "docs")
            installed.write(installed.home, "1.0")
            service.write_unit(installed.data)
        installed.log.unlink(missing_ok=True)
    assert 30 < step < 299
    assert outcomes == {"1.0", "2.0"}


def test_killed_on_its_way_back_it_goes_on_back(installed: Installed) -> None:
    (installed.newer / "broken").touch()
    for step in range(1, 300):
        status = killed_before(step, lambda: upgrade.run(installed.newer, ready_seconds=0.01))
        assert status in (1, KILLED), step
        until(is_free, 10, "the guard has ended")
        installed.check("1.0")
        if status == 1:
            break
        installed.log.unlink(missing_ok=True)
    assert 50 < step < 299


def test_two_at_once_one_is_told_who_is_at_work(installed: Installed) -> None:
    begun = upgrade_journal.Journal("starting", 4711, "1.0", "2.0", 1, True, False)
    with upgrade_journal.alone():
        upgrade_journal.write(begun)
        with pytest.raises(
            CannotStart, match=r"process 4711 upgrades to 2\.0 \(starting\); nothing was changed"
        ):
            upgrade.run(installed.newer)
        assert upgrade.resume() == 0  # the start that the other one asked for
        assert upgrade_journal.read() == begun


def test_maintenance_that_was_on_stays_on(installed: Installed) -> None:
    (installed.data / "run" / "maintenance").touch()
    assert upgrade.run(installed.newer) == 0
    assert not [line for line in installed.words() if "maintenance off" in line]


def test_one_that_did_not_run_is_not_started(installed: Installed) -> None:
    service.systemctl("stop", "appliance")
    assert upgrade.run(installed.newer) == 0
    assert installed.version == "2.0" and not installed.is_active
    assert not [line for line in installed.words() if "drain" in line]


def test_the_check_changes_nothing_and_tells_all(
    installed: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = installed.newer / "appliance" / "stores" / "migrations"
    folder.mkdir(parents=True)
    (folder / "m0002_mark_responses.py").touch()
    (installed.data / "mongo").mkdir()
    (installed.data / "mongo" / "level").write_text("1 embedded\n")
    before = sorted(installed.home.rglob("*"))
    assert upgrade_check.run(installed.newer, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pending"] == [{"number": 2, "name": "mark_responses"}]
    assert (told["to"], told["level"], told["to_level"], told["downgrade"]) == ("2.0", 1, 2, False)
    assert (told["faults"], told["notes"], told["new_packages"]) == ([], [], [])
    (installed.newer / "deploy" / "requirements" / "runtime.txt").write_text("a==2\n")
    (installed.data / "mongo" / "level").write_text("3 embedded\n")
    assert upgrade_check.run(installed.newer, as_json=True) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["new_packages"] == [".venv"]
    assert told["faults"][0].startswith("the data is of level 3, and 2.0 knows level 2 at most; next:")
    with pytest.raises(CannotStart, match="the data is of level 3"):
        upgrade.run(installed.newer)
    (installed.data / "mongo" / "level").unlink()
    (installed.newer / "appliance" / "__init__.py").write_text('__version__ = "0.9.10"\n')
    assert upgrade_check.run(installed.newer, as_json=False) == 1
    assert "0.9.10 is older than 1.0: a downgrade" in capsys.readouterr().out
    shutil.rmtree(installed.newer / "docs")
    with pytest.raises(CannotStart, match="is no whole release: docs is missing"):
        upgrade_check.run(installed.newer, as_json=False)
    assert sorted(installed.home.rglob("*")) == before


def test_settings_that_the_newer_code_does_not_take_are_told_before(installed: Installed) -> None:
    program = installed.home / ".venv" / "bin" / "python"
    program.write_text("#!/bin/sh\necho 'appliance: X=1 from .env: a port is needed' >&2; exit 2\n")
    with pytest.raises(CannotStart, match=r"settings: X=1 from \.env: a port is needed"):
        upgrade.run(installed.newer)
    installed.check("1.0")


def test_a_checkout_is_told_how_it_is_done_there(installed: Installed) -> None:
    service.UNIT.unlink()
    with pytest.raises(
        CannotStart, match=r"not installed as a service.*git pull, \./scripts/up, which migrates"
    ):
        upgrade.run(installed.newer)
