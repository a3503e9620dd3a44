"""Answers to questions with choices: one value, or an array of them."""

from __future__ import annotations

from typing import Any

from appliance.domain.choices import (
    OTHER,
    SPECIAL,
    Choices,
    choices_of,
    has_other,
    stores_other_apart,
)
from appliance.domain.element import Question
from appliance.domain.faults import Faults
from appliance.domain.field import REFUSED, Accept, Checks, Context, Rule, needs, refuse
from appliance.domain.message import Message, Said
from appliance.domain.node import Node
from appliance.domain.offers import offer
from appliance.domain.survey_core import properties
from appliance.domain.values import same_key


def takes_many(node: Node) -> bool:
    if node.kind in ("imagepicker", "imagemap"):
        return node.flag("multiSelect")
    return node.kind in ("checkbox", "tagbox", "ranking")


def choice_checks(question: Question, context: Context) -> Checks:
    node = question.node
    offered = offer(question, context)
    choices = choices_of(question, context, carried=offered is not None and offered.source is not None)
    comment = _comment_rule(node, choices, context)
    text = Message("otherRequiredError", own=node.values.get("otherErrorText"))
    if not takes_many(node):
        return Checks(
            choices.accept,
            needs_comment=comment,
            other_text=text,
            offer=offered,
        )
    beside = context.shared.get(question.key, frozenset())
    accept = accept_many(choices, node.text("valuePropertyName"), _most(node), beside)
    few = _too_few(node)
    rules: tuple[Rule, ...] = () if few is None else (few,)
    on_empty = () if few is None else (lambda: few([]),)
    return Checks(
        accept,
        rules,
        on_empty,
        needs_comment=comment,
        other_text=text,
        offer=offered,
    )


def accept_many(choices: Choices, wrapped: str, most: int, beside: frozenset[str] = frozenset()) -> Accept:
    """An array of choices, each once; under valuePropertyName each is an object of that one name, and of
    those `beside` it, which other questions hold."""

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, list):
            return refuse(faults, path, needs("an array", value))
        if most and len(value) > most:
            return refuse(faults, path, Message("maxSelectError", (most,)))
        stored: list[object] = []
        seen: set[str] = set()
        rest: dict[str, Any] = {}
        for place, item in enumerate(value):
            at = f"{path}/{place}"
            if wrapped:
                if not isinstance(item, dict) or wrapped not in item or item.keys() - {wrapped} - beside:
                    refuse(faults, at, f"an object with the one name {wrapped!r} is needed")
                    continue
                rest, item = item, item[wrapped]
            one = choices.accept(item, at, faults)
            if one is REFUSED:
                continue
            key = same_key(one["value"] if isinstance(one, dict) else one)
            if key in seen:
                refuse(faults, at, Message("keyDuplicationError"))
            seen.add(key)
            stored.append({**rest, wrapped: one} if wrapped else one)
        return stored if len(stored) == len(value) else REFUSED

    return accept


def _most(node: Node) -> int:
    name = "maxSelectedAreas" if node.kind == "imagemap" else "maxSelectedChoices"
    if name not in properties(node.kind) or (node.kind == "ranking" and not node.flag("selectToRankEnabled")):
        return 0
    return max(int(node.value(name)), 0)


def _too_few(node: Node) -> Rule | None:
    """checkMinSelectedChoicesUnreached: also without an answer; `none` alone is always enough."""
    name = "minSelectedAreas" if node.kind == "imagemap" else "minSelectedChoices"
    least = int(node.value(name)) if name in properties(node.kind) else 0
    if least < 1:
        return None
    enough = [value for flag, value in SPECIAL.items() if flag in properties(node.kind) and node.flag(flag)]
    message = Message("minSelectError", (least,))

    wrapped = node.text("valuePropertyName") if "valuePropertyName" in properties(node.kind) else ""

    def rule(value: Any) -> Said | None:
        if len(value) == 1 and (value[0][wrapped] if wrapped else value[0]) in enough:
            return None
        return message if len(value) < least else None

    return rule


def _comment_rule(node: Node, choices: Choices, context: Context) -> Any:
    """Whether an answer lacks the text that `other` or a choice with a comment area asks for."""
    asks_other, apart = has_other(node), stores_other_apart(node, context)
    if not asks_other and not choices.explained:
        return None

    def rule(stored: Any, comment: object) -> bool:
        items = stored if isinstance(stored, list) else [stored]
        if asks_other and OTHER in items and (not apart or not comment):
            return True
        return any(choices.lacks_comment(item) for item in items)

    return rule
