"""What a user's JSON Schema costs to apply, counted without compiling it; and what it must not have.

jsonschema-rs holds the interpreter while it compiles and validates, gathers errors without bound, and may
take exponential time over references. So the work of a schema is counted first: how many schemas can be asked
about one value of the data, references followed. Recursive schemas have no bound of this kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

from appliance.domain.bounds import name_of
from appliance.domain.faults import Faults, token

ROOT: Final = "/schema"
MOST: Final = 1_000_000
"""Where counting ends; beyond it is as good as without bound."""

_ONE: Final = (
    "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames",
    "then", "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS: Final = ("properties", "patternProperties", "dependentSchemas", "dependencies")
_STORES: Final = ("$defs", "definitions")
_DYNAMIC: Final = ("$dynamicRef", "$recursiveRef")

Found = tuple[str, Any]
"""A subschema and its JSON Pointer below ROOT."""


class Work:
    """Walks each schema once. `patterns` and `faults` are complete after `of_root`."""

    def __init__(self, schema: dict[str, Any], faults: Faults) -> None:
        self._root = schema
        self._faults = faults
        self._known: dict[int, float] = {}
        self._anchors: dict[str, Any] = {}
        self.patterns = 0

    def of_root(self) -> float:
        """Schemas asked about one value at most; infinite for a schema that refers to itself."""
        everything = list(self._everything())
        self._anchors = {
            node["$anchor"]: node for _, node in everything if isinstance(node.get("$anchor"), str)
        }
        for at, node in everything:
            self._check(at, node)
        try:
            return self._of(self._root)
        except RecursionError:  # a chain of references that is longer than any stack should be
            return math.inf

    def _of(self, node: Any) -> float:
        if not isinstance(node, dict):
            return 1
        known = self._known.get(id(node))
        if known is None:
            self._known[id(node)] = math.inf  # met again below itself: it has no bound
            total = 1 + sum(self._of(part) for _, part in _parts(node, ""))
            total += sum(self._of(self._target(node[name])) for name in ("$ref",) if name in node)
            if any(name in node for name in _DYNAMIC):
                total = math.inf
            known = self._known[id(node)] = total if total <= MOST else math.inf
        return known

    def _everything(self) -> Iterator[tuple[str, dict[str, Any]]]:
        stack: list[Found] = [(ROOT, self._root)]
        while stack:
            at, node = stack.pop()
            if isinstance(node, dict):
                yield at, node
                stack += _parts(node, at)
                stack += _stored(node, at)

    def _check(self, at: str, node: dict[str, Any]) -> None:
        by_pattern = node.get("patternProperties")
        self.patterns += ("pattern" in node) + (len(by_pattern) if isinstance(by_pattern, dict) else 0)
        if "$id" in node and node is not self._root:
            self._faults.add(at + "/$id", "only the whole schema may have an $id")
        for name in ("$ref", *_DYNAMIC):
            if name in node and (message := self._reference_fault(node[name])) is not None:
                self._faults.add(f"{at}/{name}", message)

    def _reference_fault(self, reference: object) -> str | None:
        if not isinstance(reference, str):
            return f"a reference is a string, not {name_of(reference)}"
        if not reference.startswith("#"):
            return "only references within this schema (#…) are followed"
        return None if self._target(reference) is not None else "there is nothing at this place of the schema"

    def _target(self, reference: object) -> Any:
        """None when there is none."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        if reference == "#":
            return self._root
        if not reference.startswith("#/"):
            return self._anchors.get(reference[1:])
        return resolve(self._root, reference[2:])


def resolve(found: Any, path: str) -> Any:
    """What lies at a JSON Pointer in a URI fragment, without its first slash; None when there is nothing."""
    for step in path.split("/"):
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isascii() and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found


def _parts(node: dict[str, Any], at: str) -> Iterator[Found]:
    """The subschemas that `node` applies."""
    for name in _ONE:
        if name in node:
            yield f"{at}/{name}", node[name]
    for name in _LISTS:
        if isinstance(node.get(name), list):
            yield from ((f"{at}/{name}/{index}", part) for index, part in enumerate(node[name]))
    yield from _mapped(node, at, _MAPS)


def _stored(node: dict[str, Any], at: str) -> Iterator[Found]:
    return _mapped(node, at, _STORES)


def _mapped(node: dict[str, Any], at: str, names: tuple[str, ...]) -> Iterator[Found]:
    for name in names:
        if isinstance(node.get(name), dict):
            yield from ((f"{at}/{name}{token(key)}", part) for key, part in node[name].items())
