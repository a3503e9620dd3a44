"""Named queries: one SQL file each, whose head says what it gives, of what, and what its columns are.

    -- Responses a day …                                what is asked, in one sentence
    -- $question (choice, choices): what it is about    a parameter: kinds of questions,
    -- $period (day, week; week): how long …            or its values; and what it is when nobody says
    -- $bins (1..100; 10): how many …                   or the whole numbers that it may be
    -- answer: what was chosen                          a column

A query reads views that hold what the caller may see and asks about, and nothing else: `responses`, `forms`,
`partials`, `ai_results`, `activity`; and, with a parameter `$question`, those of `answers`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

_FOLDER: Final = Path(__file__).with_name("queries")
_PARAMETER: Final = re.compile(r"\$(\w+) \(([^;)]+)(?:; (\w+))?\): (.+)")
_COLUMN: Final = re.compile(r"(\w+): +(.+)")
_READ: Final = re.compile(r"\b(?:FROM|JOIN)\s+([a-z_]+)")
QUESTIONS: Final = ("question", "by")
"""Parameters that name a question of the form."""


class Column(NamedTuple):
    name: str
    help: str


class Parameter(NamedTuple):
    name: str
    help: str
    takes: tuple[str, ...]
    """Kinds of questions, or values, or `least..most`."""
    default: str | None

    def value(self, said: str | None) -> str | int:
        """Of one that names no question. Raises ValueError."""
        said = self.default if said is None else said
        first, dots, last = self.takes[0].partition("..")
        if dots:
            if said and said.isascii() and said.isdecimal() and int(first) <= int(said[:9]) <= int(last):
                return int(said)
            raise ValueError(f"a whole number from {first} to {last} is needed")
        if said not in self.takes:
            raise ValueError(f"one of {', '.join(self.takes)} is needed")
        return said


class Named(NamedTuple):
    name: str
    help: str
    parameters: tuple[Parameter, ...]
    columns: tuple[Column, ...]
    sql: str

    @property
    def reads(self) -> frozenset[str]:
        """The views, and names of its own."""
        return frozenset(_READ.findall(self.sql))


@cache
def queries() -> dict[str, Named]:
    """By name."""
    return {path.stem: _read(path) for path in sorted(_FOLDER.glob("*.sql"))}


def _read(path: Path) -> Named:
    lines = path.read_text("utf-8").splitlines()
    told, *head = (line.removeprefix("--").strip() for line in lines if line.startswith("--"))
    parameters, columns = [], []
    for line in head:
        if found := _PARAMETER.fullmatch(line):
            name, takes, default, words = found.groups()
            parameters.append(Parameter(name, words, tuple(takes.split(", ")), default))
        elif found := _COLUMN.fullmatch(line):
            columns.append(Column(*found.groups()))
        else:
            raise ValueError(f"{path.name}: {line!r} tells neither a parameter nor a column")
    sql = "\n".join(line for line in lines if not line.startswith("--"))
    return Named(path.stem, told, tuple(parameters), tuple(columns), sql)
