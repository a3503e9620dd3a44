"""The questions of a form, the panels and pages that hold them, and what a verdict needs to know of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from appliance.domain.node import Node
from appliance.domain.survey_core import is_a, properties
from appliance.domain.values import js_text

VOICELESS: Final = frozenset({"html", "image"})
"""Presentation: these never hold an answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, a matrix column or an item of a multipletext.

    `conditional`: it or something around it has a visibleIf or enableIf, so whether it must be answered is
    not known without evaluating conditions. `lenient`: conditional, hidden or read-only: only the type of an
    answer is checked.
    """

    name: str
    key: str
    """The name its answer has in the data: valueName, else the name."""
    kind: str
    node: Node
    conditional: bool = False
    lenient: bool = False
    hidden: bool = False
    """It or a panel around it has `visible: false`."""

    @property
    def expressions(self) -> Mapping[str, str]:
        """Its conditions and expressions, raw, by property."""
        return expressions(self.node)

    @property
    def is_required(self) -> bool:
        """Required whatever else was answered; requiredIf overrides isRequired in survey-core."""
        return self.node.flag("isRequired") and not self.lenient and "requiredIf" not in self.node.values


@dataclass(frozen=True, slots=True)
class Group:
    """A panel or a page with all questions below it."""

    node: Node
    questions: tuple[Question, ...]
    conditional: bool
    lenient: bool

    @property
    def is_required(self) -> bool:
        """At least one question in it has to be answered."""
        asked = any(not one.conditional and not one.hidden for one in self.questions)
        return (
            asked
            and not self.lenient
            and self.node.flag("isRequired")
            and "requiredIf" not in self.node.values
        )


@dataclass(frozen=True, slots=True)
class Elements:
    """All that share one object of answers, in the form's order."""

    questions: tuple[Question, ...]
    groups: tuple[Group, ...]


def expressions(node: Node) -> dict[str, str]:
    known = properties(node.kind)
    return {
        name: value
        for name, value in node.values.items()
        if isinstance(value, str)
        and value
        and name in known
        and known[name].type in ("condition", "expression")
    }


def question(
    node: Node,
    kind: str | None = None,
    *,
    conditional: bool = False,
    lenient: bool = False,
    hidden: bool = False,
) -> Question:
    """The question that `node` describes; `kind` says which one a matrix column or a multipletext item is."""
    name = js_text(node.values.get("name", ""))
    node = replace(node, kind=kind or node.kind)
    conditional = conditional or _has_condition(node)
    hidden = hidden or _is_hidden(node)
    lenient = lenient or conditional or hidden or _is_read_only(node)
    return Question(
        name, js_text(node.values.get("valueName") or name), node.kind, node, conditional, lenient, hidden
    )


def collect(
    nodes: Iterable[Node], *, conditional: bool = False, lenient: bool = False, hidden: bool = False
) -> Elements:
    """Questions below `nodes`, panels opened; those of a matrix or a dynamic panel stay inside of it."""
    questions: list[Question] = []
    groups: list[Group] = []
    for node in nodes:
        if is_a(node.kind, "panelbase"):
            below = _open_panel(node, conditional, lenient, hidden)
        else:
            questions.append(question(node, conditional=conditional, lenient=lenient, hidden=hidden))
            below = collect(_within_choices(node), conditional=True, lenient=True)
        questions.extend(below.questions)
        groups.extend(below.groups)
    return Elements(tuple(questions), tuple(groups))


def _open_panel(node: Node, conditional: bool, lenient: bool, hidden: bool) -> Elements:
    conditional = conditional or _has_condition(node)
    hidden = hidden or _is_hidden(node)
    lenient = lenient or conditional or hidden or _is_read_only(node)
    below = collect(node.nodes("elements"), conditional=conditional, lenient=lenient, hidden=hidden)
    return Elements(below.questions, (*below.groups, Group(node, below.questions, conditional, lenient)))


def _within_choices(node: Node) -> Iterator[Node]:
    """Elements that show once their choice is taken."""
    if is_a(node.kind, "selectbase"):
        for choice in node.nodes("choices"):
            yield from choice.values.get("elements", ())


def _has_condition(node: Node) -> bool:
    return bool(node.values.get("visibleIf") or node.values.get("enableIf"))


def _is_hidden(node: Node) -> bool:
    return node.values.get("visible") is False


def _is_read_only(node: Node) -> bool:
    """survey-core does not validate what nobody can change."""
    return node.values.get("readOnly") is True
