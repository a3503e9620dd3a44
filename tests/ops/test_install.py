"""scripts/install refuses what is no installation before it changes anything. All of it: scripts/vm."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from appliance.settings import HOME

PASSED = "nothing was refused"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A folder with an appliance's code."""
    (tmp_path / "code" / "deploy").mkdir(parents=True)
    (tmp_path / "code" / "deploy" / "contents").touch()
    return tmp_path / "code"


def install(prefix: Path, *more: str, init: str = "systemd") -> str:
    """What it says, as if root called it where `init` boots. Its first step, to ask for the user, ends it."""
    programs = prefix.parent / "programs"
    programs.mkdir()
    for name, text in (
        ("id", "echo 0"),
        ("systemctl", "exit 0"),
        ("getent", f"echo {PASSED} >&2; exit 2"),
        ("useradd", "exit 2"),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    (programs / init).touch(mode=0o755)
    (programs / "init").symlink_to(init)
    told = subprocess.run(
        [HOME / "scripts" / "install", "--prefix", prefix, "--config", prefix.parent / "mine.env", *more],
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 2
    return told.stderr


def test_a_checkout_is_not_overwritten(prefix: Path) -> None:
    (prefix / ".git").mkdir()
    assert f"{prefix} is a checkout; next: give another folder" in install(prefix)


def test_one_that_somebody_runs_is_not_overwritten(prefix: Path) -> None:
    (prefix / ".env").write_text("APPLIANCE_DATA=./var\n")
    assert "somebody runs" in (told := install(prefix)) and PASSED not in told


def test_one_with_other_settings_is_not_taken_over(prefix: Path) -> None:
    (prefix / ".env").symlink_to("/srv/other.env")
    assert "leads to /srv/other.env" in (told := install(prefix)) and PASSED not in told


@pytest.mark.parametrize("again", [True, False])
def test_an_installation_is_brought_up_to_date(prefix: Path, again: bool) -> None:
    if again:  # else the first one was killed early
        (prefix / ".env").symlink_to(prefix.parent / "mine.env")
    assert install(prefix).strip() == PASSED


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd runs here")
def test_where_systemd_does_not_boot_the_machine_nothing_is_changed(prefix: Path) -> None:
    """Debian's systemctl may be there all the same."""
    told = install(prefix, init="sysvinit")
    assert "the init of this machine is not systemd" in told and PASSED not in told
    assert f"next: {HOME}/scripts/up runs the appliance in the foreground" in told


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd runs here")
def test_what_cannot_be_started_here_is_said_before_anything_is_changed(prefix: Path) -> None:
    told = install(prefix, "--start")
    assert "systemd does not run here" in told and PASSED not in told
