"""The values that a question with choices takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.element import Question
from appliance.domain.faults import Faults
from appliance.domain.field import Context, needs, refuse
from appliance.domain.message import Message
from appliance.domain.node import Node
from appliance.domain.survey_core import properties
from appliance.domain.values import js_text, same_key
from appliance.domain.view import PartView, View

OTHER: Final = "other"
SPECIAL: Final = {"showNoneItem": "none", "showRefuseItem": "refused", "showDontKnowItem": "dontknow"}
MAX_CHOICES: Final = 5_000

_NO_SPECIAL: Final = frozenset({"ranking", "imagepicker", "imagemap", "buttongroup"})
_LIST: Final = {"imagemap": "areas"}


@dataclass(frozen=True, slots=True)
class Choices:
    """Values by what survey-core holds equal. `by_key` None: another question has them, any scalar does."""

    by_key: dict[str, object] | None
    texts: frozenset[str]
    """Those that are strings, for the first look."""
    free: bool
    """A value of one's own is welcome: a custom choice, or the text of `other` in its place."""
    commented: frozenset[str]
    """Keys of choices whose value may come as {value, comment}."""
    explained: frozenset[str]
    """Of these, the ones that need their comment."""

    def accept(self, value: Any, path: str, faults: Faults) -> object:
        if type(value) is str and value in self.texts:
            return value
        if isinstance(value, dict) and self.commented:
            return self._accept_commented(value, path, faults)
        if isinstance(value, dict | list):
            return refuse(faults, path, needs("a single value", value))
        if self.by_key is None:
            return value
        found = self.by_key.get(same_key(value))
        if found is not None:
            return found
        if self.free and not isinstance(value, bool):
            return value
        return refuse(faults, path, Message("variableValueNotInChoices", (value,)))

    def _accept_commented(self, value: dict[str, Any], path: str, faults: Faults) -> object:
        extra = next((key for key in value if key not in ("value", "comment")), None)
        comment = value.get("comment")
        if extra is not None or isinstance(value.get("value"), dict | list):
            return refuse(faults, path, "a choice with a comment is {value, comment}")
        if comment is not None and not isinstance(comment, str):
            return refuse(faults, f"{path}/comment", needs("a string", comment))
        known = self.accept(value.get("value"), f"{path}/value", faults)
        if not isinstance(known, str | int | float | bool):
            return known
        return (
            {"value": known, "comment": comment} if comment and same_key(known) in self.commented else known
        )

    def lacks_comment(self, value: object) -> bool:
        """Whether this stored value is one that needs a comment and has none."""
        return bool(self.explained) and not isinstance(value, dict) and same_key(value) in self.explained


def choices_of(question: Question, context: Context, *, carried: bool | None = None) -> Choices:
    """`carried`: another question has them; None where that is not known, if the form says so."""
    node = question.node
    given = list(listed(node))
    by_key = {same_key(value): value for value in (*values_of(node), *special(node))}
    commented = [item for item in given if item.values.get("showCommentArea")]
    stores_other_here = has_other(node) and not stores_other_apart(node, context)
    if carried is None:
        carried = bool(node.values.get("choicesFromQuestion"))
    is_open = carried or question.key in context.shared
    return Choices(
        None if is_open else by_key,
        frozenset() if is_open else frozenset(value for value in by_key.values() if isinstance(value, str)),
        stores_other_here or bool(node.values.get("allowCustomChoices")),
        frozenset(same_key(item.values["value"]) for item in commented),
        frozenset(
            same_key(item.values["value"]) for item in commented if item.values.get("isCommentRequired")
        ),
    )


def has_other(node: Node) -> bool:
    return (
        node.kind not in _NO_SPECIAL
        and "showOtherItem" in properties(node.kind)
        and node.flag("showOtherItem")
    )


def stores_other_apart(node: Node, context: Context) -> bool:
    """QuestionSelectBase.getStoreOthersAsComment: `other` is stored as such and its text as the comment."""
    if node.values.get("showCommentArea"):
        return False
    if any(item.values.get("showCommentArea") for item in listed(node)):
        return True
    own = node.values.get("storeOthersAsComment", "default")
    return context.store_others if own == "default" else bool(own)


def listed(node: Node) -> list[Node]:
    return node.nodes(_LIST.get(node.kind, "choices"))


def values_of(node: Node) -> Iterator[object]:
    """Its own, without those that a question adds by itself."""
    yield from (item.values["value"] for item in listed(node))
    if node.kind == "dropdown":
        step = node.value("choicesStep") or 1
        for place in range(ranged(node)):
            yield node.value("choicesMin") + place * step


def ranged(node: Node) -> int:
    """How many choices there are from choicesMin to choicesMax."""
    known = properties("dropdown")
    low, high, step = (
        node.values.get(name, known[name].default) for name in ("choicesMin", "choicesMax", "choicesStep")
    )
    if high <= low or step < 0:
        return 0
    return int(min((high - low) / (step or 1), MAX_CHOICES - 1)) + 1


def special(node: Node) -> Iterator[object]:
    if node.kind in _NO_SPECIAL:
        return
    known = properties(node.kind)
    yield from (value for name, value in SPECIAL.items() if name in known and node.flag(name))
    if has_other(node):
        yield OTHER


def choice_text(value: object) -> str:
    return js_text(value["value"] if isinstance(value, dict) and "value" in value else value)


def choice_view(view: View, value: object) -> View:
    """What the condition of a choice, row or column sees."""
    return PartView(view, "", {}, {}, {"item": value, "choice": value, "self": value})
