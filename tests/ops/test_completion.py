"""What the Tab key offers, in a real bash."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from appliance.settings import HOME
from tests.ops.command import appliance_command


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """With the command, and a data folder that has logs and backups."""
    command = tmp_path / "appliance"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m appliance "$@"\n')
    command.chmod(0o755)
    for name in (
        "logs/api-1.log",
        "logs/api-2.log",
        "backups/appliance-then.tar.zst.age",
        "models/tiny.gguf",
    ):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch()
    return tmp_path


def environ(place: Path) -> dict[str, str]:
    return {
        "PATH": f"{place}:{os.environ['PATH']}",
        "PYTHONPATH": str(HOME),
        "APPLIANCE_DATA": str(place / "data"),
        "HOME": str(place),
        "PS1": "> ",
        "TERM": "dumb",
    }


OFFER = """
set -e
eval "$(appliance completion bash)"
complete -p appliance > /dev/null
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMPREPLY=()
_python_argcomplete "${1%% *}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(place: Path, line: str) -> set[str]:
    told = subprocess.run(
        ["bash", "-c", OFFER, "bash", line],
        env=environ(place), cwd=place, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    return {word.strip() for word in told.stdout.splitlines()} - {""}


@pytest.mark.parametrize(
    "line,words",
    [
        ("appliance sta", {"status"}),
        ("appliance backup ver", {"verify"}),
        ("appliance queue pause ", {"high", "default", "batched"}),
        ("appliance logs api", {"api", "api-1", "api-2"}),
        ("appliance logs --level ", {"debug", "info", "warning", "error"}),
        ("appliance supervisorctl rest", {"restart"}),
        ("appliance supervisorctl restart worker-a", {"worker-ai"}),
        ("appliance secrets rotate re", {"redis"}),
        ("appliance backup verify appliance-", {"appliance-then.tar.zst.age"}),
        ("appliance model use ti", {"tiny"}),
        ("appliance move da", {"data/"}),
        ("appliance config show --js", {"--json"}),
        ("appliance user disable ", set()),
        ("./appliance stat", {"status"}),
    ],
)
def test_what_is_offered(place: Path, line: str, words: set[str]) -> None:
    assert offered(place, line) == words


def test_supervisords_own_way_in_is_not_offered(place: Path) -> None:
    every = offered(place, "appliance ")
    assert {"up", "status", "support", "backup"} <= every
    assert "launch" not in every


@pytest.mark.parametrize("broken", ["APPLIANCE_TOKEN_HOURS=never\n", "nonsense\n"])
def test_broken_settings_are_no_matter(place: Path, broken: str) -> None:
    (place / "env").write_text(broken)
    told = subprocess.run(
        ["bash", "-c", OFFER, "bash", "appliance backup verify appliance-"],
        env=environ(place) | {"APPLIANCE_DOTENV": str(place / "env")},
        cwd=place, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (told.stdout.strip(), told.stderr) == ("appliance-then.tar.zst.age", "")


def test_the_key_itself(place: Path) -> None:
    """A terminal, a bash in it, and Tab pressed."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(place)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environ(place))  # noqa: S606
    try:
        os.write(terminal, b'eval "$(appliance completion bash)"; echo rea"d"y\n')
        _until(terminal, "ready")
        os.write(terminal, b"appliance maintenance o\t\t")
        assert {"off", "on"} <= set(_until(terminal, "off").split())
        os.write(terminal, b"\x15appliance healthch\t")
        _until(terminal, "appliance healthcheck ")
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(terminal)


def _until(terminal: int, word: str) -> str:
    """What the terminal shows, once the word is there."""
    seen, deadline = "", time.monotonic() + 30
    while word not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 4096).decode(errors="replace")
    return seen


def test_zsh_is_told_whose_it_is(tmp_path: Path) -> None:
    """No zsh is here to try it in."""
    told = appliance_command("completion", "zsh", data=tmp_path)
    assert told.stdout.startswith("#compdef appliance\n")
    assert "compdef _python_argcomplete appliance" in told.stdout
