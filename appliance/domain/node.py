"""A definition as survey-core's table reads it: objects of known classes, properties known and typed.

Older names are replaced by today's, choices written as plain values become nodes, nulls are left out. What a
property means is the business of `definition` and `form`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.domain.faults import token
from appliance.domain.survey_core import (
    properties,
)
from appliance.domain.values import text_in


@dataclass(frozen=True, slots=True)
class Node:
    """One object: its class, where it stands, and its properties by today's names."""

    kind: str
    path: str
    values: Mapping[str, Any]

    def text(self, name: str, locale: str = "") -> str:
        return text_in(self.values.get(name), locale)

    def flag(self, name: str) -> bool:
        found = self.values.get(name)
        return bool(properties(self.kind)[name].default if found is None else found)

    def value(self, name: str) -> Any:
        """As given, else survey-core's default, else None."""
        found = self.values.get(name)
        return properties(self.kind)[name].default if found is None else found

    def nodes(self, name: str) -> list[Node]:
        found: list[Node] = self.values.get(name, [])
        return found

    def at(self, name: str) -> str:
        return self.path + token(name)

    def walk(self) -> Iterator[Node]:
        """This node and all below, in the order they were written."""
        yield self
        for child in self.children():
            yield from child.walk()

    def children(self) -> Iterator[Node]:
        for value in self.values.values():
            for child in value if isinstance(value, list) else (value,):
                if isinstance(child, Node):
                    yield child
