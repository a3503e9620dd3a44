"""Functions of XLSForms' expressions about numbers, texts and dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.domain.values import js_length
from appliance.domain.xlsform.functions_logic import Args, Function
from appliance.domain.xlsform.names import Unsupported
from appliance.domain.xlsform.pieces import Piece, as_number, boolean, joined, union, wrap
from appliance.domain.xlsform.xpath import XPath

if TYPE_CHECKING:
    from appliance.domain.xlsform.translation import Translator


# -- numbers


def number(translator: Translator, args: Args) -> Piece:
    piece = as_number(translator.of(args[0]))
    return Piece(piece.text, "number", piece.needs, piece.atom, piece.name, piece.literal)


def numeric(spelling: str) -> Function:
    """A function of survey-core over one number, or some."""

    def run(translator: Translator, args: Args) -> Piece:
        given = [as_number(translator.of(arg)) for arg in args]
        return Piece(f"{spelling}({', '.join(piece.text for piece in given)})", "number", union(*given))

    return run


def power(translator: Translator, args: Args) -> Piece:
    base, exponent = (as_number(translator.of(arg)) for arg in args)
    return Piece(f"{wrap(base)} ^ {wrap(exponent)}", "number", union(base, exponent), atom=False)


def root(translator: Translator, args: Args) -> Piece:
    piece = as_number(translator.of(args[0]))
    return Piece(f"{wrap(piece)} ^ 0.5", "number", piece.needs, atom=False)


def absolute(translator: Translator, args: Args) -> Piece:
    piece = as_number(translator.of(args[0]))
    return Piece(f"iif({wrap(piece)} < 0, 0 - {wrap(piece)}, {piece.text})", "number", piece.needs)


# -- texts


def same(translator: Translator, args: Args) -> Piece:
    return translator.of(args[0])


def contains(translator: Translator, args: Args) -> Piece:
    where, what = translator.of(args[0]), translator.of(args[1])
    if where.kind == "list":
        word = what.literal
        if word is None or word not in where.values or sum(word in name for name in where.values) != 1:
            raise Unsupported("contains() would also find parts of names of choices; use selected()")
    elif where.kind == "number":
        raise Unsupported("contains() is about texts")
    else:
        translator.note("texts are compared without regard to upper and lower case")
    return boolean(f"{where.raw if where.kind == 'text' else wrap(where)} contains {wrap(what)}")


def starts_with(translator: Translator, args: Args) -> Piece:
    where, what = translator.of(args[0]), translator.of(args[1])
    if what.literal is None or where.kind not in ("text", "choice"):
        raise Unsupported("starts-with() is about a text and a fixed beginning")
    translator.note("texts are compared without regard to upper and lower case")
    return boolean(f"substring({where.raw}, 0, {js_length(what.literal)}) = {what.text}")


def substr(translator: Translator, args: Args) -> Piece:
    """From 0, without the end, as survey-core's."""
    where, *bounds = (translator.of(arg) for arg in args)
    if where.kind not in ("text", "choice") or any(not (one.literal or "").isdecimal() for one in bounds):
        raise Unsupported("substr() is about a text and fixed places")
    return Piece(f"substring({', '.join((where.raw, *(one.text for one in bounds)))})", "text")


def longer_or_shorter(translator: Translator, text: XPath, sign: str, length: str) -> Piece:
    """string-length() beside a number: survey-core has no length, but parts of texts are there or not."""
    if not length.isdecimal():
        raise Unsupported("string-length() is compared with whole numbers only")
    answer, number = translator.of(text), int(length)
    not_below, above = _longer(answer, number - 1), _longer(answer, number)
    match sign:
        case ">":
            return above
        case ">=":
            return not_below
        case "<":
            return boolean(f"!({not_below.text})")
        case "<=":
            return boolean(f"!({above.text})")
        case "=":
            return joined("and", not_below, boolean(f"!({above.text})"))
    return joined("or", boolean(f"!({not_below.text})"), above)


def _longer(answer: Piece, than: int) -> Piece:
    if than < 0:
        return Piece("true", "boolean")
    if than == 0 and answer.name:
        return boolean(f"{answer.text} notempty")
    if not answer.name or answer.kind not in ("text", "choice"):
        raise Unsupported("string-length() is about the answer to a question with a text")
    return Piece(f"iif(substring({answer.raw}, {than}, {than + 1}), true, false)", "boolean")


def concat(translator: Translator, args: Args) -> Piece:
    """By `+`, which joins texts only where one side is a text that survey-core does not take for a number."""
    given = [translator.of(arg) for arg in args]
    if any(piece.kind not in ("text", "choice", "number") for piece in given):
        raise Unsupported("concat() of what is no text, choice or number")
    start = next((n for n, piece in enumerate(given) if piece.kind == "text" and piece.literal), None)
    if start is None and any(piece.kind == "number" for piece in given):
        raise Unsupported("concat() of numbers without a text between them")
    if start is None:
        return Piece(" + ".join(("''", *(piece.raw for piece in given))), "text", atom=False)
    found = given[start].text
    for piece in reversed(given[:start]):
        found = f"{piece.raw if piece.kind != 'number' else wrap(piece)} + ({found})"
    for piece in given[start + 1 :]:
        found = f"({found}) + {piece.raw if piece.kind != 'number' else wrap(piece)}"
    return Piece(found, "text", atom=False)


# -- dates


def moment(text: str) -> Function:
    return lambda _, __: Piece(text, "date")


def date_of(translator: Translator, args: Args) -> Piece:
    piece = translator.of(args[0])
    if piece.kind not in ("text", "date", "any"):
        raise Unsupported("date() is about a date as a text")
    return Piece(piece.text, "date", name=piece.name)
