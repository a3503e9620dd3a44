"""The rules with one thing wrong: whoever changes a rule sees by these that the cases hold it.

Each number a tenth (or one) more and less, each `for` and window twice and half as long, each branch of `or`,
`and` and `unless` left out, each word of a matcher left out.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

Rule = dict[str, Any]

_NUMBER = re.compile(r"(?<![\w.\[{\"])\d+(?:\.\d+)?(?![\w.\]\"])")
_WINDOW = re.compile(r"(?<=\[)(\d+)([mh])(?=\])|(?<=offset )(\d+)([mh])")
_WORDS = re.compile(r'~"([^"]+\|[^"]+)"')
_BRANCH = re.compile(r" (or|and|unless) ")
_MINUTES = {"m": 1, "h": 60}


def of_rule(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """What was changed, and the rule so changed."""
    for what, expression in _expressions(rule["expr"]):
        yield what, rule | {"expr": expression}
    if "for" in rule:
        for minutes in _doubled_and_halved(rule["for"]):
            changed = copy.deepcopy(rule)
            changed["for"] = minutes
            yield f"for: {minutes}", changed


def _expressions(text: str) -> Iterator[tuple[str, str]]:
    for found in _NUMBER.finditer(text):
        for number in _nearby(found[0], is_least=text[: found.start()].endswith("< ")):
            yield f"{found[0]} → {number}", _put(text, found.span(), number)
    for found in _WINDOW.finditer(text):
        for window in _doubled_and_halved(found[0]):
            yield f"[{found[0]}] → [{window}]", _put(text, found.span(), window)
    for found in _WORDS.finditer(text):
        words = found[1].split("|")
        for word in words:
            rest = "|".join(each for each in words if each != word)
            yield f"without {word}", _put(text, found.span(1), rest)
    for found in _BRANCH.finditer(text):
        start, end = _right(text, found.end())
        yield f"without {text[found.start() : end].strip()}", _put(text, (found.start(), end), "")
        if found[1] != "unless":
            start = _left(text, found.start())
            yield f"without {text[start : found.end()].strip()}", _put(text, (start, found.end()), "")


def _nearby(text: str, *, is_least: bool) -> Iterator[str]:
    number = float(text)
    if number == 0:
        if not is_least:  # below nothing is below one byte
            yield "1"
        return
    step = number / 10 if "." in text else max(1, round(number / 10))
    for changed in (number + step, number - step):
        yield f"{changed:.4g}" if "." in text else f"{changed:.0f}"


def _doubled_and_halved(text: str) -> Iterator[str]:
    minutes = int(text[:-1]) * _MINUTES[text[-1]]
    yield f"{minutes * 2}m"
    yield f"{minutes * 30}s"


def _put(text: str, span: tuple[int, int], instead: str) -> str:
    return text[: span[0]] + instead + text[span[1] :]


def _right(text: str, start: int) -> tuple[int, int]:
    """The operand that begins there, up to the next operator or the parenthesis that closes around it."""
    depth = 0
    for at in range(start, len(text)):
        if depth == 0 and (text[at] == ")" or _BRANCH.match(text, at)):
            return start, at
        depth += {"(": 1, ")": -1}.get(text[at], 0)
    return start, len(text)


def _left(text: str, end: int) -> int:
    depth = 0
    for at in range(end - 1, -1, -1):
        if depth == 0 and text[at] == "(":
            return at + 1
        if depth == 0 and (found := _BRANCH.match(text, at)):
            return found.end()
        depth += {")": 1, "(": -1}.get(text[at], 0)
    return 0
