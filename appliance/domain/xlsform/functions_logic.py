"""Functions of XLSForms' expressions that decide, and those about choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from appliance.domain.xlsform.names import Unsupported
from appliance.domain.xlsform.pieces import Piece, as_boolean, boolean, wrap
from appliance.domain.xlsform.xpath import XPath

if TYPE_CHECKING:
    from appliance.domain.xlsform.translation import Translator

Args = tuple[XPath, ...]
Function = Callable[["Translator", Args], Piece]


# -- logic


def constant(text: str) -> Function:
    return lambda _, __: Piece(text, "boolean")


def negation(translator: Translator, args: Args) -> Piece:
    return boolean(f"!({as_boolean(translator.of(args[0])).text})")


def truth(translator: Translator, args: Args) -> Piece:
    return as_boolean(translator.of(args[0]))


def boolean_from_string(translator: Translator, args: Args) -> Piece:
    piece = translator.of(args[0])
    return (
        boolean(f"[1, 'true'] anyof {wrap(piece)}")
        if not piece.name
        else boolean(f"{piece.text} = 1 or {piece.text} = 'true'", joins="or")
    )


def choice_of(translator: Translator, args: Args) -> Piece:
    asked = as_boolean(translator.of(args[0]))
    yes, no = translator.of(args[1]), translator.of(args[2])
    needs = [f"!({asked.text}) or {need}" for need in _own(yes)]
    needs += [f"({asked.text}) or {need}" for need in _own(no)]
    kind = yes.kind if yes.kind == no.kind else "any"
    return Piece(f"iif({asked.text}, {yes.text}, {no.text})", kind, tuple(needs) if kind == "number" else ())


def _own(piece: Piece) -> tuple[str, ...]:
    return piece.needs if piece.kind == "number" else ()


def coalesce(translator: Translator, args: Args) -> Piece:
    first, second = translator.of(args[0]), translator.of(args[1])
    kind = first.kind if first.kind == second.kind else "any"
    if second.kind == "number" and first.kind == "any":
        kind = "number"
    if first.name:
        return Piece(f"iif({first.text} notempty, {first.text}, {second.text})", kind, _own(second))
    if first.kind == "number":
        have = " and ".join(f"({need})" for need in first.needs)
        return Piece(f"iif({have}, {first.text}, {second.text})", kind, _own(second)) if have else first
    return Piece(f"iif({first.text}, {first.text}, {second.text})", kind, _own(second))


# -- choices


def selected(translator: Translator, args: Args) -> Piece:
    answer, wanted = translator.of(args[0]), translator.of(args[1])
    if answer.kind == "list":
        return boolean(f"{answer.text} contains {wrap(wanted)}")
    if answer.kind in ("choice", "any") and answer.name:
        return boolean(f"{answer.raw} = {wanted.raw if wanted.name else wrap(wanted)}")
    raise Unsupported("selected() is about questions with choices")


def count_selected(translator: Translator, args: Args) -> Piece:
    answer = translator.of(args[0])
    if answer.kind == "list":
        return Piece(f"count({answer.text})", "number")
    if answer.kind == "choice" and answer.name:
        return Piece(f"iif({answer.text} notempty, 1, 0)", "number")
    raise Unsupported("count-selected() is about questions with choices")


def selected_at(translator: Translator, args: Args) -> Piece:
    answer, place = translator.of(args[0]), translator.of(args[1])
    if answer.kind != "list" or not answer.name or not (place.literal or "").isdecimal():
        raise Unsupported("selected-at() is about a question with several choices and a fixed place")
    name = f"{answer.name}[{place.literal}]"
    return Piece(f"{{{name}}}", "choice", (f"{{{name}}} notempty",), name=name, values=answer.values)
