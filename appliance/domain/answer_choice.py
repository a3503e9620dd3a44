"""Answers to questions with choices: one value, or an array of them."""

from __future__ import annotations

from typing import Any

from appliance.domain.choices import OTHER, SPECIAL, Choices, choices_of, has_other, stores_other_apart
from appliance.domain.element import Question
from appliance.domain.faults import Faults
from appliance.domain.field import REFUSED, Accept, Checks, Context, Rule, needs, refuse
from appliance.domain.node import Node
from appliance.domain.survey_core import TEXTS, properties
from appliance.domain.values import fill, same_key


def takes_many(node: Node) -> bool:
    if node.kind in ("imagepicker", "imagemap"):
        return node.flag("multiSelect")
    return node.kind in ("checkbox", "tagbox", "ranking")


def choice_checks(question: Question, context: Context) -> Checks:
    node = question.node
    choices = choices_of(question, context)
    comment, text = _comment_rule(node, choices, context), ""
    if comment is not None:
        text = node.text("otherErrorText", context.locale) or TEXTS["otherRequiredError"]
    if not takes_many(node):
        return Checks(choices.accept, needs_comment=comment, other_text=text)
    accept = accept_many(choices, node.text("valuePropertyName"), _most(node))
    few = _too_few(node)
    rules: tuple[Rule, ...] = () if few is None else (few,)
    on_empty = () if few is None else (lambda: few([]),)
    return Checks(accept, rules, on_empty, needs_comment=comment, other_text=text)


def accept_many(choices: Choices, wrapped: str, most: int) -> Accept:
    """An array of choices, each once; under valuePropertyName each is an object of that one name."""

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, list):
            return refuse(faults, path, needs("an array", value))
        if most and len(value) > most:
            return refuse(faults, path, fill(TEXTS["maxSelectError"], most))
        stored: list[object] = []
        seen: set[str] = set()
        for place, item in enumerate(value):
            at = f"{path}/{place}"
            if wrapped:
                if not isinstance(item, dict) or list(item) != [wrapped]:
                    refuse(faults, at, f"an object with the one name {wrapped!r} is needed")
                    continue
                item = item[wrapped]
            one = choices.accept(item, at, faults)
            if one is REFUSED:
                continue
            key = same_key(one["value"] if isinstance(one, dict) else one)
            if key in seen:
                refuse(faults, at, TEXTS["keyDuplicationError"])
            seen.add(key)
            stored.append({wrapped: one} if wrapped else one)
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
    message = fill(TEXTS["minSelectError"], least)

    def rule(value: Any) -> str | None:
        if len(value) == 1 and value[0] in enough:
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
