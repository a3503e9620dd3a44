"""One object of answers: the whole data of a form, a row of a matrix, a panel of a dynamic panel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from appliance.domain.answer_choice import choice_checks
from appliance.domain.answer_file import file_checks, signature_checks
from appliance.domain.answer_matrix import matrix_checks, matrixdropdown_checks, matrixdynamic_checks
from appliance.domain.answer_nested import multipletext_checks, paneldynamic_checks
from appliance.domain.answer_scale import boolean_checks, rating_checks, slider_checks
from appliance.domain.answer_text import comment_checks, text_checks
from appliance.domain.choices import has_other, stores_other_apart
from appliance.domain.element import VOICELESS, Elements, Group, Question
from appliance.domain.faults import Faults, token
from appliance.domain.field import Checks, CommentField, Context, Field, needs
from appliance.domain.node import Node
from appliance.domain.survey_core import COMMENT, TEXTS, TOTALS, is_a, properties
from appliance.domain.validator import validators
from appliance.domain.values import is_blank

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
"""What the server will compute itself: a value that a client sends is dropped."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The fields of one object of answers, and what else may stand in it.

    A check costs what was sent, not what could have been: fields without an answer are looked at only if they
    demand one.
    """

    by_key: Mapping[str, tuple[Field | CommentField, ...]]
    demanding: tuple[Field, ...]
    groups: tuple[tuple[tuple[str, ...], str], ...]
    """Of each required panel: the names of its answers, and the message if there is none."""
    computed: frozenset[str]
    voiceless: frozenset[str]

    @property
    def demands(self) -> bool:
        """Whether an empty object of answers can be wrong."""
        return bool(self.demanding or self.groups)

    def check(self, data: object, at: str, faults: Faults) -> dict[str, Any]:
        """The answers as stored. Adds a fault for all that does not belong there or breaks a rule."""
        if not isinstance(data, dict):
            faults.add(at, needs("an object", data))
            return {}
        out: dict[str, Any] = {}
        for name in data:
            fields = self.by_key.get(name)
            if fields is not None:
                for field in fields:
                    field.check(data, at, faults, out)
            elif name not in self.computed:
                faults.add(at + token(name), self._unknown(name))
        for field in self.demanding:
            if field.question.key not in data:
                field.check(data, at, faults, out)
        for keys, message in self.groups:
            if all(is_blank(data.get(key)) for key in keys):
                faults.add(at + token(keys[0]), message)
        return out

    def _unknown(self, name: str) -> str:
        if name in self.voiceless:
            return "this element only shows something; it holds no answer"
        return "no question has this name"


def build_scope(elements: Elements, context: Context, computed: frozenset[str] = frozenset()) -> Scope:
    uses = Counter(one.key for one in elements.questions)
    context = replace(context, shared=frozenset(key for key, count in uses.items() if count > 1))
    by_key: dict[str, tuple[Field | CommentField, ...]] = {}
    fields = [_field(one, context) for one in elements.questions if one.kind in _CHECKS]
    for one in fields:
        by_key[one.question.key] = (*by_key.get(one.question.key, ()), one)
        if has_comment(one.question.node, context):
            key = one.question.key + COMMENT
            by_key.setdefault(key, (CommentField(key, context.max_comment),))
    return Scope(
        by_key,
        tuple(one for one in fields if one.demands),
        tuple(_group(one, context) for one in elements.groups if one.is_required and _can_answer(one)),
        computed | _derived(elements),
        frozenset(one.key for one in elements.questions if one.kind in VOICELESS),
    )


def _field(question: Question, context: Context) -> Field:
    node = question.node
    required = node.text("requiredErrorText", context.locale) or TEXTS["requiredError"]
    return Field(
        question,
        _CHECKS[question.kind](question, context),
        validators(node.values.get("validators", ()), context.locale),
        required if question.is_required else None,
        token(question.key),
    )


def _can_answer(group: Group) -> bool:
    """A required panel of nothing but texts and pictures asks for nothing."""
    return any(one.kind in _CHECKS for one in group.questions)


def _group(group: Group, context: Context) -> tuple[tuple[str, ...], str]:
    text = group.node.text("requiredErrorText", context.locale) or TEXTS["requiredErrorInPanel"]
    return tuple(one.key for one in group.questions if one.kind in _CHECKS), text


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
