"""Functions of XLSForms' expressions over the repetitions of a repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.domain.xlsform.functions_logic import Args, Function
from appliance.domain.xlsform.functions_values import numeric
from appliance.domain.xlsform.names import Field, Unsupported
from appliance.domain.xlsform.pieces import Piece
from appliance.domain.xlsform.xpath import Place, Ref, XPath

if TYPE_CHECKING:
    from appliance.domain.xlsform.translation import Translator


def _repeated(translator: Translator, arg: XPath) -> Field:
    if not isinstance(arg, Ref):
        raise Unsupported("over repetitions only ${name} can be asked")
    return translator.names.get(arg.name)


def _array_of(translator: Translator, one: Field) -> str:
    """The repeat whose repetitions hold the question, as an expression names it."""
    outer = one.repeats[:-1]
    if not one.repeats or outer != translator.here.repeats[: len(outer)] or len(outer) > 1:
        raise Unsupported(f"${{{one.source}}} is not in a repeat that can be seen from here")
    if one.repeats == translator.here.repeats[: len(one.repeats)]:
        raise Unsupported(f"${{{one.source}}} is in the same repetition")
    return f"panel.{one.repeats[-1]}" if outer else one.repeats[-1]


def over(name: str, spelling: str) -> Function:
    """A function over a question in all repetitions; or over numbers, where there are several."""

    def run(translator: Translator, args: Args) -> Piece:
        if len(args) > 1 or not isinstance(args[0], Ref):
            return numeric(spelling)(translator, args)
        one = _repeated(translator, args[0])
        if not one.repeats:
            return numeric(spelling)(translator, args)
        array = _array_of(translator, one)
        needs = () if name == "sum" else (f"{{{array}}} notempty",)
        return Piece(f"{spelling}InArray({{{array}}}, '{one.name}')", "number", needs)

    return run


def count(translator: Translator, args: Args) -> Piece:
    one = _repeated(translator, args[0])
    if one.kind == "repeat":
        array = _spelled(translator, one)
    else:
        array = _array_of(translator, one)
    return Piece(f"iif({{{array}}} empty, 0, {{{array}.length}})", "number")


def _spelled(translator: Translator, one: Field) -> str:
    if one.repeats != translator.here.repeats[: len(one.repeats)] or len(one.repeats) > 1:
        raise Unsupported(f"the repeat ${{{one.source}}} cannot be seen from here")
    return f"panel.{one.name}" if one.repeats else one.name


def count_non_empty(translator: Translator, args: Args) -> Piece:
    one = _repeated(translator, args[0])
    return Piece(f"countInArray({{{_array_of(translator, one)}}}, '{one.name}')", "number")


def position_(translator: Translator, args: Args) -> Piece:
    if not isinstance(args[0], Place) or args[0].name != ".." or not translator.here.repeats:
        raise Unsupported("position() is about .. in a repeat")
    return Piece("{panelIndex} + 1", "number", atom=False)


def indexed(translator: Translator, args: Args) -> Piece:
    one, place = _repeated(translator, args[0]), translator.of(args[2])
    if not (place.literal or "").isdecimal() or place.literal == "0":
        raise Unsupported("indexed-repeat() needs a fixed place")
    name = f"{_array_of(translator, one)}[{int(place.literal or 1) - 1}].{one.name}"
    if one.kind == "repeat" or one.kind == "nothing":
        raise Unsupported(f"${{{one.source}}} is no single answer")
    return Piece(f"{{{name}}}", one.kind, (f"{{{name}}} notempty",), name=name, values=one.values)
