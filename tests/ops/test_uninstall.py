"""`appliance uninstall`: only what is the installation's own goes, and the state only when asked for."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from appliance.errors import CannotStart
from appliance.ops import service, uninstall
from tests.ops.installation import Installation


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    data = tmp_path / "state"
    for name in ("secrets", "run", "files"):
        (data / name).mkdir(parents=True)
    (data / "secrets" / "key").write_text("secret")
    (data / "run" / "lock").touch()
    found = Installation(tmp_path, data, monkeypatch)
    found.start()
    return found


def is_untouched(installed: Installation) -> bool:
    kept = (installed.home / "deploy", installed.config, installed.data / "secrets" / "key", service.UNIT)
    return installed.is_active and all(path.exists() for path in kept)


def test_state_and_settings_are_kept_unless_purged(installed: Installation) -> None:
    assert service.start_command() == "systemctl start appliance"
    assert uninstall.run(purge=False, sure=True) == 0
    assert service.start_command() == "./scripts/up"
    assert not any(
        os.path.lexists(path)
        for path in (installed.home, service.UNIT, service.COMMAND, *service.COMPLETIONS)
    )
    assert (installed.data / "secrets" / "key").exists() and installed.config.exists()
    assert not installed.is_active and not (installed.system / "deleted").exists()


def test_a_purge_leaves_nothing(installed: Installation) -> None:
    assert uninstall.run(purge=True, sure=True) == 0
    assert not any(path.exists() for path in (installed.home, installed.data, installed.config.parent))
    assert (installed.system / "deleted").read_text() == f"{service.USER}\n"


@pytest.mark.parametrize("typed, purged", [("", False), ("yes\n", False), ("{data}\n", True)])
def test_a_purge_is_confirmed_by_the_path(
    installed: Installation, monkeypatch: pytest.MonkeyPatch, typed: str, purged: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed.format(data=installed.data)))
    assert uninstall.run(purge=True, sure=False) == (0 if purged else 1)
    assert is_untouched(installed) is not purged
    assert installed.data.exists() is not purged


def test_what_the_environment_names_is_never_purged(
    installed: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precious = tmp_path / "precious"
    (precious / "secrets").mkdir(parents=True)
    monkeypatch.setenv("APPLIANCE_DATA", str(precious))
    uninstall.run(purge=True, sure=True)
    assert (precious / "secrets").is_dir() and not installed.data.exists()


def test_without_a_line_in_the_settings_nothing_is_purged(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.config.write_text("")
    monkeypatch.setenv("APPLIANCE_DATA", str(installed.data))
    with pytest.raises(CannotStart, match="names no APPLIANCE_DATA, so nothing is purged; next:"):
        uninstall.run(purge=True, sure=True)
    assert is_untouched(installed)


def test_a_folder_with_something_else_is_not_purged(installed: Installation) -> None:
    (installed.data / "thesis.txt").write_text("x")
    with pytest.raises(CannotStart, match=r"holds thesis\.txt, which is not the appliance's"):
        uninstall.run(purge=True, sure=True)
    assert is_untouched(installed)


def test_a_folder_without_secrets_is_not_purged(installed: Installation) -> None:
    (installed.data / "secrets").rename(installed.data / "logs")
    with pytest.raises(CannotStart, match="is no data folder of an appliance"):
        uninstall.run(purge=True, sure=True)
    assert (installed.data / "logs" / "key").exists() and installed.home.exists()


def test_a_folder_of_another_user_is_not_purged(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "USER", "somebody")
    with pytest.raises(CannotStart, match="not to the user somebody"):
        uninstall.run(purge=True, sure=True)
    assert is_untouched(installed)


def test_state_below_the_code_is_not_removed_with_it(installed: Installation) -> None:
    inside = installed.data.rename(installed.home / "var")
    installed.config.write_text(f"APPLIANCE_DATA={inside}\n")
    with pytest.raises(CannotStart, match=r"var lies in .*, which would be removed with it"):
        uninstall.run(purge=False, sure=True)
    assert (inside / "secrets" / "key").exists()
