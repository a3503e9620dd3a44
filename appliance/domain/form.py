"""A form: its definition read, checked and made ready to judge answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from appliance.domain.actions import Action, actions
from appliance.domain.bounds import check_bounds, name_of
from appliance.domain.calculated import CalculatedValue, calculations
from appliance.domain.definition import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_TEXT,
    check_definition,
    top_elements,
)
from appliance.domain.element import Elements, collect
from appliance.domain.faults import Faults
from appliance.domain.field import Context
from appliance.domain.language import default_of, languages
from appliance.domain.leaps import Leaps, leaps
from appliance.domain.node import Node
from appliance.domain.reading import read_survey
from appliance.domain.scope import Scope
from appliance.domain.scope_build import build_scope
from appliance.domain.triggers import switches
from appliance.domain.values import js_text

ROOT = "/definition"
DETAIL = "The definition is not valid"


@dataclass(frozen=True, slots=True)
class Form:
    """What a definition means. Keep it: compiling costs milliseconds, checking an answer microseconds."""

    survey: Node
    elements: Elements
    """Pages and panels opened; matrices and dynamic panels keep their own."""
    context: Context
    scope: Scope
    calculations: tuple[CalculatedValue, ...]
    """In the order in which they are computed: what one is made of comes before it."""
    languages: Mapping[str, str]
    """Those that it can speak, by their names in lower case."""
    actions: tuple[Action, ...] = ()
    """Triggers that set values."""
    watched: frozenset[str] = frozenset()
    """Names of computed values that these ask for."""
    leaps: Leaps | None = None
    """Triggers that go past pages."""


def compile_definition(definition: Mapping[str, object]) -> Form:
    """Raises Invalid with every fault (at most faults.MOST), each at its JSON Pointer below /definition."""
    faults = Faults()
    if not isinstance(definition, dict):
        faults.add(ROOT, f"an object is needed, not {name_of(definition)}")
        faults.raise_any(DETAIL)
    check_bounds(definition, ROOT, faults, depth=MAX_DEPTH, text=MAX_TEXT)
    faults.raise_any(DETAIL)
    size = len(json.dumps(definition, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_BYTES:
        faults.add(ROOT, f"{size} bytes of JSON; a definition may have {MAX_BYTES}")
        faults.raise_any(DETAIL)
    survey = read_survey(definition, ROOT, faults)
    check_definition(survey, faults)
    faults.raise_any(DETAIL)
    return _compile(survey)


def _compile(survey: Node) -> Form:
    read_only = survey.flag("readOnly") or survey.values.get("mode") == "display"
    elements = collect(top_elements(survey), exempt=read_only, switched=_switched(survey))
    context = Context(
        language=default_of(survey),
        max_text=int(survey.value("maxTextLength")),
        max_comment=int(survey.value("maxCommentLength")),
        store_others=survey.flag("storeOthersAsComment"),
        clears=survey.text("clearInvisibleValues") or "onComplete",
        build=build_scope,
        targets=frozenset(_targets(survey)),
        form={one.name: one for one in elements.questions},
    )
    scope = build_scope(elements, context, _computed(survey), switches(survey.nodes("triggers")))
    found = actions(survey.nodes("triggers"))
    asked = frozenset(name for one in found for name in one.uses)
    watched = frozenset(one.key for one in scope.makers if one.key.lower() in asked)
    values = calculations(survey.nodes("calculatedValues"))
    acting = found if watched else ()
    past = leaps(survey, elements, scope.logic, values)
    return Form(survey, elements, context, scope, values, languages(survey), acting, watched, past)


def _switched(survey: Node) -> frozenset[str]:
    """Names of pages and questions in triggers of type `visible`."""
    found: set[str] = set()
    for one in survey.nodes("triggers"):
        for name in ("pages", "questions"):
            given = one.values.get(name)
            found.update(map(js_text, given if isinstance(given, list) else ()))
    return frozenset(found)


def _computed(survey: Node) -> frozenset[str]:
    """Names that calculated values and triggers write into the data; a client's copy of them is dropped."""
    values = [
        js_text(one.values["name"])
        for one in survey.nodes("calculatedValues")
        if one.flag("includeIntoResult")
    ]
    return frozenset((*values, *_targets(survey)))


def _targets(survey: Node) -> list[str]:
    return [
        js_text(one.values["setToName"]) for one in survey.nodes("triggers") if one.values.get("setToName")
    ]
