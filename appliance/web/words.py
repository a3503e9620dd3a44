"""The pages' own words, by language, and which language a visitor gets.

survey-core brings the words of the questions' controls in some fifty languages; the page's few others are in
texts/: one that a language lacks is English.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from appliance.domain.language import SAME, localised, names_in
from appliance.domain.node import Node
from appliance.web import built

ENGLISH: Final = "en"
_TEXTS: Final = Path(__file__).parent / "texts"
_QUALITY: Final = re.compile(
    r"\s*([A-Za-z0-9-]{1,35})\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?"
)
_MOST_ASKED: Final = 20
"""Languages of an Accept-Language that are looked at."""


@functools.cache
def texts(language: str) -> Mapping[str, str]:
    """All words in a language."""
    english: dict[str, str] = _read(ENGLISH)
    return english | {key: text for name in _lineage(language) for key, text in _read(name).items()}


def _read(language: str) -> dict[str, str]:
    path = _TEXTS / f"{language}.json"
    return msgspec.json.decode(path.read_bytes(), type=dict[str, str]) if path.is_file() else {}


def choose(asked: str | None, accepted: str, offered: Iterable[str], wanted: str | None) -> str:
    """The language of a page: what the address asks for, else the first of the browser's that the form is
    `offered` in, else what the form is `wanted` in. A form that says nothing of languages gets the browser's.
    """
    if (named := known(asked)) is not None:
        return named
    mine = [found for each in preferences(accepted) if (found := known(each)) is not None]
    there = set(offered)
    for language in mine:
        if language in there:
            return language
    default = known(wanted)
    if default is not None or there:
        return default or ENGLISH
    return mine[0] if mine else ENGLISH


def known(language: str | None) -> str | None:
    """How survey-core names it, or the nearest that it has: `de-AT` is `de`."""
    return next((name for name in _lineage(language or "") if name in built.manifest().languages), None)


def _lineage(language: str) -> list[str]:
    """From the nearest to the widest."""
    names: list[str] = []
    parts = language.split("-")
    for length in range(len(parts), 0, -1):
        name = "-".join(parts[:length])
        names += [name, name.lower(), SAME.get(name.lower(), "")]
    return [name for name in names if name]


def preferences(accepted: str) -> list[str]:
    """The languages of an Accept-Language header, the dearest first (RFC 9110, 12.5.4)."""
    weighed = []
    for each in accepted.split(",")[:_MOST_ASKED]:
        found = _QUALITY.fullmatch(each)
        if found is not None and (weight := float(found[2] or 1)) > 0:
            weighed.append((weight, found[1]))
    return [name for _, name in sorted(weighed, key=lambda pair: -pair[0])]


def spoken(survey: Node) -> frozenset[str]:
    """The languages that a definition has texts in, besides its default one."""
    named = {known(one) for node in survey.walk() for _, value in localised(node) for one in names_in(value)}
    return frozenset(one for one in named if one is not None)
