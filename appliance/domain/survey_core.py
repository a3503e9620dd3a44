"""survey-core's own table of classes and properties (scripts/survey-core-table writes it)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Property:
    """One property. `type` is survey-core's word; `any` where it declares none: then any scalar will do."""

    name: str
    type: str
    array: bool = False
    item: str = ""
    """The one class that an object here has."""
    base: str = ""
    """Objects here name their class in `type`; it descends from this one."""
    suffix: str = ""
    localizable: bool = False
    required: bool = False
    choices: tuple[str | int | float | bool, ...] = ()
    default: Any = None


_TABLE: Final[dict[str, Any]] = json.loads(
    resources.files(__package__).joinpath("survey_core.json").read_text(encoding="utf-8")
)
VERSION: Final[str] = _TABLE["version"]
QUESTIONS: Final[frozenset[str]] = frozenset(_TABLE["questions"])
CELLS: Final[frozenset[str]] = frozenset(_TABLE["cells"])
FUNCTIONS: Final[frozenset[str]] = frozenset(_TABLE["functions"])
_TEXTS: Final[dict[str, dict[str, str]]] = json.loads(
    resources.files(__package__).joinpath("survey_core_texts.json").read_text(encoding="utf-8")
)["texts"]
LANGUAGES: Final = tuple(_TEXTS)
"""Those that survey-core has texts in, by its own names."""
VARIABLES: Final[frozenset[str]] = frozenset(_TABLE["variables"])
"""Names that mean something in expressions before any question; in lower case."""
COMMENT: Final[str] = _TABLE["suffixes"]["comment"]
TOTALS: Final[str] = _TABLE["suffixes"]["totals"]
MAX_ROUNDS: Final[int] = _TABLE["limits"]["rounds"]
"""How often conditions run anew because a condition changed a value."""
MAX_PANELS: Final[int] = _TABLE["limits"]["panels"]
MAX_RATES: Final[int] = _TABLE["limits"]["rates"]
MAX_ROWS: Final[int] = _TABLE["limits"]["rows"]


def text(name: str, language: str) -> str:
    """surveyLocalization.getString: in the language, else in that which it is a dialect of, else English."""
    root = language.partition("-")[0]
    return next(
        (found for one in (language, root, "en") if (found := _TEXTS.get(one, {}).get(name)) is not None), ""
    )


def is_class(kind: str) -> bool:
    return kind in _TABLE["classes"]


@cache
def is_a(kind: str, ancestor: str) -> bool:
    found: str | None = kind
    while found is not None and found != ancestor:
        found = _TABLE["classes"].get(found, {}).get("parent")
    return found is not None


@cache
def properties(kind: str) -> Mapping[str, Property]:
    """By every name that survey-core reads: its own and the older alternative."""
    row = _TABLE["classes"].get(kind)
    if row is None:
        return {}
    found = dict(properties(row["parent"])) if "parent" in row else {}
    for name, spec in row["properties"].items():
        found[name] = one = _property(name, spec)
        if "alias" in spec:
            found[spec["alias"]] = one
    return found


@cache
def cell_properties(cell: str) -> Mapping[str, Property]:
    """What a matrix column takes: its own properties, and those of the question in its cells."""
    return {**properties(cell), **properties("matrixdropdowncolumn")}


def _property(name: str, spec: Mapping[str, Any]) -> Property:
    return Property(
        name=name,
        type=spec["type"],
        array=spec.get("array", False),
        item=spec.get("class", ""),
        base=spec.get("base", ""),
        suffix=spec.get("suffix", ""),
        localizable=spec.get("localizable", False),
        required=spec.get("required", False),
        choices=tuple(spec.get("choices", ())),
        default=spec.get("default"),
    )
