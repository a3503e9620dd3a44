"""An installation in a folder of the test's own; its stand-in for systemd knows whether the service runs."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

import pytest

from appliance import settings
from appliance.ops import service, uninstall

SYSTEMCTL = """#!/bin/sh
case "$*" in
  *is-active*) exec test -e {folder}/active ;;
  start*) : > {folder}/active ;;
  stop* | disable*) rm -f {folder}/active ;;
esac
"""
USERDEL = '#!/bin/sh\necho "$*" > {folder}/deleted\n'


class Installation:
    """Code in `home`, settings in `config`; unit, command and the system's programs beside them."""

    def __init__(self, folder: Path, data: Path, patch: pytest.MonkeyPatch) -> None:
        self.home, self.config, self.data = folder / "home", folder / "appliance" / "appliance.env", data
        self.system = folder / "system"
        (self.home / "deploy").mkdir(parents=True)
        shutil.copy(settings.HOME / "deploy" / "appliance.service", self.home / "deploy")
        self.config.parent.mkdir()
        self.config.write_text(f"APPLIANCE_DATA={data}\n")
        (self.home / ".env").symlink_to(self.config)
        self._programs(patch)
        for module in (settings, service, uninstall):
            patch.setattr(module, "HOME", self.home)
        patch.setattr(service, "UNIT", self.system / "appliance.service")
        patch.setattr(service, "COMMAND", self.system / "appliance")
        patch.setattr(service, "COMPLETIONS", (self.system / "bash", self.system / "zsh"))
        patch.setattr(service, "USER", pwd.getpwuid(os.geteuid()).pw_name)
        patch.setattr(service, "is_systemd_running", lambda: True)
        patch.setattr(service, "check_root", lambda _: None)
        patch.delenv("APPLIANCE_DATA", raising=False)
        service.UNIT.write_text(service.render(data))
        service.COMMAND.symlink_to(self.home / "scripts" / "appliance")
        for script in service.COMPLETIONS:
            script.touch()

    def _programs(self, patch: pytest.MonkeyPatch) -> None:
        self.system.mkdir()
        for name, text in (("systemctl", SYSTEMCTL), ("userdel", USERDEL)):
            (self.system / name).write_text(text.format(folder=self.system))
            (self.system / name).chmod(0o755)
        patch.setenv("PATH", f"{self.system}:{os.environ['PATH']}")

    @property
    def is_active(self) -> bool:
        return (self.system / "active").exists()

    def start(self) -> None:
        (self.system / "active").touch()
