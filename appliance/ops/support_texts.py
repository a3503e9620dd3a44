"""Which texts of a log may leave the machine: those that the code wrote, and what kind a fault is.

The text of a fault says what it was about, which may be an answer; in quotes or not, nobody can tell. So of
such a text is told what stands in our own code just so, and else only the kind.
"""

from __future__ import annotations

import ast
import errno
import functools
import os
import re
from typing import Final, NamedTuple

from appliance.settings import HOME

LEFT_OUT: Final = "…"
_LEAST: Final = 12
"""Characters of the beginning of a text of ours that others follow, such as `no model is called `."""
_KIND = re.compile(
    r"(?<![\w.])(?:[A-Za-z_]\w{0,60}\.)*[A-Z][A-Za-z0-9]{0,60}"
    r"(?:Error|Exception|Warning|Fault|Timeout|Failure|Interrupt|Refused)(?![\w.]*\w)"
)
_NUMBER = re.compile(r"\[Errno (\d{1,3})\]")


class _Known(NamedTuple):
    whole: frozenset[str]
    beginnings: dict[str, tuple[str, ...]]
    """By the first characters, the longest first."""


def told(text: str) -> str:
    """All of it when it is ours, or how it begins when that is; else the kinds of faults that it names."""
    known = _known()
    if text in known.whole:
        return text
    for beginning in known.beginnings.get(text[:_LEAST], ()):
        if text.startswith(beginning):
            return f"{beginning}{LEFT_OUT}"
    return " ".join([*kinds(text), LEFT_OUT])


def kinds(text: str) -> list[str]:
    """`pymongo.errors.AutoReconnect` is none by its name alone; `OSError` is, and what the kernel says."""
    found = list(dict.fromkeys(_KIND.findall(text)))
    numbers = [number for number in map(int, _NUMBER.findall(text)) if number in errno.errorcode]
    return found + [f"[Errno {number}] {os.strerror(number)}" for number in numbers]


def before_a_kind(text: str) -> str:
    """Of a line: up to the kind of a fault, which is told, and what that says is not."""
    found = _KIND.search(text)
    if found is None or text[found.end() : found.end() + 1] not in (":", "("):
        return text
    return f"{text[: found.end()]}: {LEFT_OUT}"


@functools.cache
def _known() -> _Known:
    whole, beginnings = set[str](), set[str]()
    for file in (HOME / "appliance").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                whole.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                first = node.values[0]
                if isinstance(first, ast.Constant) and len(str(first.value)) >= _LEAST:
                    beginnings.add(str(first.value))
    by: dict[str, list[str]] = {}
    for each in sorted(beginnings, key=len, reverse=True):
        by.setdefault(each[:_LEAST], []).append(each)
    return _Known(frozenset(whole), {start: tuple(each) for start, each in by.items()})
