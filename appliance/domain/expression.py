"""survey-core's expressions as a closed tree: nothing else can be said in one, so nothing else can be run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Const:
    """A number, a truth value or a string. Words without quotes are strings too."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Null:
    """`null` or `undefined`."""


@dataclass(frozen=True, slots=True)
class Name:
    """`{name}`; `raw`, written `{#name}`, takes the value without reading "5" as a number."""

    name: str
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Array:
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    params: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """`operator` is negate, empty or notempty."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """`operator` by survey-core's name for it. `right` is None for a `contains` that nothing follows."""

    operator: str
    left: Expression
    right: Expression | None


Expression = Const | Null | Name | Array | Call | Unary | Binary


def below(one: Expression) -> tuple[Expression, ...]:
    match one:
        case Array(items):
            return items
        case Call(_, params):
            return params
        case Unary(_, operand):
            return (operand,)
        case Binary(_, left, right):
            return (left,) if right is None else (left, right)
    return ()


def walk(one: Expression) -> Iterator[Expression]:
    """`one` and all below."""
    stack = [one]
    while stack:
        found = stack.pop()
        yield found
        stack.extend(reversed(below(found)))
