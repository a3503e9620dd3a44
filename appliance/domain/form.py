"""A form: its definition read, checked and made ready to judge answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from appliance.domain.bounds import check_bounds, name_of
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
from appliance.domain.node import Node, read_survey
from appliance.domain.scope import Scope, build_scope
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
    elements = collect(top_elements(survey), lenient=read_only)
    context = Context(
        locale=survey.text("locale"),
        max_text=int(survey.value("maxTextLength")),
        max_comment=int(survey.value("maxCommentLength")),
        store_others=survey.flag("storeOthersAsComment"),
        build=build_scope,
    )
    return Form(survey, elements, context, build_scope(elements, context, _computed(survey)))


def _computed(survey: Node) -> frozenset[str]:
    """Names that calculated values and triggers write into the data; a client's copy of them is dropped."""
    values = [
        js_text(one.values["name"])
        for one in survey.nodes("calculatedValues")
        if one.flag("includeIntoResult")
    ]
    targets = [
        js_text(one.values["setToName"]) for one in survey.nodes("triggers") if one.values.get("setToName")
    ]
    return frozenset((*values, *targets))
