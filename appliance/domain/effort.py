"""How much work one response may ask for: counted, not timed, so that every machine gives the same verdict.

RE2 leaves its DFA for its NFA when a text makes too many states. It then looks at each live place of the
pattern at each byte, so what a match can cost is the pattern's places times the text's bytes.
"""

from __future__ import annotations

import re
from typing import Final

MAX_EFFORT: Final = 10_000_000
"""Steps for all answers of one response; one takes some 15 ns, so 150 ms."""
MAX_WEIGHT: Final = 10_000
"""Places of one pattern: heavier ones could not judge a text of 1000 bytes."""
MAX_TOTAL_WEIGHT: Final = 100_000
"""Places of all patterns of a form. Each is compiled and kept in memory."""
ITEM: Final = 8
"""Steps that an item of an array or object counts for."""
OPERAND: Final = 60
"""Steps that an operand or operator of an expression counts for, and an item of a value that one gives:
either takes about a microsecond, the copy of the item included."""
PART: Final = 100
"""Steps that a look at a row or panel takes, whatever is in it; an item that is read once more, or that
another question gives as a choice."""
MAX_LEVELS: Final = 32
"""Of a value that an expression handles, as of answers."""


MAX_COMPUTED: Final = 65_536
"""Of a value that an expression handles, and of all data that has computed values in it: an item or 16
characters each."""
_PIECE: Final = 16


class Exhausted(Exception):
    """An expression would take more steps than are left."""


_CHAR: Final = r"\\x\{[0-9a-fA-F]+\}|\\."
_IN_CLASS: Final = re.compile(rf"{_CHAR}|[^\]\\]", re.DOTALL)
_TOKEN: Final = re.compile(
    rf"\[(?P<class>(?:{_IN_CLASS.pattern})*)\]|{_CHAR}|\(\?s:\.\)|(?P<open>\()(?:\?(?::|P?<\w+>))?"
    r"|(?P<close>\))|\{(?P<least>\d+)(?:,(?P<most>\d*))?\}|(?P<free>[*+])|(?P<or>\|)|.",
    re.DOTALL,
)
_RANGES: Final = 8
"""Characters and ranges of a class that cost as much as one place more."""


def weight(pattern: str) -> int:
    """Places of a valid pattern in RE2's syntax, counted repetitions written out."""
    totals, last = [0], 0
    for token in _TOKEN.finditer(pattern):
        kind, before = token.lastgroup, last
        if kind == "open":
            totals.append(0)
            last = 0
            continue
        if kind == "close":
            last = totals.pop()
        elif kind in ("least", "most"):
            more = before * (max(int(token["least"]), int(token["most"] or 0), 1) - 1)
            totals[-1] += more
            last = before + more
            continue
        elif kind == "free":
            continue
        else:
            last = 1 + len(_IN_CLASS.findall(token["class"] or "")) // _RANGES
        totals[-1] += last
    return totals[0]


def size(value: object) -> int:
    """Steps that one look at the whole of an answer takes."""
    if isinstance(value, str):
        return bytes_of(value)
    return len(value) * ITEM if isinstance(value, list | dict) else 1


def breadth(value: object) -> int:
    """Items of all arrays and objects in it."""
    count, stack = 0, [value]
    while stack:
        found = stack.pop()
        below = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
        count += len(below)
        stack.extend(below)
    return count


def bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def weigh(value: object) -> int:
    """Steps that one look at a value takes in an expression, whatever it holds. Raises Exhausted.

    Values that expressions compute may hold one another, and so be larger than memory if written out.
    """
    count, level, row = 0, 0, [value]
    while row:
        count += len(row)
        level += 1
        if count > MAX_COMPUTED or level > MAX_LEVELS + 1:
            raise Exhausted
        below: list[object] = []
        for found in row:
            if isinstance(found, str):
                count += len(found) // _PIECE
            elif isinstance(found, list):
                below.extend(found)
            elif isinstance(found, dict):
                below.extend(found.values())
        row = below
    return count
