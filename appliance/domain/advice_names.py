"""Properties that name a question or a page which the form does not have, and questions without choices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.answer_table import cells
from appliance.domain.choices import has_other, listed, ranged, special
from appliance.domain.definition import top_elements
from appliance.domain.element import collect
from appliance.domain.faults import token
from appliance.domain.node import Node
from appliance.domain.survey_core import QUESTIONS, is_a
from appliance.domain.values import js_text
from appliance.errors import FieldError

_WITHIN: Final = ("panel", "row")
"""`choicesFromQuestion` may begin with these where questions stand in a dynamic panel or a row."""


@dataclass(frozen=True, slots=True)
class Known:
    """survey-core looks for elements by their exact names."""

    questions: frozenset[str]
    """Those that answer for themselves."""
    within: frozenset[str]
    """All others too: in dynamic panels, rows and columns."""
    pages: frozenset[str]


def known(survey: Node) -> Known:
    within = (node for node in survey.walk() if node.kind in QUESTIONS or node.kind == "matrixdropdowncolumn")
    pages = survey.nodes("pages")
    named = {_name(page) or f"page{number}" for number, page in enumerate(pages, 1)}
    return Known(
        frozenset(one.name for one in collect(top_elements(survey)).questions),
        frozenset(map(_name, within)),
        frozenset(named or {"page1"}),
    )


def _name(node: Node) -> str:
    return js_text(node.values.get("name", ""))


def lost_elements(survey: Node) -> Iterator[FieldError]:
    """Of `choicesFromQuestion`, `gotoName`, and the lists of triggers of type `visible`."""
    there = known(survey)
    for node in survey.walk():
        if node.kind == "visibletrigger":
            yield from _lost_of_list(node, "pages", there.pages, "page")
            yield from _lost_of_list(node, "questions", there.questions, "question")
        for name in ("choicesFromQuestion", "gotoName"):
            given = js_text(node.values.get(name, ""))
            if given and not _is_there(given, there):
                yield _lost(node.at(name), given, "question")


def _is_there(name: str, there: Known) -> bool:
    prefix, _, rest = name.partition(".")
    return name in there.questions or (prefix in _WITHIN and rest in there.within)


def _lost_of_list(node: Node, name: str, there: frozenset[str], what: str) -> Iterator[FieldError]:
    given: Any = node.values.get(name)
    for place, one in enumerate(given if isinstance(given, list) else ()):
        if js_text(one) not in there:
            yield _lost(node.at(name) + token(place), js_text(one), what)


def _lost(path: str, name: str, what: str) -> FieldError:
    return FieldError(path, f"{name[:80]!r} names no {what}")


def without_choices(survey: Node) -> Iterator[FieldError]:
    """Nobody can answer these."""
    for node in survey.walk():
        asked = [one.node for one in cells(node)] if is_a(node.kind, "matrixdropdownbase") else [node]
        for one in asked:
            if (is_a(one.kind, "selectbase") or one.kind == "imagemap") and not _offers(one):
                yield FieldError(one.path, "this question has no choices, so it cannot be answered")


def _offers(node: Node) -> bool:
    return bool(
        listed(node)
        or list(special(node))
        or has_other(node)
        or node.values.get("choicesFromQuestion")
        or node.values.get("allowCustomChoices")
        or (node.kind == "dropdown" and ranged(node))
    )
