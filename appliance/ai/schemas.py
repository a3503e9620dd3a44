"""Which JSON Schemas an answer can be held to.

llama.cpp makes a grammar of them, and some are more than it holds: nested repetitions take minutes a token,
long ones end the process. What the grammar would leave out of account is refused too, rather than not kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from appliance.ai.engine import Refused

LONGEST: Final = 1_000
"""Characters of a string, or items of a list, that a bound may name."""
_NODES: Final = 500
_DEPTH: Final = 20
_CONSTANTS: Final = 8_000
"""Characters of all that `enum` and `const` list."""
_PATTERN: Final = 200
_REPEATED: Final = 100
"""Times that a pattern may repeat something, all its repetitions together."""
_KEPT: Final = frozenset(
    """
    type properties required additionalProperties items prefixItems minItems maxItems enum const
    anyOf oneOf allOf $ref $defs definitions pattern minLength maxLength format
    """.split()
)
_SAID: Final = frozenset(
    "title description default examples $schema $id $comment deprecated readOnly".split()
)
"""That ask for nothing."""
_QUANTIFIER: Final = re.compile(r"[*+?]|\{(\d*)(,?)(\d*)\}")


def kept(schema: Mapping[str, Any]) -> dict[str, Any]:
    """As a grammar can be made of it. Raises Refused, saying where and why."""
    whole = _with_root(dict(schema))
    nodes = list(_nodes(whole, "", 0))
    if len(nodes) > _NODES:
        raise Refused(f"the JSON Schema has more than {_NODES} parts")
    constants = 0
    for place, node in nodes:
        _check(place, node)
        constants += sum(len(json.dumps(node[name])) for name in ("enum", "const") if name in node)
    if constants > _CONSTANTS:
        raise Refused(f"what enum and const list has more than {_CONSTANTS:,} characters")
    return whole


def _with_root(schema: dict[str, Any]) -> dict[str, Any]:
    """Without a reference at the root, which llama.cpp's converter does not follow."""
    found = re.fullmatch(r"#/(\$defs|definitions)/([^/]+)", str(schema.get("$ref", "")))
    target = schema.get(found[1], {}).get(found[2]) if found else None
    if not isinstance(target, dict):
        return schema
    return {name: value for name, value in schema.items() if name != "$ref"} | target


def _nodes(schema: Any, place: str, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each schema within the schema, and where it is."""
    if not isinstance(schema, dict):
        return
    if depth > _DEPTH:
        raise Refused(f"the JSON Schema is more than {_DEPTH} deep at {place}")
    yield place, schema
    for name in ("properties", "$defs", "definitions"):
        for key, below in _pairs(schema.get(name)):
            yield from _nodes(below, f"{place}/{name}/{key}", depth + 1)
    for name in ("anyOf", "oneOf", "allOf", "prefixItems", "items", "additionalProperties"):
        below = schema.get(name)
        for at, one in enumerate(below if isinstance(below, list) else [below]):
            yield from _nodes(
                one, f"{place}/{name}/{at}" if isinstance(below, list) else f"{place}/{name}", depth + 1
            )


def _pairs(found: Any) -> list[tuple[str, Any]]:
    return list(found.items()) if isinstance(found, dict) else []


def _check(place: str, node: dict[str, Any]) -> None:
    at = place or "its root"
    for name in node:
        if name not in _KEPT and name not in _SAID:
            raise Refused(f"an answer cannot be held to `{name}`, which the JSON Schema has at {at}")
    for name in ("minLength", "maxLength", "minItems", "maxItems"):
        bound = node.get(name, 0)
        if not isinstance(bound, int) or not 0 <= bound <= LONGEST:
            raise Refused(f"{name} may be 0 to {LONGEST:,}; the JSON Schema has another one at {at}")
    if isinstance(pattern := node.get("pattern"), str):
        _check_pattern(at, pattern)


def _check_pattern(at: str, pattern: str) -> None:
    if len(pattern) > _PATTERN:
        raise Refused(f"the pattern at {at} has more than {_PATTERN} characters")
    open_groups = [1]
    """Of each: how often something in it may be repeated."""
    bare = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "x", pattern)
    place = 0
    while place < len(bare):
        sign, before = bare[place], 1
        place += 1
        if sign == "(":
            open_groups.append(1)
            continue
        if sign == ")" and len(open_groups) > 1:
            before = open_groups.pop()
        times = 1
        if found := _QUANTIFIER.match(bare, place):
            place, times = found.end(), _times(found)
            too_often = before * times > _REPEATED if before > 1 else _REPEATED < times < _ENDLESS
            if too_often:
                raise Refused(f"the pattern at {at} repeats what repeats, or more than {_REPEATED} times")
        open_groups[-1] = max(open_groups[-1], before * times)


def _times(found: re.Match[str]) -> int:
    """As often as a quantifier may repeat; what may be left out counts as without end, since repeated it is
    as bad.
    """
    least, is_range, most = found.groups()
    if found[0] in "*+?" or (is_range and not most) or int(least or 0) == 0:
        return _ENDLESS
    return int(most or least)


_ENDLESS: Final = 1_000_000
