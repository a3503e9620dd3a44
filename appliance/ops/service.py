"""The systemd service that scripts/install makes of this code."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from appliance.disk import write_durably
from appliance.errors import CannotStart
from appliance.settings import HOME, find_dotenv

UNIT = Path("/etc/systemd/system/appliance.service")
COMMAND = Path("/usr/local/bin/appliance")
COMPLETIONS = (
    Path("/usr/local/share/bash-completion/completions/appliance"),
    Path("/usr/local/share/zsh/site-functions/_appliance"),
)
"""What scripts/install tells shells of the command."""
NAME = "appliance"
USER = "appliance"


def is_installed() -> bool:
    """Whether the unit is there and runs this very code."""
    try:
        return f"ExecStart={HOME}/.venv/bin/python " in UNIT.read_text()
    except OSError:
        return False


def start_command() -> str:
    """What starts the appliance here."""
    return f"systemctl start {NAME}" if is_installed() else "./scripts/up"


def config() -> Path:
    """The file of settings: `.env`, or what it leads to."""
    return find_dotenv(os.environ).resolve()


def render(data: Path) -> str:
    """The unit for a data folder; scripts/install fills in the same."""
    text = (HOME / "deploy" / "appliance.service").read_text()
    for name, value in (("home", HOME), ("data", data), ("config", config())):
        text = text.replace(f"@{name}@", str(value))
    return text


def write_unit(data: Path) -> None:
    """Raises CannotStart."""
    write_durably(UNIT, render(data), mode=0o644)
    if is_systemd_running():
        systemctl("daemon-reload")


def is_systemd_running() -> bool:
    """sd_booted(3)."""
    return Path("/run/systemd/system").is_dir()


def is_active() -> bool:
    if not is_systemd_running():
        return False
    asked = subprocess.run(["systemctl", "--quiet", "is-active", NAME], check=False)
    return asked.returncode == 0


def systemctl(*arguments: str) -> None:
    """Raises CannotStart with what systemctl says."""
    told = subprocess.run(
        ["systemctl", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode != 0:
        raise CannotStart(f"systemctl {' '.join(arguments)}: {told.stderr.strip() or told.returncode}")


def check_root(command: str) -> None:
    """Raises CannotStart."""
    if os.geteuid() != 0:
        raise CannotStart(f"the service is root's; next: sudo appliance {command}")
