"""`appliance move` of an installed service, killed at each of its steps."""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import settings
from appliance.errors import CannotStart
from appliance.ops import move, moving, service
from tests.ops.installation import Installation
from tests.runtime.servers import temporary_data

STEPS = ("os.rename", "os.remove", "os.mkdir", "os.chown", "shutil.copyfile", "subprocess.Popen")
"""Audit events of what changes something outside; killed before each of them."""
KILLED = 9


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    monkeypatch.setattr(move, "HIDDEN", ())  # the tests' own folder is below /tmp
    with temporary_data() as data:
        (data / "secrets").mkdir(parents=True)
        data.chmod(0o700)
        (data / "secrets" / "key").write_text("secret")
        (data / "run").mkdir()
        (data / "run" / "lock").touch()
        (data / "run" / "closed").symlink_to(data / "run")  # as `up` makes it
        data.parent.chmod(0o711)
        yield Installation(data.parent, data, monkeypatch)


def killed_before(step: int, target: Path) -> int:
    """The status of a process that moves, and ends without a word before its step number `step`."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event: str, _: object) -> None:
            nonlocal left
            if event in STEPS:
                left -= 1
                if left == 0:
                    os._exit(KILLED)

        try:
            sys.addaudithook(count)
            os._exit(move.run(target))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_killed_anywhere_the_same_command_ends_it(installed: Installation) -> None:
    target, setting = installed.data.parent / "new", installed.config.read_text()
    for step in range(1, 200):
        installed.start()
        status = killed_before(step, target)
        if status != 0:
            assert status == KILLED, step
            assert move.run(target) == 0, step
        assert (settings.load().data, installed.is_active) == (target, True), step
        assert f"ReadWritePaths={target}\n" in service.UNIT.read_text()
        assert not (target / moving.NAME).exists(), step
        assert (target / "secrets" / "key").read_text() == "secret"
        if status == 0:
            break
        shutil.rmtree(target)
        installed.config.write_text(setting)
    assert 15 < step < 199


def test_one_that_did_not_run_is_not_started(installed: Installation) -> None:
    move.run(installed.data.parent / "new")
    assert not installed.is_active


def test_what_the_service_cannot_reach_is_refused(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.start()
    monkeypatch.setattr(move, "HIDDEN", (str(installed.data.parent),))
    with pytest.raises(CannotStart, match="no access to anything below"):
        move.run(installed.data.parent / "new")
    assert installed.is_active and not (installed.data.parent / "new").exists()


def test_a_closed_folder_of_somebody_else_is_refused(installed: Installation) -> None:
    closed = installed.data.parent / "closed"
    closed.mkdir(mode=0o700)
    move._check_reach(closed / "new", os.geteuid())
    with pytest.raises(CannotStart, match=f"may not enter {closed}; next: chmod o\\+x"):
        move._check_reach(closed / "new", os.geteuid() + 1)
