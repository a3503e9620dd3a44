"""What is odd about a definition although it is valid: it will not do what whoever wrote it seems to mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from appliance.domain.advice_names import lost_elements, without_choices
from appliance.domain.definition import top_elements
from appliance.domain.element import collect
from appliance.domain.expression import Name, walk
from appliance.domain.expression_check import with_cells, written
from appliance.domain.expression_parser import parse_expression
from appliance.domain.faults import MOST, token
from appliance.domain.form import Form
from appliance.domain.language import localised, names_in
from appliance.domain.naming import MAX_NAME
from appliance.domain.node import Node
from appliance.domain.reference import reference
from appliance.domain.survey_core import COMMENT, LANGUAGES, TOTALS, VARIABLES, is_a
from appliance.domain.values import js_text
from appliance.errors import FieldError

_PARTS: Final = frozenset(
    "item choice self row panel matrix parentpanel prevrow nextrow prevpanel nextpanel rowindex rowname"
    " rowvalue rowtitle visiblerowindex panelindex visiblepanelindex survey composite".split()
)
"""What else names may begin with: survey-core's words for where an expression stands."""


def advice(form: Form) -> list[FieldError]:
    """At most MOST remarks, each at its place below /definition."""
    survey = form.survey
    names = (*_lost_names(survey), *_lost_values(survey), *lost_elements(survey))
    return [*names, *without_choices(survey), *_silent(survey), *_languages(survey)][:MOST]


def _asked_for(survey: Node) -> Iterator[tuple[Node, str, set[str]]]:
    """Each expression by its object and property, with the names in it."""
    for node, cell in with_cells(survey):
        for name, text in written(node, cell):
            used = {one.name for one in walk(parse_expression(text)) if isinstance(one, Name)}
            yield node, name, used


def _lost_names(survey: Node) -> Iterator[FieldError]:
    known = _names(survey) | _set(survey)
    for node, name, used in _asked_for(survey):
        for lost in sorted(one for one in used if not _leads_somewhere(one, known)):
            yield FieldError(node.at(name), f"{{{lost[:80]}}} names no question and no calculated value")


def _lost_values(survey: Node) -> Iterator[FieldError]:
    """Of triggers: what they read, and what they set for no question and no expression."""
    known = _names(survey)
    readable = known | _set(survey)
    used = frozenset(one.lower() for _, _, names in _asked_for(survey) for one in names)
    for node in survey.nodes("triggers"):
        targets = readable if node.values.get("isVariable") else known | used
        reads = ("fromName",) if node.values.get("expression") else ("fromName", "name")
        for name, there in (*((one, readable) for one in reads), ("setToName", targets)):
            given = js_text(node.values.get(name, ""))
            if given and not _leads_somewhere(given, there):
                yield FieldError(node.at(name), f"{given[:80]!r} names no question and no calculated value")


def _set(survey: Node) -> frozenset[str]:
    """What triggers set, whether it is a question or not."""
    return frozenset(js_text(one.values.get("setToName", "")).lower() for one in survey.nodes("triggers"))


def _leads_somewhere(name: str, known: frozenset[str]) -> bool:
    """Names may have dots themselves, and may be followed by more."""
    found = reference(name)
    start = ""
    for step, _ in found.path:
        start += step.lower()
        if start in known:
            return True
        if len(start) > MAX_NAME:
            break
        start += "."
    return found.literal is not None


def _names(survey: Node) -> frozenset[str]:
    """All that anything in the form is called: within sumInArray the names of rows stand alone."""
    found = {one.key for one in collect(top_elements(survey)).questions}
    for node in survey.walk():
        if is_a(node.kind, "trigger"):  # in older forms `name` is a question's
            continue
        found |= {js_text(node.values[name]) for name in ("name", "valueName") if name in node.values}
        if "valuePropertyName" in node.values:
            found.add(node.text("valuePropertyName"))
    found |= {name + end for name in found for end in (COMMENT, TOTALS)}
    return frozenset(name.lower() for name in found) | _PARTS | VARIABLES


def _silent(survey: Node) -> Iterator[FieldError]:
    for node in survey.walk():
        if node.kind == "regexvalidator" and not node.values.get("text"):
            yield FieldError(
                node.path, "without `text` survey-core says nothing when the pattern does not match"
            )


def _languages(survey: Node) -> Iterator[FieldError]:
    told: set[str] = set()
    locale = survey.values.get("locale")
    if isinstance(locale, str) and locale:
        yield from _unknown(locale, survey.at("locale"), told)
    for node in survey.walk():
        for name, value in localised(node):
            for one in names_in(value):
                yield from _unknown(one, node.at(name) + token(one), told)


def _unknown(language: str, path: str, told: set[str]) -> Iterator[FieldError]:
    root = language.partition("-")[0]
    if language not in told and language not in LANGUAGES and root not in LANGUAGES:
        told.add(language)
        yield FieldError(
            path, f"survey-core has no texts in {language[:35]!r}: its own messages will be English"
        )
