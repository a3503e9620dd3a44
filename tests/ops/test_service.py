"""The unit and the list of what an installation consists of. The service itself: scripts/vm."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.ops import service
from appliance.settings import HOME
from tests.ops.command import appliance_command

EXPOSURE = 2.5
"""`systemd-analyze security`, from 0 to 10; above it somebody has opened what was closed."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    text = service.render(Path("/var/lib/appliance"))
    path = tmp_path / "appliance.service"
    path.write_text(text.replace(f"{HOME}/.venv/bin/python", sys.executable))
    return path


def test_nothing_is_left_to_fill_in(unit: Path) -> None:
    assert not re.search(r"@[a-z]+@", unit.read_text())
    assert "\nReadWritePaths=/var/lib/appliance\n" in unit.read_text()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_systemd_understands_it_and_finds_it_closed(unit: Path) -> None:
    told = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    level = re.search(r"exposure level for \S+: ([0-9.]+)", told.stdout)
    assert level and float(level[1]) <= EXPOSURE, told.stdout[-3000:]


def test_what_is_listed_exists_and_is_enough() -> None:
    """Each path of deploy/contents is there; code that runs mentions no script that is left out."""
    listed = [line for line in (HOME / "deploy/contents").read_text().splitlines() if line[:1] != "#"]
    assert all((HOME / path).exists() for path in listed)
    assert listed == sorted(listed)
    assert not [path for path in listed if path.startswith(("tests", ".", "var"))]
    code = "\n".join(path.read_text() for path in (HOME / "appliance").rglob("*.py"))
    named = set(re.findall(r"\./(scripts/[a-z-]+)", code))
    assert named <= set(listed)


def test_what_is_not_installed_is_not_uninstalled(tmp_path: Path) -> None:
    told = appliance_command("uninstall", "--purge", "--yes", data=tmp_path)
    assert told.returncode == 2
    assert "is not installed as a service" in told.stderr
    assert (HOME / "appliance").is_dir()
