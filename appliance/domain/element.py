"""The questions of a form, the panels and pages that hold them, and what a verdict needs to know of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from appliance.domain.node import Node
from appliance.domain.survey_core import is_a, properties
from appliance.domain.values import js_text

OPENING: Final = frozenset({"checkbox", "radiogroup"})
"""What may have questions in its choices."""
VOICELESS: Final = frozenset({"html", "image"})
"""Presentation: these never hold an answer."""


_CONDITIONS: Final = (
    "visibleIf", "enableIf", "hideIfChoicesEmpty", "hideIfRowsEmpty", "choicesFromQuestion",
    "resetValueIf", "setValueIf", "setValueExpression",
)  # fmt: skip
"""What other answers decide: whether a question shows, can be changed, and what is left of its answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, a matrix column or an item of a multipletext.

    `conditional`: it or something around it has a visibleIf, enableIf or the like, so whether it must be
    answered is not known without evaluating conditions. `lenient`: conditional, hidden or read-only: only the
    type of an answer is checked.
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
    exempt: bool = False
    """Never held to more than its type: the survey is read-only."""
    around: tuple[Node, ...] = ()
    """The page and the panels that it stands in, from the outside."""
    role: str = ""
    """`cell` of a matrix, `detail` of one of its rows, `opened` by a choice, or nothing of these."""

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
    exempt: bool = False
    around: tuple[Node, ...] = ()

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
    exempt: bool = False,
    around: tuple[Node, ...] = (),
) -> Question:
    """The question that `node` describes; `kind` says which one a matrix column or a multipletext item is."""
    name = js_text(node.values.get("name", ""))
    node = replace(node, kind=kind or node.kind)
    conditional = conditional or _has_condition(node)
    hidden = hidden or is_hidden(node)
    lenient = lenient or conditional or hidden or is_read_only(node)
    key = js_text(node.values.get("valueName") or name)
    return Question(name, key, node.kind, node, conditional, lenient, hidden, exempt, around)


@dataclass(frozen=True, slots=True)
class _Around:
    """What a question inherits from where it stands."""

    conditional: bool = False
    lenient: bool = False
    hidden: bool = False
    exempt: bool = False
    nodes: tuple[Node, ...] = ()
    switched: frozenset[str] = frozenset()
    """Names of what a trigger of type `visible` shows and hides."""

    def at(self, node: Node) -> _Around:
        """The same for one element, whose showing may be up to a trigger."""
        if not self.switched or js_text(node.values.get("name", "")) not in self.switched:
            return self
        return replace(self, conditional=True, lenient=True)


def collect(
    nodes: Iterable[Node], *, exempt: bool = False, switched: frozenset[str] = frozenset()
) -> Elements:
    """Questions below `nodes`, panels opened; those of a matrix or a dynamic panel stay inside of it."""
    return _collect(nodes, _Around(lenient=exempt, exempt=exempt, switched=switched))


def _collect(nodes: Iterable[Node], outside: _Around) -> Elements:
    questions: list[Question] = []
    groups: list[Group] = []
    for node in nodes:
        around = outside.at(node)
        if is_a(node.kind, "panelbase"):
            below = _open_panel(node, around)
        else:
            questions.append(_question(node, around))
            below = _within_choices(node, around)
        questions.extend(below.questions)
        groups.extend(below.groups)
    return Elements(tuple(questions), tuple(groups))


def _question(node: Node, around: _Around) -> Question:
    return question(
        node,
        conditional=around.conditional,
        lenient=around.lenient,
        hidden=around.hidden,
        exempt=around.exempt,
        around=around.nodes,
    )


def _open_panel(node: Node, around: _Around) -> Elements:
    conditional = around.conditional or _has_condition(node)
    hidden = around.hidden or is_hidden(node)
    lenient = around.lenient or conditional or hidden or is_read_only(node)
    within = replace(
        around, conditional=conditional, lenient=lenient, hidden=hidden, nodes=(*around.nodes, node)
    )
    below = _collect(node.nodes("elements"), within)
    group = Group(node, below.questions, conditional, lenient, around.exempt, around.nodes)
    return Elements(below.questions, (*below.groups, group))


def _within_choices(node: Node, around: _Around) -> Elements:
    """Elements that show once their choice is taken."""
    questions: list[Question] = []
    groups: list[Group] = []
    for choice in node.nodes("choices") if node.kind in OPENING else ():
        within = replace(around, conditional=True, lenient=True, nodes=(*around.nodes, node, choice))
        below = _collect(choice.nodes("elements"), within)
        questions.extend(replace(one, role="opened") for one in below.questions)
        groups.extend(below.groups)
    return Elements(tuple(questions), tuple(groups))


def _has_condition(node: Node) -> bool:
    return any(node.values.get(name) for name in _CONDITIONS)


def is_hidden(node: Node) -> bool:
    return node.values.get("visible") is False


def is_read_only(node: Node) -> bool:
    """survey-core does not validate what nobody can change."""
    return node.values.get("readOnly") is True
