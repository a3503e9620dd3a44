"""What msgspec says of a value that has not its shape, told for people: where, and what is wanted instead.

By itself it names neither the values of a `Literal`, nor what a pattern means. The first are looked up in the
shape, the second are the `description` of the pattern's `Meta`, which the published document has as well.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import inspect

from appliance.errors import FieldError, pointer

_STEP = re.compile(r"\.([^.\[\]`]+)|\[(\d+|\.\.\.)\]")
_NAMED = re.compile(r"(?:unknown|missing required) field `([^`]*)`")


def told(fault: msgspec.ValidationError, shape: Any) -> FieldError:
    """msgspec says ``Expected `str`, got `int` - at `$.a.b` ``; unknown and missing fields by name."""
    message, _, place = str(fault).rpartition(" - at ") if " - at `" in str(fault) else (str(fault), "", "")
    steps = [name or index for name, index in _STEP.findall(place)]
    named = _NAMED.search(message)
    path = [int(step) if step.isdecimal() else step for step in steps if step != "..."]
    return FieldError(pointer(*path, *([named[1]] if named else [])), wanted(message, shape, steps))


def wanted(message: str, shape: Any, steps: Sequence[str] = ()) -> str:
    """The message, in better words where it is about a choice or a pattern."""
    is_choice, is_pattern = message.startswith("Invalid enum value"), "matching regex" in message
    if not (is_choice or is_pattern):
        return message
    there = list(_at([_type_of(shape)], steps))
    if is_choice:
        return f"{message}: must be {_listed(there)}"
    return _described(there) or "has not the form that is asked for here"


@functools.lru_cache(maxsize=256)
def _type_of(shape: Any) -> inspect.Type:
    return inspect.type_info(shape)


def _at(types: Iterable[inspect.Type], steps: Sequence[str]) -> Iterator[inspect.Type]:
    """The types of what lies at the end of the steps, with their metadata, without unions around them."""
    for each in types:
        plain = each.type if isinstance(each, inspect.Metadata) else each
        if isinstance(plain, inspect.UnionType):
            yield from _at(plain.types, steps)
        elif steps:
            yield from _at(_below(plain, steps[0]), steps[1:])
        else:
            yield each


def _below(outer: inspect.Type, step: str) -> list[inspect.Type]:
    match outer:
        case inspect.StructType():
            return [field.type for field in outer.fields if field.encode_name == step]
        case inspect.ListType():
            return [outer.item_type]
        case inspect.DictType():
            return [outer.value_type]
        case _:
            return []


def _listed(types: Iterable[inspect.Type]) -> str:
    values = [str(value) for each in types if isinstance(each, inspect.LiteralType) for value in each.values]
    return f"one of {', '.join(values)}" if len(values) > 1 else "".join(values)


def _described(types: Iterable[inspect.Type]) -> str | None:
    """`Meta(description="An address …")` as `must be an address …`."""
    for each in types:
        words = (
            (each.extra_json_schema or {}).get("description") if isinstance(each, inspect.Metadata) else None
        )
        if words:
            return f"must be {words[0].lower()}{words[1:]}"
    return None
