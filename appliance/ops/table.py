"""Columns for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import category


def shown(text: str) -> str:
    """What others wrote, as a terminal may have it: characters that steer one are seen instead (`\\x1b`).

    Also those that turn the direction of writing, so that what is read is what is there.
    """
    return "".join(
        each if each.isprintable() or category(each) == "Zs" else repr(each)[1:-1] for each in text
    )


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Cells may be of others: they are `shown`."""
    told = [[shown(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(map(len, column)) for column in zip(*told, strict=True)]
    for row in told:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def duration(seconds: float) -> str:
    """The two largest units: `3 d 4 h`, `12 min 5 s`, `42 s`."""
    whole = int(seconds)
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    while len(parts) > 1 and parts[0][0] == 0:
        del parts[0]
    return " ".join(f"{count} {unit}" for count, unit in parts[:2])


def size(count: float) -> str:
    """Bytes in binary units: `512 KiB`, `1.4 GiB`."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
