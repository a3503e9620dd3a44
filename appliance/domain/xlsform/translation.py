"""Expressions of XLSForms in the words of survey-core."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from appliance.domain.xlsform import functions, pieces
from appliance.domain.xlsform.functions_values import longer_or_shorter
from appliance.domain.xlsform.names import Field, Here, Names, Unsupported, spelled
from appliance.domain.xlsform.pieces import Piece, as_boolean, as_number, as_value, boolean, union, wrap
from appliance.domain.xlsform.xpath import Binary, Call, Minus, Number, Place, Ref, Text, XPath, parse_xpath

_RELATIONS: Final = frozenset({"<", "<=", ">", ">="})
MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
_SIGNS: Final = {"+": "+", "-": "-", "*": "*", "div": "/", "mod": "%"}
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
Note = Callable[[str], None]


def condition(text: str, names: Names, here: Here, note: Note) -> str:
    """An expression that is true or false. Raises Unsupported, or ValueError for what cannot be read."""
    return as_boolean(Translator(names, here, note).of(parse_xpath(text))).text


def value(text: str, names: Names, here: Here, note: Note) -> str:
    """An expression whose value is kept. Raises as `condition`."""
    return as_value(Translator(names, here, note).of(parse_xpath(text)))


def constant(text: str, names: Names, here: Here, note: Note) -> str:
    """A text as an expression. Raises Unsupported."""
    return pieces.text_literal(text).text


@dataclass(slots=True)
class Translator:
    """`note` is told of differences that remain."""

    names: Names
    here: Here
    note: Note

    def of(self, one: XPath) -> Piece:
        match one:
            case Number(text):
                return pieces.number_literal(text)
            case Text(text):
                return pieces.text_literal(text)
            case Ref(name):
                return self.answer(self.names.get(name))
            case Place(name):
                return self._place(name)
            case Call(name, args):
                return functions.call(self, name, args)
            case Minus(operand):
                return self._negative(as_number(self.of(operand)))
        return self._binary(one)

    def _binary(self, one: Binary) -> Piece:
        match one:
            case Binary("and" | "or" as word, left, right):
                return pieces.joined(word, as_boolean(self.of(left)), as_boolean(self.of(right)))
            case Binary(sign, Call("string-length", (text,)), Number(length)) if sign in MIRRORED:
                return longer_or_shorter(self, text, sign, length)
            case Binary(sign, Number(length), Call("string-length", (text,))) if sign in MIRRORED:
                return longer_or_shorter(self, text, MIRRORED[sign], length)
            case Binary("=" | "!=" as sign, left, right):
                return self._equal(sign, self.of(left), self.of(right))
            case Binary(sign, left, right) if sign in _RELATIONS:
                return self._related(sign, self.of(left), self.of(right))
        return self._reckoned(one.operator, self.of(one.left), self.of(one.right))

    def answer(self, one: Field) -> Piece:
        """The answer to a question."""
        if one.kind == "repeat" or one.kind == "nothing":
            raise Unsupported(f"${{{one.source}}} is no single answer")
        name = spelled(one, self.here)
        needs = (f"{{{name}}} notempty",) if one.kind not in ("list", "date", "file") else ()
        return Piece(f"{{{name}}}", one.kind, needs, name=name, values=one.values)

    def _place(self, name: str) -> Piece:
        if name == "." and self.here.field is not None:
            return self.answer(self.here.field)
        if self.here.choice is not None and not name.startswith("."):
            cell = self.here.choice.cells.get(name)
            if cell is None and name == "label":
                raise Unsupported("labels of choices differ by language")
            return pieces.text_literal(cell or "")
        raise Unsupported(f"{name!r} leads to no question; only ${{name}} and . do")

    def _negative(self, piece: Piece) -> Piece:
        if piece.literal is not None:
            return pieces.number_literal(f"-{piece.literal}".removeprefix("--"))
        return Piece(f"0 - {wrap(piece)}", "number", piece.needs, atom=False)

    # -- comparisons

    def _equal(self, sign: str, left: Piece, right: Piece) -> Piece:
        if left.literal is not None and right.literal is None:
            left, right = right, left
        if right.literal == "" and left.literal is None:
            return _is_empty(left, sign == "=")
        if "list" in (left.kind, right.kind):
            left, right = self._lists(left, right)
        elif "file" in (left.kind, right.kind):
            raise Unsupported("of a file only whether it is there can be asked")
        self._note_case(left, right)
        texts = {left.kind, right.kind} <= {"text", "choice"}
        sides = (_raw(left), _raw(right)) if texts else (wrap(left), wrap(right))
        found = boolean(f"{sides[0]} {sign} {sides[1]}")
        needs = _needed(left, right)
        return pieces.guarded(needs, found) if sign == "=" else pieces.unless(needs, found)

    def _lists(self, left: Piece, right: Piece) -> tuple[Piece, Piece]:
        """All that was chosen, beside names with spaces between."""
        if left.kind != "list" or right.literal is None:
            raise Unsupported("an answer with several choices is compared; use selected()")
        items = ", ".join(pieces.text_literal(name).text for name in right.literal.split())
        return left, Piece(f"[{items}]", "list")

    def _note_case(self, left: Piece, right: Piece) -> None:
        kinds = {left.kind, right.kind}
        literal = left.literal if left.literal is not None else right.literal
        if kinds == {"text"} and (literal is None or literal.upper() != literal.lower()):
            self.note("texts are compared without regard to upper and lower case")

    def _related(self, sign: str, left: Piece, right: Piece) -> Piece:
        left, right = _comparable(left, right), _comparable(right, left)
        found = boolean(f"{wrap(left)} {sign} {wrap(right)}")
        needs = _needed(left, right)
        if left.name and right.name and "=" in sign:  # to survey-core nothing is as much as nothing
            needs = (f"{left.text} notempty", *needs)
        return pieces.guarded(needs, found)

    # -- arithmetic

    def _reckoned(self, operator: str, left: Piece, right: Piece) -> Piece:
        if "date" in (left.kind, right.kind):
            return _reckoned_dates(operator, left, right)
        left, right = as_number(left), as_number(right)
        first = left.text if left.joins == operator == "+" else wrap(left)
        text = f"{first} {_SIGNS[operator]} {wrap(right)}"
        joins = "+" if operator == "+" else ""
        return Piece(text, "number", union(left, right), atom=False, joins=joins)


def _raw(piece: Piece) -> str:
    return piece.raw if piece.name else wrap(piece)


def _is_empty(piece: Piece, wanted: bool) -> Piece:
    if piece.name:
        return boolean(f"{piece.text} {'empty' if wanted else 'notempty'}")
    if piece.kind in ("number", "boolean", "date"):
        return Piece("false" if wanted else "true", "boolean")
    return Piece(f"iif({piece.text}, {'false, true' if wanted else 'true, false'})", "boolean")


def _needed(left: Piece, right: Piece) -> tuple[str, ...]:
    """Comparisons of survey-core are themselves false beside an answer that is missing."""
    return union(*(piece for piece in (left, right) if not piece.name and piece.kind == "number"))


def _comparable(piece: Piece, other: Piece) -> Piece:
    """For < and the like: numbers, or dates beside dates."""
    if piece.kind == "date":
        if other.kind not in ("date", "any") and not _is_date(other):
            raise Unsupported("a date is compared with what is no date")
        return piece
    if other.kind in ("date", "any") and _is_date(piece):
        return piece
    if piece.kind == "any" and other.kind == "date":
        return piece
    return as_number(piece)


def _is_date(piece: Piece) -> bool:
    return piece.kind == "text" and piece.literal is not None and bool(_DATE.fullmatch(piece.literal))


def _reckoned_dates(operator: str, left: Piece, right: Piece) -> Piece:
    """Days between two dates, and a date some days later."""
    needs = tuple(f"{piece.text} notempty" for piece in (left, right) if piece.name)
    if operator == "-" and {left.kind, right.kind} == {"date"}:
        days = f"diffDays({right.text}, {left.text})"
        return Piece(f"iif({left.text} >= {right.text}, {days}, 0 - {days})", "number", needs)
    if operator in ("+", "-") and left.kind == "date" and right.kind != "date":
        number = as_number(right)
        count = number.text if operator == "+" else f"0 - {wrap(number)}"
        return Piece(f"dateAdd({left.text}, {count}, 'days')", "date")
    raise Unsupported(f"dates cannot be reckoned with by {operator!r}")
