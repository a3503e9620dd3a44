"""Named queries: one SQL file each, whose head says what it gives.

The first line of the head says what is asked; each further one names a column and what it is. A query reads
the view `responses`, which holds what the caller may see and asks about, and nothing else.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

_FOLDER: Final = Path(__file__).with_name("queries")


class Column(NamedTuple):
    name: str
    help: str


class Named(NamedTuple):
    name: str
    help: str
    columns: tuple[Column, ...]
    sql: str


@cache
def queries() -> dict[str, Named]:
    """By name."""
    return {path.stem: _read(path) for path in sorted(_FOLDER.glob("*.sql"))}


def _read(path: Path) -> Named:
    lines = path.read_text("utf-8").splitlines()
    head = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    columns = (line.partition(":") for line in head[1:])
    told = tuple(Column(name.strip(), words.strip()) for name, _, words in columns)
    return Named(path.stem, head[0], told, "\n".join(line for line in lines if not line.startswith("--")))
