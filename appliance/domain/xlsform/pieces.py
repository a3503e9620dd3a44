"""Pieces of survey-core's expressions, with what XPath would know of their values.

XPath and survey-core differ where there is no answer. XPath's arithmetic gives NaN then, and each
comparison with NaN but `!=` is false; survey-core reckons with 0. So a number remembers what it needs
(`needs`, conditions that must hold for it to be one), and whoever compares it asks those first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from appliance.domain.xlsform.names import AnswerKind, Unsupported

PieceKind = AnswerKind | Literal["boolean"]
_ALTERED: Final = ("=>", "=<", "<>", "equals", "\\")
"""survey-core rewrites these within texts too, or reads them as an escape."""


@dataclass(frozen=True, slots=True)
class Piece:
    """`name` is set where it is nothing but an answer; `atom` where it needs no parentheses."""

    text: str
    kind: PieceKind
    needs: tuple[str, ...] = ()
    atom: bool = True
    name: str = ""
    literal: str | None = None
    """The text or number that it is, where it is one."""
    values: tuple[str, ...] = ()
    joins: str = ""
    """`and`, `or` or `+`, where it is made of these: more of the same need no parentheses."""

    @property
    def raw(self) -> str:
        """An answer without "5" being read as a number."""
        return f"{{#{self.name}}}" if self.name else self.text


def wrap(piece: Piece) -> str:
    return piece.text if piece.atom else f"({piece.text})"


def union(*pieces: Piece) -> tuple[str, ...]:
    return tuple(dict.fromkeys(need for piece in pieces for need in piece.needs))


def text_literal(value: str) -> Piece:
    """Raises Unsupported for texts that survey-core would read as others."""
    if any(sign in value for sign in _ALTERED):
        raise Unsupported(f"the text {value[:60]!r} cannot be written in an expression of SurveyJS")
    escaped = re.sub(r"(['\"])", r"\\\1", value)
    return Piece(f"'{escaped}'", "text", literal=value)


def boolean(text: str, *, joins: str = "") -> Piece:
    return Piece(text, "boolean", atom=False, joins=joins)


def joined(word: str, left: Piece, right: Piece) -> Piece:
    """`left and right` of two booleans."""
    first = left.text if left.joins == word else wrap(left)
    return boolean(f"{first} {word} {wrap(right)}", joins=word)


def as_boolean(piece: Piece) -> Piece:
    """XPath's boolean(): a text that is not empty, a number that is neither 0 nor NaN."""
    if piece.kind == "boolean":
        return piece
    if piece.literal is not None:
        numeric = piece.kind == "number"
        return Piece("true" if (float(piece.literal) if numeric else piece.literal) else "false", "boolean")
    if piece.kind == "number" and not piece.name:
        return guarded(piece.needs, boolean(f"{wrap(piece)} != 0"))
    if piece.kind == "number":
        return boolean(f"{piece.text} notempty and {piece.text} != 0", joins="and")
    if piece.name:
        return boolean(f"{piece.text} notempty")
    return Piece(f"iif({piece.text}, true, false)", "boolean")


def as_number(piece: Piece) -> Piece:
    """For arithmetic. Raises Unsupported for what is no number."""
    if piece.kind == "boolean":
        return Piece(f"iif({piece.text}, 1, 0)", "number")
    if piece.kind == "text" and piece.literal is not None:
        return number_literal(piece.literal)
    if piece.kind in ("list", "file"):
        raise Unsupported("answers with several choices and files are no numbers")
    if piece.kind == "date":
        raise Unsupported("dates are no numbers in SurveyJS")
    return piece


def number_literal(text: str) -> Piece:
    try:
        value = float(text)
    except ValueError:
        raise Unsupported(f"{text[:40]!r} is no number") from None
    plain = f"{int(value)}" if value == int(value) and abs(value) < 1e15 else f"{value!r}"
    if "e" in plain or "n" in plain:
        raise Unsupported(f"{text[:40]!r} is too large a number, or too small")
    return Piece(plain, "number", literal=plain)


def guarded(needs: tuple[str, ...], piece: Piece) -> Piece:
    """False where a number that is needed is none."""
    found = piece
    for need in reversed(needs):
        condition = boolean(need)
        found = joined("and", condition, found)
    return found


def unless(needs: tuple[str, ...], piece: Piece) -> Piece:
    """True where a number that is needed is none, as XPath's `!=` is."""
    found = piece
    for need in needs:
        found = joined("or", found, boolean(f"!({need})"))
    return found


def as_value(piece: Piece) -> str:
    """The whole expression of a value that is kept: nothing, where a number that is needed is none."""
    if piece.kind == "number" and piece.needs and not piece.name:
        return f"iif({' and '.join(f'({need})' for need in piece.needs)}, {piece.text})"
    return piece.text
