"""`--json` of every command: the shapes that docs/commands.md promises."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import cli
from appliance.settings import HOME
from tests.ops.command import appliance_command
from tests.ops.conftest import Dotted

OTHERS = {
    "up": "runs until it is stopped",
    "supervisorctl": "is supervisor's own program",
    "completion": "speaks with a shell",
    "erase export": "is JSON by lines already",
}
"""Commands that have no `--json`, and why."""


def commands() -> dict[str, argparse.ArgumentParser]:
    """Every command by its words."""
    parser, _ = cli._parser([])
    return dict(_leaves(parser, ""))


def _leaves(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    groups = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    if not groups:
        yield path.strip(), parser
    for group in groups:
        for name, below in group.choices.items():
            yield from _leaves(below, f"{path} {name}")


def options(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


def documented() -> dict[str, str]:
    """The shape by command."""
    text = (HOME / "docs" / "commands.md").read_text()
    return dict(re.findall(r"^\| `([a-z ]+)` \| .{5,} \| (`[^`]+`|–).* \|$", text, re.MULTILINE))


def test_every_command_takes_it() -> None:
    without = {name for name, parser in commands().items() if "--json" not in options(parser)}
    assert without == OTHERS.keys()


def test_every_command_and_its_shape_is_documented() -> None:
    found = documented()
    assert found.keys() == commands().keys()
    assert {name for name, shape in found.items() if shape == "–"} == OTHERS.keys()


def _keys(shape: str) -> list[str]:
    return re.findall(r"\w+", shape)


def called(appliance: Dotted, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in appliance.environ.items() if name != "APPLIANCE_DATA"}
    return appliance_command(*arguments, data=appliance.paths.data, **environ)


RUN = [
    "status", "healthcheck", "doctor", "maintenance off", "maintenance status",
    "config show", "config diff", "config check",
    "user list", "user add json-olga --invite", "user reset json-olga", "user disable json-olga",
    "user enable json-olga",
    "secrets list", "secrets rotate cursors", "queue list", "queue pause batched", "queue resume batched",
    "queue purge batched --yes", "queue retry --all", "model list", "model check", "lake path", "lake verify",
    "lake rebuild", "audit verify", "backup create", "backup list", "backup prune", "backup verify NEWEST",
    "backup drill", "backup key", "erase list", "erase find --user admin", "size 1000",
]  # fmt: skip
"""What can be called on one that runs."""


@pytest.mark.parametrize("words", RUN)
def test_it_is_one_document_of_the_shape_that_was_promised(dotted: Dotted, words: str) -> None:
    newest = sorted(dotted.paths.backups.glob("*.age"))
    arguments = [str(newest[-1]) if word == "NEWEST" else word for word in words.split()]
    ended = called(dotted, *arguments, "--json")
    assert ended.returncode in (0, 1), ended.stderr
    told = json.loads(ended.stdout)
    name = next(name for name in commands() if words == name or words.startswith(f"{name} "))
    shape = documented()[name]
    if shape.startswith("`["):
        assert isinstance(told, list), told
    for row in told if isinstance(told, list) else [told]:
        if "…" in shape:
            assert set(_keys(shape)) <= row.keys(), (shape, list(row))
        else:
            assert sorted(row) == sorted(_keys(shape)), (shape, list(row))


def test_logs_are_a_document_a_line(dotted: Dotted) -> None:
    ended = called(dotted, "logs", "-n", "20", "--json")
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(rows) == 20 and all({"time", "program"} <= row.keys() for row in rows)


@pytest.mark.parametrize(
    "words,error,mend",
    [
        ("reload", "the appliance is not running on", "./scripts/up"),
        ("backup verify nothing", "there is no file nothing", "./scripts/appliance backup list"),
        ("nosuch", "there is no command 'nosuch'", None),
        ("backup nosuch", "argument COMMAND: invalid choice: 'nosuch'", None),
        ("queue pause", "the following arguments are required: QUEUE", None),
    ],
)
def test_a_refusal_is_json_on_stderr(tmp_path: Path, words: str, error: str, mend: str | None) -> None:
    ended = appliance_command(*words.split(), "--json", data=tmp_path / "data")
    assert (ended.returncode, ended.stdout) == (2, "")
    told = json.loads(ended.stderr)
    assert told.keys() == {"error", "next"}
    assert error in told["error"]
    assert told["next"] == mend


def test_who_cannot_be_asked_is_refused(dotted: Dotted) -> None:
    for words in (["queue", "purge", "batched"], ["uninstall", "--purge"]):
        ended = called(dotted, *words, "--json")
        assert ended.returncode == 2
        assert "--yes" in ended.stderr and json.loads(ended.stderr).keys() == {"error", "next"}
