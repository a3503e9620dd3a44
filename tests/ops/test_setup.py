"""scripts/setup without the network: what it refuses, what it skips, what it waits for."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from appliance.settings import HOME


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that was never set up, at a path with a space."""
    place = tmp_path / "a checkout"
    for name in ("appliance", "scripts", "deploy"):
        shutil.copytree(
            HOME / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
        )
    return place


def run(*command: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """As with `env -i`, from another folder, without a terminal."""
    return subprocess.run(
        command,
        cwd="/",
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("script", ["appliance", "supervisorctl"])
def test_before_the_first_start_the_next_command_is_named(checkout: Path, script: str) -> None:
    ended = run(checkout / "scripts" / script, "status")
    assert ended.returncode == 2
    assert ended.stderr == f"The appliance is not set up yet; first run: '{checkout}/scripts/up'\n"


def test_a_bad_setting_is_told_before_anything_is_installed(checkout: Path) -> None:
    ended = run(checkout / "scripts" / "up", APPLIANCE_HTTPS_PORT="none")
    assert ended.returncode == 2
    assert ended.stderr == (
        "APPLIANCE_HTTPS_PORT='none' from environment: a whole number is needed;"
        " next: correct it; docs/settings.md lists every setting\n"
    )
    assert not list(checkout.glob(".venv*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_who_may_not_write_the_checkout_is_told_so(checkout: Path) -> None:
    for folder in (checkout, *checkout.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    ended = run("setpriv", "--reuid=65534", "--clear-groups", checkout / "scripts" / "setup")
    assert ended.returncode == 2
    assert f".venv has to be made in {checkout}, which nobody may not write" in ended.stderr
    assert "owner of that folder" in ended.stderr
    assert not list(checkout.glob(".venv*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_missing_package_is_named_with_its_command_to_who_is_not_root(
    checkout: Path, tmp_path: Path
) -> None:
    """A PATH without nginx and redis stands for a machine without them."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in (
        "bash",
        "env",
        "python3",
        "readlink",
        "dirname",
        "sha256sum",
        "flock",
        "mktemp",
        "id",
        "sed",
        "rm",
        "xargs",
        "grep",
    ):
        (tools / name).symlink_to(shutil.which(name, path="/usr/bin:/bin") or name)
    script = checkout / "scripts" / "setup"
    script.write_text(script.read_text().replace(":/usr/local/sbin:/usr/sbin:/sbin", ""))
    for folder in (checkout, tools, *checkout.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    (tools / "apt-get").symlink_to("/usr/bin/apt-get")
    ended = run("/usr/bin/setpriv", "--reuid=65534", "--clear-groups", script, PATH=str(tools))
    assert ended.returncode == 2, ended.stderr
    monitoring = "prometheus prometheus-alertmanager prometheus-node-exporter prometheus-redis-exporter"
    missing = f"nginx-light redis-server {monitoring}"
    assert f"Missing: {missing}. As root, run:" in ended.stderr
    assert f"apt-get update && apt-get install --no-install-recommends {missing}" in ended.stderr


def test_the_code_is_compiled_by_who_may_write_it(checkout: Path) -> None:
    """Where nothing is missing either: the code may be newer than the packages."""
    for folder, lock in ((".venv", "runtime"), (".venv-mongo", "mongo")):
        stand_in(checkout / folder, checkout / "deploy" / "requirements" / f"{lock}.txt")
    ended = run(checkout / "scripts" / "setup", PATH=os.environ["PATH"])
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    compiled = checkout / "appliance" / "tasks" / "__pycache__" / f"worker.{sys.implementation.cache_tag}.pyc"
    assert compiled.is_file()


def stand_in(folder: Path, lock: Path) -> None:
    """What setup takes for a finished virtual environment."""
    python = Path(sys.executable).resolve()
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(python)
    (folder / "lib" / python.name).mkdir(parents=True)
    (folder / "ready").write_text(f"{folder.parent} {sha256(lock.read_bytes()).hexdigest()}  -\n")


def test_a_second_setup_waits_for_the_first_and_says_so(checkout: Path) -> None:
    holder = os.open(checkout, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    second = subprocess.Popen(
        [checkout / "scripts" / "setup"], stdout=subprocess.PIPE, text=True, process_group=0
    )
    try:
        assert second.stdout
        assert f"another scripts/setup is at work in {checkout}; waiting for it" in second.stdout.readline()
        assert second.poll() is None
    finally:
        os.killpg(second.pid, signal.SIGKILL)
        second.communicate()
        os.close(holder)
    assert not list(checkout.glob(".venv*"))
