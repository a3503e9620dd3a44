"""Reads the expressions of XLSForms: XPath 1.0 with `${name}`; of a path only the last name counts.

https://getodk.github.io/xforms-spec/#xpath-paths says what of XPath forms may use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_LENGTH: Final = 32_767
"""Characters that a cell of a spreadsheet holds."""
MAX_NESTING: Final = 60
MAX_NODES: Final = 300
"""Operands of one expression: what goes through it calls itself twice for each."""


@dataclass(frozen=True, slots=True)
class Number:
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Ref:
    """`${name}`."""

    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """A step of a path: `.`, `..`, or the bare name that choice filters use for columns."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    args: tuple[XPath, ...]


@dataclass(frozen=True, slots=True)
class Minus:
    operand: XPath


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: XPath
    right: XPath


XPath = Number | Text | Ref | Place | Call | Minus | Binary

_RANKS: Final = {
    "or": 1,
    "and": 2,
    "=": 3,
    "!=": 3,
    "<": 4,
    "<=": 4,
    ">": 4,
    ">=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "div": 6,
    "mod": 6,
}
_NAME: Final = r"[^\W\d][\w.-]*(?::[^\W\d][\w.-]*)?"
_TOKEN: Final = re.compile(
    rf"\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<text>'[^']*'|\"[^\"]*\")|\$\{{\s*(?P<ref>[^{{}}]*?)\s*\}}"
    rf"|(?P<name>{_NAME})|(?P<sign>!=|<=|>=|\.\.|//|::|[-+*=<>(),./@|\[\]]))"
)
_QUOTES: Final = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\xa0": " "})
_PATHS: Final = frozenset({"/", "//", "[", "]", "@", "|", "::"})


def parse_xpath(text: str) -> XPath:
    """Raises ValueError with what cannot be read. Quotes that spreadsheets made typographic are mended."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"longer than {MAX_LENGTH} characters")
    reader = _Reader(_tokens(text.translate(_QUOTES)))
    found = reader.expression(1, 0)
    if reader.kind:
        raise ValueError(f"cannot be read from {reader.word!r} on")
    return found


def conjuncts(one: XPath) -> list[XPath]:
    """What `and` at the top joins."""
    found: list[XPath] = []
    stack = [one]
    while stack:
        part = stack.pop()
        if isinstance(part, Binary) and part.operator == "and":
            stack += (part.right, part.left)
        else:
            found.append(part)
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place = 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"cannot be read from {text[place : place + 20].strip()!r} on")
        kind = str(match.lastgroup)
        found.append((kind, match[kind]))
        place = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens, self._place, self._count = tokens, 0, 0

    @property
    def kind(self) -> str:
        return self._tokens[self._place][0] if self._place < len(self._tokens) else ""

    @property
    def word(self) -> str:
        return self._tokens[self._place][1] if self._place < len(self._tokens) else ""

    def expression(self, rank: int, depth: int) -> XPath:
        if depth > MAX_NESTING:
            raise ValueError(f"nested more than {MAX_NESTING} deep")
        left = self._operand(depth)
        while self.kind in ("sign", "name") and _RANKS.get(self.word, 0) >= rank:
            operator = self._take()
            left = Binary(operator, left, self.expression(_RANKS[operator] + 1, depth + 1))
        if self.kind == "sign" and self.word in _PATHS:
            raise ValueError(f"paths and filters ({self.word}) are not supported")
        return left

    def _take(self) -> str:
        word = self.word
        self._place += 1
        return word

    def _operand(self, depth: int) -> XPath:
        self._count += 1
        if self._count > MAX_NODES:
            raise ValueError(f"more than {MAX_NODES} operands")
        kind, word = self.kind, self._take()
        match kind:
            case "number":
                return Number(word)
            case "text":
                return Text(word[1:-1])
            case "ref":
                return Ref(word)
            case "name":
                return self._call(word, depth) if self.word == "(" and self.kind == "sign" else Place(word)
            case "sign":
                return self._signed(word, depth)
        raise ValueError("it ends where a value is needed")

    def _signed(self, word: str, depth: int) -> XPath:
        if word in (".", ".."):
            return self._path() if self.word == "/" else Place(word)
        if word == "/":
            self._place -= 1
            return self._path()
        if word == "-":
            return Minus(self.expression(7, depth + 1))
        if word == "(":
            found = self.expression(1, depth + 1)
            self._close()
            return found
        if word in _PATHS:
            raise ValueError(f"paths and filters ({word}) are not supported")
        raise ValueError(f"a value is needed before {word!r}")

    def _path(self) -> Ref:
        """`/data/group/name` or `../name`: names are of one form, so the last one says it."""
        name = ""
        while self.kind == "sign" and self.word == "/":
            self._take()
            if self.kind != "name" and self.word != "..":
                raise ValueError("paths lead to questions by their names only")
            name = self._take()
        if name in ("", ".."):
            raise ValueError("paths lead to questions by their names only")
        return Ref(name)

    def _call(self, name: str, depth: int) -> XPath:
        self._take()
        args: list[XPath] = []
        while self.word != ")" or self.kind != "sign":
            args.append(self.expression(1, depth + 1))
            if self.word == ",":
                self._take()
            elif self.word != ")":
                break
        self._close()
        return Call(name, tuple(args))

    def _close(self) -> None:
        if self.kind != "sign" or self.word != ")":
            raise ValueError("a closing parenthesis is missing")
        self._take()
