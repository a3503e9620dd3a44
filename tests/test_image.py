"""The image as far as it can be judged without an engine; scripts/image starts one and judges the rest."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from appliance import settings
from appliance.settings import HOME

DOCKERFILE = re.sub(r"\\\n *", "", (HOME / "Dockerfile").read_text())
SOURCES = [
    name
    for names in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    for name in names.split()
]
LET_THROUGH = [
    line.removeprefix("!")
    for line in (HOME / ".dockerignore").read_text().splitlines()
    if line.startswith("!")
]


def one(pattern: str) -> str:
    (found,) = re.findall(pattern, DOCKERFILE, re.MULTILINE)
    return str(found)


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_copied_is_kept_by_git_and_let_through(name: str) -> None:
    assert subprocess.run(["git", "ls-files", name], cwd=HOME, capture_output=True, check=True).stdout
    assert any(Path(name).is_relative_to(each) for each in LET_THROUGH)


def test_nothing_else_is_let_through() -> None:
    """No .env, no data, no history."""
    first, *_ = (line for line in (HOME / ".dockerignore").read_text().splitlines() if line[0] != "#")
    assert first == "*"
    for each in LET_THROUGH:
        assert any(Path(name).is_relative_to(each) for name in SOURCES), each


def test_doors_folder_and_user_agree_with_the_settings() -> None:
    environ = dict(re.findall(r"\b(APPLIANCE_\w+)=(\S+)", DOCKERFILE))
    chosen = settings.load(environ, dotenv=Path("/nonexistent"))
    doors = [str(chosen.http_port), str(chosen.https_port)]
    assert one(r"^EXPOSE (.+)$").split() == doors
    assert one(r"^VOLUME (.+)$") == one(r"install -d -m 700 -o appliance -g appliance (\S+)") == "/data"
    assert str(chosen.data) == "/data"
    assert one(r"^USER (.+)$").split(":") == [one(r"--uid (\d+)"), one(r"--gid (\d+)")]
    composed = (HOME / "deploy" / "compose.yaml").read_text()
    assert re.findall(r'- "\d+:(\d+)"', composed) == doors
    assert "- data:/data\n" in composed


def test_what_the_code_reads_beside_itself_is_copied() -> None:
    # By the operator, by scripts/setup, by scripts/ai; a checkout alone has the last.
    made = {".env", ".venv-mongo", ".venv-ai", "build", ".git"}
    read = {
        name
        for module in (HOME / "appliance").rglob("*.py")
        for name in re.findall(r'\bHOME / "([^"]+)"', module.read_text())
    }
    assert {"nginx.conf", "supervisord.conf"} <= read
    assert read - made <= {Path(name).parts[0] for name in SOURCES}


def test_the_settings_are_read_of_what_is_copied_first(tmp_path: Path) -> None:
    """scripts/setup reads them in a stage that has these files alone, and Debian's Python."""
    copied = next(
        line.split()[1:-1]
        for line in (HOME / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY appliance/") and "settings.py" in line
    )
    (tmp_path / "appliance").mkdir()
    for name in copied:
        shutil.copyfile(HOME / name, tmp_path / name)
    read = (
        "import sys; sys.path.insert(0, '.'); from appliance.settings import load; print(load({}).http_port)"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", read], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.stdout == "8080\n", ended.stderr
