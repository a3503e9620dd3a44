"""A Scope made from the elements that share one object of answers: what follows from the definition, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from appliance.domain.answer_choice import choice_checks, takes_many
from appliance.domain.answer_file import file_checks, signature_checks
from appliance.domain.answer_matrix import matrix_checks
from appliance.domain.answer_nested import multipletext_checks, paneldynamic_checks, template
from appliance.domain.answer_scale import boolean_checks, rating_checks, slider_checks
from appliance.domain.answer_table import matrixdropdown_checks, matrixdynamic_checks, row_elements
from appliance.domain.answer_text import comment_checks, text_checks
from appliance.domain.choices import has_other, stores_other_apart
from appliance.domain.element import VOICELESS, Elements, Group, Question
from appliance.domain.faults import token
from appliance.domain.field import Checks, CommentField, Context, Field
from appliance.domain.logic import Logic, Switch, build_logic
from appliance.domain.makers import clearing, makers
from appliance.domain.message import Message
from appliance.domain.node import Node
from appliance.domain.scope import RequiredGroup, Scope
from appliance.domain.showing import demands_of
from appliance.domain.survey_core import COMMENT, TOTALS, is_a, properties
from appliance.domain.triggers import setters
from appliance.domain.validator import validators
from appliance.domain.values import js_text
from appliance.domain.view import Known

_CHECKS: Final[Mapping[str, Callable[[Question, Context], Checks]]] = {
    "boolean": boolean_checks,
    "comment": comment_checks,
    "file": file_checks,
    "matrix": matrix_checks,
    "matrixdropdown": matrixdropdown_checks,
    "matrixdynamic": matrixdynamic_checks,
    "multipletext": multipletext_checks,
    "paneldynamic": paneldynamic_checks,
    "rating": rating_checks,
    "signaturepad": signature_checks,
    "slider": slider_checks,
    "text": text_checks,
    **dict.fromkeys(
        ("buttongroup", "checkbox", "dropdown", "imagemap", "imagepicker", "radiogroup", "ranking", "tagbox"),
        choice_checks,
    ),
}


COMPUTED: Final = frozenset({"expression"})
"""What the server computes itself: a value that a client sends is dropped."""


def build_scope(
    elements: Elements,
    context: Context,
    computed: frozenset[str] = frozenset(),
    switches: Mapping[str, list[Switch]] | None = None,
) -> Scope:
    siblings = {one.name: one for one in elements.questions}
    context = replace(context, shared=_shared(elements), siblings=siblings)
    within = replace(context, depth=context.depth + 1)
    logic = build_logic(elements)
    by_key: dict[str, tuple[Field | CommentField, ...]] = {}
    fields = [_field(one, within, logic) for one in elements.questions if one.kind in _CHECKS]
    logic.also.update(demands_of(fields, logic))
    logic.switched.update(_switched(elements, logic, switches or {}))
    logic.settle()
    for one in fields:
        by_key[one.question.key] = (*by_key.get(one.question.key, ()), one)
        if has_comment(one.question.node, context):
            key = one.question.key + COMMENT
            by_key.setdefault(key, (CommentField(key, context.max_comment),))
    return Scope(
        by_key,
        {key: found for key in by_key if (found := _speaking(by_key[key]))},
        tuple(one for one in fields if one.demands),
        tuple(one for one in fields if one.checks.unanswered is not None),
        tuple(one for one in fields if one.checks.offer is not None and one.checks.offer.given_by),
        tuple(_group(one, logic) for one in elements.groups if _may_be_required(one)),
        computed | _derived(elements),
        frozenset(one.key for one in elements.questions if one.kind in VOICELESS),
        {one.key.lower(): _known(one) for one in elements.questions},
        logic,
        tuple(makers(elements, by_key, logic, context)),
        tuple(clearing(elements, by_key, logic, context)),
        setters(fields) if context.depth == 0 else (),
        {one.question.key: one for one in reversed(fields)},
        tuple(logic.slots[one.node.path] for one in elements.questions),
    )


def _shared(elements: Elements) -> dict[str, frozenset[str]]:
    uses = Counter(one.key for one in elements.questions)
    found: dict[str, frozenset[str]] = {}
    for one in elements.questions:
        if uses[one.key] > 1:
            found[one.key] = found.get(one.key, frozenset()) | _names_within(one)
    return found


def _names_within(question: Question) -> frozenset[str]:
    """Of a question whose answer is a list of objects."""
    node = question.node
    if question.kind == "paneldynamic":
        asked = template(node).questions
    elif question.kind == "matrixdynamic":
        asked = row_elements(node).questions
    else:
        wrapped = "valuePropertyName" in properties(node.kind) and node.text("valuePropertyName")
        return frozenset([wrapped]) if wrapped else frozenset()
    return frozenset(name for one in asked for name in (one.key, one.key + COMMENT, one.key + TOTALS))


def _switched(
    elements: Elements, logic: Logic, switches: Mapping[str, list[Switch]]
) -> dict[int, list[Switch]]:
    pages = (one.node for one in elements.groups if one.node.kind == "page")
    nodes = (*pages, *(one.node for one in elements.questions))
    names = ((logic.slots[node.path], js_text(node.values.get("name", ""))) for node in nodes)
    return {slot: switches[name] for slot, name in names if name in switches}


def _known(question: Question) -> Known:
    node, kind = question.node, question.kind
    wrapped = node.text("valuePropertyName") if "valuePropertyName" in properties(kind) else ""
    many = (takes_many(node) and kind != "imagemap") or (
        kind == "slider" and node.text("sliderType") == "range"
    )
    table = kind in ("matrix", "multipletext")
    return Known(question.key, wrapped, many, kind == "ranking", table, kind == "paneldynamic")


def _field(question: Question, context: Context, logic: Logic) -> Field:
    node = question.node
    slot = logic.slots[node.path]
    rule = logic.rules[slot]
    return Field(
        question,
        _CHECKS[question.kind](question, context),
        validators(node.nodes("validators")),
        Message("requiredError", own=node.values.get("requiredErrorText")),
        rule.required if rule.required_if is None else True,
        any(one.kind == "expressionvalidator" for one in node.nodes("validators")),
        slot,
        token(question.key),
    )


def _speaking(fields: tuple[Field | CommentField, ...]) -> tuple[Field, ...]:
    return tuple(one for one in fields if isinstance(one, Field) and one.speaks)


def _may_be_required(group: Group) -> bool:
    return not group.exempt and (group.node.flag("isRequired") or bool(group.node.values.get("requiredIf")))


def _group(group: Group, logic: Logic) -> RequiredGroup:
    text = Message("requiredErrorInPanel", own=group.node.values.get("requiredErrorText"))
    members = tuple(
        (_known(one), logic.slots[one.node.path], one.kind not in VOICELESS) for one in group.questions
    )
    return RequiredGroup(logic.slots[group.node.path], members, text)


def _derived(elements: Elements) -> frozenset[str]:
    """Names whose values follow from others: expression questions, totals of matrix columns."""
    found = {one.key for one in elements.questions if one.kind in COMPUTED}
    for one in elements.questions:
        if is_a(one.kind, "matrixdropdownbase") and any(map(_has_total, one.node.nodes("columns"))):
            found.add(one.key + TOTALS)
    return frozenset(found)


def _has_total(column: Node) -> bool:
    return bool(column.values.get("totalExpression")) or column.values.get("totalType", "none") != "none"


def has_comment(node: Node, context: Context) -> bool:
    if "showCommentArea" in properties(node.kind) and node.flag("showCommentArea"):
        return True
    return is_a(node.kind, "selectbase") and has_other(node) and stores_other_apart(node, context)
