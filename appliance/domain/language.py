"""In which language a form speaks to whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from appliance.domain.node import Node
from appliance.domain.survey_core import LANGUAGES, cell_properties, properties

DEFAULT: Final = ""
"""survey-core's name for the language of the definition's plain strings; its own texts are then English."""
SAME: Final = {
    "cz": "cs", "gr": "el", "rs": "sr", "ua": "uk",
    "nb": "no", "nn": "no", "my": "mm",
    "zh": "zh-cn", "zh-hans": "zh-cn", "zh-hant": "zh-tw", "zh-hk": "zh-tw", "zh-mo": "zh-tw",
}  # fmt: skip
"""Tags that survey-core (the first four) and browsers use for what survey-core has under another name."""
_NOT_NAMES: Final = frozenset({"default", "pos"})
"""Keys of a localised string that name no language."""
_KNOWN: Final = {one.lower(): one for one in LANGUAGES}


def languages(survey: Node) -> Mapping[str, str]:
    """The languages that the form can speak, by their names in lower case: those that survey-core has texts
    in, and those of the form's own strings, spelled as there."""
    used = {
        one.lower(): one for node in survey.walk() for _, value in localised(node) for one in names_in(value)
    }
    return _KNOWN | used if used.keys() - _KNOWN.keys() or used.items() - _KNOWN.items() else _KNOWN


def localised(node: Node) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Its strings that are written in several languages, by property."""
    for name, value in node.values.items():
        if isinstance(value, Mapping) and _is_localizable(node, name):
            yield name, value


def names_in(value: Mapping[str, Any]) -> Iterator[str]:
    """The languages of a localised string."""
    return (one for one in value if one not in _NOT_NAMES)


def _is_localizable(node: Node, name: str) -> bool:
    known = properties(node.kind)
    if name not in known and node.kind == "matrixdropdowncolumn":
        known = cell_properties(str(node.values.get("cellType", "dropdown")))
    return name in known and known[name].localizable


def choose(wanted: Iterable[str | None], spoken: Mapping[str, str], default: str) -> str:
    """survey-core's name of the first language wanted that is spoken, else `default`.

    `de-AT` is content with `de`, case does not matter.
    """
    for tag in wanted:
        found = _find(tag.replace("_", "-").lower(), spoken) if tag else None
        if found is not None:
            return normal(found)
    return default


def normal(name: str) -> str:
    """SurveyModel.locale: English is the default language, whatever the plain strings are written in."""
    return DEFAULT if name == "en" else name


def _find(tag: str, spoken: Mapping[str, str]) -> str | None:
    while tag:
        for name in (tag, SAME.get(tag, "")):
            if name in spoken:
                return spoken[name]
        tag = tag.rpartition("-")[0]
    return None


def default_of(survey: Node) -> str:
    given: Any = survey.values.get("locale")
    return normal(given) if isinstance(given, str) else DEFAULT
