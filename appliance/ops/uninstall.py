"""`appliance uninstall`: what scripts/install made is taken away; state and settings stay, unless purged."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from appliance import settings
from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.ops import parent, service
from appliance.runtime import place
from appliance.settings import FOLDERS, HOME


def run(*, purge: bool, sure: bool) -> int:
    """1 when it was not confirmed. Raises CannotStart, SettingError."""
    if not service.is_installed():
        raise CannotStart(
            f"{HOME} is not installed as a service, so nothing of it lies elsewhere;"
            " next: stop it and remove the folder"
        )
    service.check_root("uninstall")
    config = service.config()
    # The service's own: what our environment names is somebody's, and is neither shown nor deleted.
    data, source = settings.resolve({}, dotenv=config)["data"]
    _check_kept(*(() if purge else (data, config)))
    if purge:
        _check_ours(data, source)
        if not sure and not _confirmed(data):
            print("nothing was removed")
            return 1
    if service.is_systemd_running():
        service.systemctl("disable", "--now", service.NAME)
    if purge:
        _purge(data, config)
    else:
        print(f"kept: the state in {data}, the settings in {config}; scripts/install takes them up again")
    _remove_installation()
    return 0


def _remove_installation() -> None:
    """Last: without the unit nothing is left but the code, which is our own."""
    if service.COMMAND.is_symlink() and service.COMMAND.resolve().is_relative_to(HOME):
        service.COMMAND.unlink()
        for script in service.COMPLETIONS:
            script.unlink(missing_ok=True)
    service.UNIT.unlink(missing_ok=True)
    if service.is_systemd_running():
        service.systemctl("daemon-reload")
    print("the service is stopped and removed")
    shutil.rmtree(HOME.with_name(f".{HOME.name}.upgrade"), ignore_errors=True)
    shutil.rmtree(HOME)
    print(f"removed {HOME}")


def _check_kept(*kept: Path) -> None:
    """Raises CannotStart when state or settings would go with the code."""
    for path in (*kept, HOME / ".git"):
        if path.is_relative_to(HOME) and path.exists():
            raise CannotStart(
                f"{path} lies in {HOME}, which would be removed with it; next: move it elsewhere"
                " (the state: appliance move FOLDER), run this again"
            )


def _check_ours(data: Path, source: str) -> None:
    """Raises CannotStart unless this is certainly the data folder of the installed service."""
    by_hand = "next: appliance uninstall without --purge, then look at it and remove it by hand"
    if source != ".env":
        raise CannotStart(f"{service.config()} names no APPLIANCE_DATA, so nothing is purged; {by_hand}")
    if not data.is_dir():
        return  # it is gone already
    owner, names = place.user(data.stat().st_uid), {path.name for path in data.iterdir()}
    if owner != service.USER:
        raise CannotStart(f"{data} belongs to {owner}, not to the user {service.USER}; {by_hand}")
    if foreign := sorted(names - {*FOLDERS, "lost+found"}):
        raise CannotStart(f"{data} holds {foreign[0]}, which is not the appliance's; {by_hand}")
    if names - {"lost+found"} and "secrets" not in names:
        raise CannotStart(f"{data} holds no secrets/, so it is no data folder of an appliance; {by_hand}")


def _confirmed(data: Path) -> bool:
    print(f"This deletes all forms, responses and files in {data}, for good.")
    print(f"Type the folder's path to go on: {data}")
    return sys.stdin.readline().strip() == str(data)


def _purge(data: Path, config: Path) -> None:
    """Killed anywhere, the same command goes on. Raises CannotStart when something runs on the folder."""
    if data.is_dir():
        with parent.hold(Paths(data)) as pid:
            if pid is not None:
                raise CannotStart(f"the appliance runs as process {pid}; next: stop it, run this again")
            _empty(data)
        if not data.is_mount():
            data.rmdir()
    config.unlink(missing_ok=True)
    if config.parent.name == service.NAME and not any(config.parent.iterdir()):
        config.parent.rmdir()
    subprocess.run(["userdel", service.USER], check=False, capture_output=True)
    print(f"deleted {data}, {config} and the user {service.USER}")


def _empty(data: Path) -> None:
    # secrets/ last: by it a folder that is half deleted is still known.
    for path in sorted(data.iterdir(), key=lambda path: path.name == "secrets"):
        if path.name == "lost+found" and data.is_mount():
            continue
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
