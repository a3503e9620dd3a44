"""What the repository promises about itself."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from appliance import settings
from appliance.queue import registry
from appliance.queue.routes import ROUTES
from appliance.settings import HOME
from appliance.tasks.worker import TASK_MODULES

LOCKS = sorted((HOME / "deploy" / "requirements").glob("*.txt"))
SCRIPTS = sorted(
    path for path in (*(HOME / "scripts").iterdir(), *(HOME / ".ci").iterdir()) if path.is_file()
)


def test_every_alert_is_documented() -> None:
    sources = "".join(path.read_text() for path in (HOME / "appliance").rglob("*.py"))
    named = set(re.findall(r'\{"alert": "(\w+)"', sources))
    assert named == {"backup_failed", "dead_letter", "drill_failed", "program_down"}
    documented = (HOME / "docs" / "webhooks.md").read_text()
    assert not [name for name in named if f'`{{"alert": "{name}", ' not in documented]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=HOME, capture_output=True, check=True).stdout
    return [path for name in listed.decode().split("\0") if name and (path := HOME / name).is_file()]


def test_every_setting_is_documented_with_its_default_and_effect() -> None:
    documented = re.findall(
        r"^\| `(\w+)` \| (?:`(.*)`|–) \| on (reload|restart) \| .{10,} \|$",
        (HOME / "docs" / "settings.md").read_text(),
        re.MULTILINE,
    )
    assert documented == [(row.name, row.default or "", row.effect) for row in settings.rows().values()]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_pins_by_hash_and_names_no_address(lock: Path) -> None:
    requirements = lock.read_text().replace("\\\n", " ").splitlines()
    assert len(requirements) > 5
    for line in requirements:
        assert re.fullmatch(
            r"[a-z0-9.-]+==[a-z0-9.]+ (?:; [a-z_ 0-9.'<>=!()A-Z]+ )?(?: +--hash=sha256:[0-9a-f]{64} ?)+", line
        ), line


def test_node_locks_name_no_registry() -> None:
    locks = [path for path in tracked() if path.name == "package-lock.json"]
    assert len(locks) >= 2
    for lock in locks:
        assert '"resolved"' not in lock.read_text(), lock
        assert '"integrity": "sha512-' in lock.read_text(), lock


def test_the_locks_hold_what_pyproject_asks_for() -> None:
    project = tomllib.loads((HOME / "pyproject.toml").read_text())
    pinned = {
        lock.stem: dict(re.findall(r"^([a-z0-9.-]+)==([a-z0-9.]+)", lock.read_text(), re.MULTILINE))
        for lock in LOCKS
    }
    assert set(project["project"]["dependencies"]) <= set(pinned["runtime"])
    assert set(project["dependency-groups"]["dev"]) <= set(pinned["dev"])
    # The tests run on what production runs.
    assert pinned["runtime"].items() <= pinned["dev"].items()
    assert [f"secantusdb=={pinned['mongo']['secantusdb']}"] == project["dependency-groups"]["mongo"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_run_and_says_what_it_is_for(script: Path) -> None:
    assert script.stat().st_mode & 0o111 == 0o111
    first, second, *_ = script.read_text().splitlines()
    assert re.fullmatch(r"#!/usr/bin/env (bash|node|python3)|#!/bin/sh", first)
    assert re.match(r"(#|//) \w.{20,}", second)


# Put together here, so that this file does not hold what it looks for.
FOREIGN = {
    "a registry": ("pypi" + ".org", "files.python" + "hosted", "registry.npm" + "js", "deb." + "debian.org"),
    "a path of the machine it was made on": (
        "/wo" + "rk/",
        "/tmp/" + "lab",
        "/opt/" + "pypi",
        "/opt/" + "wheels",
    ),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_no_file_names(what: str) -> None:
    guilty = [
        f"{path.relative_to(HOME)}: {word}"
        for path in tracked()
        for word in FOREIGN[what]
        if word.encode() in path.read_bytes()
    ]
    assert guilty == []


def test_every_link_of_the_documents_leads_somewhere() -> None:
    for document in (HOME / "README.md", *(HOME / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_commands_of_the_documents_exist() -> None:
    parser = subprocess.run(
        [sys.executable, "-P", "-m", "appliance", "--help"], cwd=HOME, env={"PYTHONPATH": str(HOME)},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for document in (HOME / "README.md", *(HOME / "docs").glob("*.md")):
        text = document.read_text()
        for name in re.findall(r"scripts/appliance ([a-z]+)", text):
            assert re.search(rf"^    {name}\b", parser, re.MULTILINE), f"{document.name}: {name}"
        for script in re.findall(r"\./scripts/([a-z]+)", text):
            assert (HOME / "scripts" / script).exists(), f"{document.name}: {script}"


def test_every_task_is_documented_with_its_route() -> None:
    documented = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (\d+) \| (\d+) s \| (\d+) s \| .{10,} \|$",
        (HOME / "docs" / "tasks.md").read_text(),
        re.MULTILINE,
    )
    assert TASK_MODULES, "importing them has registered their tasks"
    names = [name for name in registry.names() if registry.function(name).__module__.startswith("appliance.")]
    routes = {name: ROUTES[name] for name in sorted(names)}  # the engine's tests have tasks of their own
    assert documented == [
        (name, route.queue, f"{route.retries}", f"{route.soft:g}", f"{route.hard:g}")
        for name, route in routes.items()
    ]
