"""What an import made of somebody else's form, and what could not be carried over."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, Final

from appliance.domain.form import DETAIL, ROOT, compile_definition
from appliance.errors import FieldError, Invalid

MAX_WARNINGS: Final = 500
MOST_ROUNDS: Final = 40
"""Of the check of a definition; each tells up to faults.MOST faults, and parts with faults are left out."""
_QUOTED: Final = 300
NO_MATCH: Final = "This answer does not have the expected form"
"""The text of a pattern: without one survey-core says nothing when it does not match."""

Json = dict[str, Any]


@dataclass(slots=True)
class Report:
    """Warnings in the order found; beyond MAX_WARNINGS they are only counted, and the count is told."""

    found: list[FieldError] = field(default_factory=list)
    untold: int = 0
    sources: dict[int, tuple[Json, str]] = field(default_factory=dict)
    """Where in the source a part of the definition comes from, by the identity of the part, which is kept."""

    def warn(self, path: str, message: str) -> None:
        if len(self.found) >= MAX_WARNINGS:
            self.untold += 1
            return
        warning = FieldError(path, message)
        if warning not in self.found[-50:]:
            self.found.append(warning)

    def made(self, part: Json, path: str) -> Json:
        """Remembers the source of a part; gives the part."""
        self.sources[id(part)] = (part, path)
        return part

    def all(self) -> tuple[FieldError, ...]:
        if not self.untold:
            return tuple(self.found)
        return (*self.found, FieldError("", f"{self.untold} more warnings are not listed"))


@dataclass(frozen=True, slots=True)
class Imported:
    """`title` is "" where the source names none."""

    title: str
    definition: Json
    warnings: tuple[FieldError, ...]


def quoted(text: str) -> str:
    """An expression as warnings keep it."""
    return text if len(text) <= _QUOTED else text[: _QUOTED - 1] + "…"


def hold_to_check(definition: Json, report: Report) -> Json:
    """The definition without the parts that the definition check refuses; each is reported.

    Raises Invalid where nothing usable is left, or where the whole is refused, for its size for example.
    """
    for _ in range(MOST_ROUNDS):
        try:
            compile_definition(definition)
        except Invalid as refusal:
            for fault in {fault.path: fault for fault in refusal.errors}.values():
                if not _leave_out(definition, fault, report):
                    raise Invalid(DETAIL, errors=refusal.errors) from None
            _compact(definition)
        else:
            return copy.deepcopy(definition)
    raise Invalid(DETAIL, errors=[FieldError(ROOT, "too many parts of the form cannot be used")])


_GONE: Final = object()
_KEPT: Final = frozenset({"name", "type", "value", "expression", "regex"})
"""Without these the object around is nothing: it goes as a whole."""
_LISTS: Final = ("elements", "templateElements", "pages", "choices", "validators", "calculatedValues")
"""Where a part can go without changing what the others mean. A row of `columns` or the like does not."""


def _leave_out(definition: Json, fault: FieldError, report: Report) -> bool:
    """Takes the smallest part at the fault away; False if that is the whole definition."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in fault.path.split("/")[2:]]
    trail: list[tuple[Any, Any]] = []
    here: Any = definition
    for step in steps:
        key: Any = int(step) if isinstance(here, list) and step.isdecimal() else step
        try:
            below = here[key]
        except (KeyError, IndexError, TypeError):
            break
        trail.append((here, key))
        if below is _GONE:
            return True
        here = below
    while trail:
        around, key = trail.pop()
        if isinstance(around, dict) and (key in _KEPT or key in _LISTS):
            continue
        if isinstance(around, list) and not (trail and trail[-1][1] in _LISTS):
            continue
        source = _source(trail, around, key, report)
        report.warn(source, _told(around, key, fault))
        if isinstance(around, list):
            around[key] = _GONE
        else:
            del around[key]
        if key == "visibleIf" and _ask_nothing(around):
            report.warn(source, "without its condition it always shows, so nothing in it is required")
        return True
    return False


def _ask_nothing(part: Any) -> bool:
    """Requires nothing of the part and what is in it; whether anything was."""
    asked = False
    if isinstance(part, dict):
        for name in ("isRequired", "requiredIf"):
            asked = bool(part.pop(name, None)) or asked
    for below in part.values() if isinstance(part, dict) else part:
        if isinstance(below, dict | list):
            asked = _ask_nothing(below) or asked
    return asked


def _source(trail: list[tuple[Any, Any]], around: Any, key: Any, report: Report) -> str:
    """Of the innermost part whose source is known."""
    places = [part for part, _ in trail] + [around]
    if isinstance(around, list):
        places.append(around[key])
    for part in reversed(places):
        if id(part) in report.sources:
            return report.sources[id(part)][1]
    return ""


def _told(around: Any, key: Any, fault: FieldError) -> str:
    value = around[key]
    if isinstance(around, dict):
        what = f"`{key}` {quoted(str(value))!r}" if isinstance(value, str | int | float) else f"`{key}`"
    else:
        name = value.get("name", value.get("value", "")) if isinstance(value, dict) else value
        what = f"{quoted(str(name))!r}" if name != "" else f"this {value.get('type', 'part')}"
    return f"{what} is left out: {fault.message}"


def _compact(part: Any) -> None:
    """Takes what is gone out of the lists: until then, the places of what stays must not change."""
    for below in list(part.values()) if isinstance(part, dict) else part:
        if isinstance(below, dict | list):
            _compact(below)
    if isinstance(part, list):
        part[:] = [one for one in part if one is not _GONE]
