"""Follows `$ref` and `allOf` of a JSON Schema that is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.faults import token
from appliance.domain.imported import Report
from appliance.domain.schema_questions import ANNOTATIONS

Json = dict[str, Any]
MAX_STEPS: Final = 50
"""References within each other."""


@dataclass(frozen=True, slots=True)
class Part:
    """A schema whose references were followed: where it stands, and the references that led there."""

    schema: Json
    path: str
    trail: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class References:
    """Within one schema: nothing is fetched."""

    root: Json
    report: Report

    def resolved(self, schema: object, path: str, trail: tuple[str, ...]) -> Part | None:
        """With `$ref` followed and `allOf` joined; None, and reported, where that leads nowhere."""
        if not isinstance(schema, dict):
            self.report.warn(path, "a schema that says nothing of its values is left out")
            return None
        if "$ref" in schema:
            return self._followed(schema, path, trail)
        if "allOf" in schema:
            return self._joined(schema, path, trail)
        return Part(schema, path, trail)

    def _followed(self, schema: Json, path: str, trail: tuple[str, ...]) -> Part | None:
        ref = schema["$ref"]
        if not isinstance(ref, str) or not ref.startswith("#"):
            self.report.warn(
                path + "/$ref", f"{str(ref)[:200]!r} is left out: nothing is fetched for a reference"
            )
            return None
        if len(trail) >= MAX_STEPS:
            self.report.warn(
                path + "/$ref", f"{ref[:200]!r} is left out: more than {MAX_STEPS} references led there"
            )
            return None
        if ref in trail:
            self.report.warn(path + "/$ref", f"{ref[:200]!r} is left out: it leads back to itself")
            return None
        found = self._at(ref)
        if found is None:
            self.report.warn(path + "/$ref", f"{ref[:200]!r} is left out: it leads nowhere")
            return None
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        if isinstance(found, dict) and beside:
            found = {**found, **beside}
        return self.resolved(found, ref[1:], (*trail, ref))

    def _at(self, ref: str) -> object:
        here: Any = self.root
        for step in ref[1:].split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(here, list) and key.isdecimal() and int(key) < len(here):
                here = here[int(key)]
            elif isinstance(here, dict) and key in here:
                here = here[key]
            else:
                return None
        return here if ref == "#" or ref.startswith("#/") else None

    def _joined(self, schema: Json, path: str, trail: tuple[str, ...]) -> Part:
        """The schemas of `allOf` as one. Where two say different things, the first counts; it is reported."""
        whole = {name: value for name, value in schema.items() if name != "allOf"}
        rows = schema["allOf"] if isinstance(schema["allOf"], list) else []
        for place, row in enumerate(rows):
            at = f"{path}/allOf/{place}"
            part = self.resolved(row, at, trail)
            if part is not None:
                self._join(whole, part, at)
                trail = part.trail
        return Part(whole, path, trail)

    def _join(self, whole: Json, part: Part, at: str) -> None:
        for name, value in part.schema.items():
            own = whole.get(name)
            if isinstance(own, dict) and isinstance(value, dict) and name == "properties":
                whole[name] = {**value, **own}
            elif isinstance(own, list) and isinstance(value, list) and name == "required":
                whole[name] = [*own, *value]
            elif own is None:
                whole[name] = value
            elif own != value and name not in ANNOTATIONS:
                self.report.warn(at + token(name), f"`{name}` is said twice; only the first is carried over")
