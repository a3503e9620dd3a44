"""Expressions to try: written by a grammar that knows what authors write, and what they get wrong."""

from __future__ import annotations

import random
from typing import Any, Final

from appliance.domain.expression import Array, Binary, Call, Const, Expression, Name, Null, Unary

NAMES: Final = (
    "a", "b", "c", "num", "text", "list", "obj.x", "obj.y.z", "rows[0].v", "rows[1].v", "rows[-1].v",
    "rows", "list[0]", "A", "Num", "missing", "#num", "#text", "flag", "day", "zero", "empty",
    "list.length", "a.b", '"k":1', "obj", "rows.length", "text.length", "dotted.name", "nested[0][1]",
    "q 1", "ä", "quoted", "big",
)  # fmt: skip
WORDS: Final = (
    "1", "0", "2", "-1", "2.5", "0.1", "10", "007", "0x10", "100000000000000000000", "'a'", "'abc'",
    '"x"', "''", '""', "'5'", "'0.5'", "'1,5'", "' 5 '", "true", "false", "True", "'true'",
    "'2024-03-10'", "'2024-03-10T10:00'", "'2024-03-10T10:00:00Z'", "abc", "yes", "null", "undefined",
    "[]", "['a', 'b']", "[1, 2]", "[1]", "'B'", "'a\\'b'", "'it\\\"s'", "'10'", "-0", "1.0", "3",
    "'x y'", "'é'", "'=>'",
)  # fmt: skip
SIGNS: Final = (
    "=", "==", "!=", "<>", "<", "<=", "=<", ">", ">=", "=>", "+", "-", "*", "/", "%", "^", "power",
    "and", "&&", "or", "||", "AND", "equal", "notequal", "less", "greater", "lessorequal",
    "greaterorequal", "contains", "contain", "notcontains", "notcontain", "*=", "anyof", "allof",
    "noneof", "equals", "notequals", "Contains",
)  # fmt: skip
CALLS: Final = ("iif", "sum", "count", "today", "age", "round", "min", "max", "year", "f1_x")


def written(one: Expression | None) -> Any:
    """Our tree as expressions.mjs writes survey-core's."""
    match one:
        case Const(value):
            return ["const", value]
        case Name(name, raw):
            return ["name", name, raw]
        case Array(items):
            return ["array", *map(written, items)]
        case Call(name, params):
            return ["call", name, *map(written, params)]
        case Unary(operator, operand):
            return ["unary", operator, written(operand)]
        case Binary(operator, left, right):
            return ["binary", operator, written(left), written(right)]
        case Null() | None:
            return ["null"]


def expression(chance: random.Random, depth: int = 3, calls: tuple[str, ...] = CALLS) -> str:
    """One that survey-core reads, nearly always."""
    kind = chance.random()
    if depth == 0 or kind < 0.3:
        return "{" + chance.choice(NAMES) + "}" if chance.random() < 0.55 else chance.choice(WORDS)
    space = chance.choice((" ", " ", "  ", "\n"))
    if kind < 0.75:
        left, right = expression(chance, depth - 1, calls), expression(chance, depth - 1, calls)
        return f"{left}{space}{chance.choice(SIGNS)}{space}{right}"
    if kind < 0.83:
        return f"({expression(chance, depth - 1, calls)})"
    if kind < 0.88:
        return f"!{expression(chance, depth - 1, calls)}"
    if kind < 0.92:
        return "{" + chance.choice(NAMES) + "} " + chance.choice(("empty", "notempty", "Empty"))
    params = [expression(chance, depth - 1, calls) for _ in range(chance.randint(0, 3))]
    return f"{chance.choice(calls)}({', '.join(params)})"


def scribble(chance: random.Random) -> str:
    """Pieces of the language thrown together, and an expression that was damaged."""
    if chance.random() < 0.5:
        pieces = (
            *NAMES,
            *WORDS,
            *SIGNS,
            "{",
            "}",
            "(",
            ")",
            "[",
            "]",
            ",",
            "'",
            '"',
            "\\",
            "!",
            " ",
            "negate",
            ".",
        )
        return "".join(chance.choice(pieces) for _ in range(chance.randint(1, 8)))
    text = list(expression(chance))
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(text) + 1)
        if chance.random() < 0.5 and text:
            del text[min(place, len(text) - 1)]
        else:
            text.insert(place, chance.choice("{}()[],'\"\\!=<>+-*/%^&| \t01x.eoraé"))
    return "".join(text)


EVERY: Final = (
    "avg", "count", "currentDate", "currentYear", "iif", "max", "min", "round", "substring", "sum", "today",
    "trunc",
)  # fmt: skip
UNITS: Final = ("'days'", "'months'", "'years'", "'hours'", "'minutes'", "'seconds'", "'weeks'")
DATED: Final = (
    "{day}",
    "'2024-02-29'",
    "'2024-03-10T10:00'",
    "today()",
    "currentDate()",
    "{num}",
    "'1/31/2024'",
    "today(-3)",
)


def calculation(chance: random.Random) -> str:
    """A call as authors write it, in an expression."""
    kind, number = chance.random(), chance.choice(("1", "-1", "2.5", "{num}", "{a}", "40"))
    day, other, unit = chance.choice(DATED), chance.choice(DATED), chance.choice(UNITS)
    if kind < 0.3:
        aggregate = chance.choice(("sumInArray", "countInArray", "avgInArray", "minInArray", "maxInArray"))
        tail = chance.choice(
            ("", ", 'k'", ", {k} > 1", ", {k} = {v}", ", 'k', {v} notempty", ", '{k} < 5'", ", 'v'")
        )
        return (
            f"{aggregate}({chance.choice(('{rows}', '{rows}', '{list}', '{obj}', '{missing}'))}, 'v'{tail})"
        )
    if kind < 0.6:
        return chance.choice(
            (f"dateAdd({day}, {number}, {unit})", f"dateDiff({day}, {other}, {unit})", f"age({day})",
             f"age({day}, {unit})", f"diffDays({day}, {other})", f"{day} {chance.choice(SIGNS)} {other}",
             f"year({day})", f"weekday({day})", f"month({day})", f"getYear({day})", f"day({day}) + 1",
             f"iif({day} < {other}, 'x', {number})", f"getDate({day}) = {other}", f"today({number})")
        )  # fmt: skip
    if kind < 0.8:
        return chance.choice(
            (
                f"round({number} * {chance.choice(WORDS)}, {chance.choice(('0', '1', '2', '-1'))})",
                f"trunc({number} / 3, {chance.choice(('0', '1', '2', '5'))})",
                f"sum({{list}}, {number})",
                f"avg({{rows[0].v}}, {number}, 2)",
                "max({list})",
                f"min({{list}}, {number})",
                "count({list}, {a})",
                f"substring({{text}}, {number})",
                f"substring({{text}}, 1, {number})",
                f"iif({{a}} > {number} and {{b}} notempty, {{a}} + {{b}}, {{c}})",
                f"{{num}} * {number} + 0.1",
            )
        )
    return expression(chance, 3, EVERY)
