"""JavaScript regular expressions, matched in time linear to the text.

A form's author writes the pattern and anyone sends the text, so a backtracking engine would be a way to stop
the server. RE2 never backtracks; what it cannot do (look-around, back-references) is refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import re2

from appliance.domain.effort import MAX_WEIGHT, weight

_SPACE: Final = r"\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}"
_ANY: Final = r"[^\n\r\x{2028}\x{2029}]"
_MEMORY: Final = 1 << 20
"""Bytes a compiled pattern may take; beyond, RE2 refuses it."""
_KEPT: Final = frozenset("dDwWbBfnrtv0")
"""Escapes that mean the same in both."""
_QUANTIFIER: Final = re.compile(r"[*+?]|\{[0-9]+(?:,[0-9]*)?\}")
_REFUSED: Final = {"(?=": "look-ahead", "(?!": "look-ahead", "(?<=": "look-behind", "(?<!": "look-behind"}


@dataclass(frozen=True, slots=True)
class Pattern:
    """Says whether it is found in a text, in at most `weight` steps a byte."""

    weight: int
    _found: Any

    def __call__(self, text: str) -> bool:
        return self._found.search(text) is not None


def compile_pattern(source: str, *, ignore_case: bool = False) -> Pattern:
    """`new RegExp(source).test`. Raises ValueError with a reason for the author of the pattern.

    A `.` is a code point, where JavaScript without the u flag counts UTF-16 units: one emoji is one `.` here.
    """
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    options.case_sensitive = not ignore_case
    options.never_capture = True  # what a group matched is not asked for, and to know it takes the slower NFA
    translated = _translate(source)
    try:
        found = re2.compile(translated, options)
    except re2.error as fault:
        reason = fault.args[0] if fault.args else "unreadable"
        raise ValueError(reason.decode() if isinstance(reason, bytes) else str(reason)) from None
    heavy = weight(translated.replace(_SPACE, r"\s"))
    if heavy > MAX_WEIGHT:
        raise ValueError(f"too large: {heavy} places, repetitions written out; it may have {MAX_WEIGHT}")
    return Pattern(heavy, found)


def _translate(source: str) -> str:
    out: list[str] = []
    place, in_class = 0, False
    while place < len(source):
        char = source[place]
        if not in_class and place and _repeats_nothing(source, place, out[-1]):
            raise ValueError(f"nothing to repeat before {source[place : place + 8]}")
        if char == "\\":
            piece, place = _escape(source, place + 1, in_class)
            out.append(piece)
            continue
        if in_class:
            in_class = char != "]"
            piece = r"\[" if char == "[" else char
        else:
            piece, place, in_class = _plain(source, place)
        out.append(piece)
        place += 1
    return "".join(out)


def _repeats_nothing(source: str, place: int, before: str) -> bool:
    """RE2 lets a position such as ^ or \\b be repeated, JavaScript does not."""
    return before in ("^", "$", r"\b", r"\B") and _QUANTIFIER.match(source, place) is not None


def _plain(source: str, place: int) -> tuple[str, int, bool]:
    """What stands outside of a class: its translation, its last place, whether a class begins."""
    char = source[place]
    if char == "(":
        for start, name in _REFUSED.items():
            if source.startswith(start, place):
                raise ValueError(f"{name} ({start}…) cannot be matched in bounded time and is not supported")
        if source.startswith("(?", place) and source[place + 2 : place + 3] not in (":", "<"):
            raise ValueError("invalid group")
    if char == ".":
        return _ANY, place, False
    for start, piece, opens in (
        ("[^]", r"(?s:.)", False),
        ("[]", r"[^\x{0}-\x{10ffff}]", False),
        ("[^", "[^", True),
    ):
        if source.startswith(start, place):
            return piece, place + len(start) - 1, opens
    return char, place, char == "["


def _escape(source: str, place: int, in_class: bool) -> tuple[str, int]:
    if place >= len(source):
        raise ValueError("a \\ at the end")
    char = source[place]
    if char in "sS":
        return _space(char, in_class), place + 1
    if char == "b" and in_class:
        return r"\x08", place + 1
    if char == "0" and not source[place + 1 : place + 2].isdigit():
        return r"\x00", place + 1
    if char in "ux":
        return _code(source, place)
    if char == "k" or (char in "123456789" and not in_class):
        raise ValueError(
            f"a back-reference (\\{char}) cannot be matched in bounded time and is not supported"
        )
    if char in "pPcQEAzCG" or char.isdigit():
        raise ValueError(f"the escape \\{char} is not supported")
    if char in _KEPT or not char.isalnum():
        return f"\\{char}" if char.isascii() and char != "_" else char, place + 1
    return char, place + 1


def _space(char: str, in_class: bool) -> str:
    if in_class:
        if char == "S":
            raise ValueError(r"\S inside of [ ] is not supported; write [^\s…] instead")
        return _SPACE
    return f"[{_SPACE}]" if char == "s" else f"[^{_SPACE}]"


def _code(source: str, place: int) -> tuple[str, int]:
    """\\xHH and \\uHHHH; without their digits JavaScript takes the letter itself."""
    width = 2 if source[place] == "x" else 4
    digits = source[place + 1 : place + 1 + width]
    if len(digits) == width and all(digit in "0123456789abcdefABCDEF" for digit in digits):
        if 0xD800 <= int(digits, 16) <= 0xDFFF:
            raise ValueError(f"\\u{digits} is half a surrogate pair; write the character itself")
        return f"\\x{{{digits}}}", place + 1 + width
    return source[place], place + 1
