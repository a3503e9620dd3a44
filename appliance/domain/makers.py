"""Which values of one object of answers are computed, and which may be cleared: read from the definition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from appliance.domain.answer_nested import panels_at_first
from appliance.domain.choices import OTHER, has_other
from appliance.domain.computed import Calculation, Clearing, Counting, Hiding, Maker, Trimming, Within
from appliance.domain.defaults import Default, PartDefault, ShownDefault
from appliance.domain.element import VOICELESS, Elements, Question
from appliance.domain.evaluation import Run, compile_text
from appliance.domain.field import CommentField, Context, Field
from appliance.domain.logic import Logic, State, condition
from appliance.domain.node import Node
from appliance.domain.survey_core import COMMENT, MAX_PANELS, MAX_ROWS, TOTALS, is_a, properties
from appliance.domain.values import is_empty, js_text
from appliance.domain.view import FormView, PartView, View

Fields = Mapping[str, tuple[Field | CommentField, ...]]


def makers(elements: Elements, by_key: Fields, logic: Logic, context: Context) -> Iterator[Maker]:
    for question in elements.questions:
        slot, node = logic.slots[question.node.path], question.node
        if question.kind == "expression":
            if node.text("expression"):
                value = compile_text(node.text("expression"))
                yield Calculation(question.key, slot, value, int(node.value("precision")), question.role)
        elif question.kind not in VOICELESS:
            yield from _of_field(question, _field(question, by_key), elements, logic, context)


def _field(question: Question, by_key: Fields) -> Field | None:
    for one in by_key.get(question.key, ()):
        if isinstance(one, Field) and one.question is question:
            return one
    return None


def _of_field(
    question: Question, field: Field | None, elements: Elements, logic: Logic, context: Context
) -> Iterator[Maker]:
    slot = logic.slots[question.node.path]
    if field is None:
        return
    nested = field.checks.nested
    yield from _counting(question)
    totals = tuple(_totals(question.node))
    if nested is not None and (nested.dynamic or totals):
        yield Within(question.key, slot, nested, totals, question.key + TOTALS)
    if field.checks.offer is not None and question.role != "detail":
        clears = _clears(question.node, context) != "none"
        yield Trimming(question.key, slot, field.checks.offer.keep, clears, _before)
    yield from _default(question, field, context)
    if context.depth == 0 and logic.fixed is None:
        yield from _shown_default(question, field, elements, logic)
    own = _clears(question.node, context)
    if own in ("onHidden", "onHiddenContainer") and context.depth == 0:
        yield Hiding(question.key, slot, question.key + COMMENT, own == "onHiddenContainer")


def _default(question: Question, field: Field, context: Context) -> Iterator[Maker]:
    """A defaultValue that the page fills in is an answer or none; a cell has it as soon as it is made."""
    accept, given = field.checks.accept, question.node.values.get("defaultValue")
    text = question.node.text("defaultValueExpression")
    if question.role == "detail":
        return
    if not is_empty(given):
        if question.role == "cell":
            value = _spelled(question, given)
            yield PartDefault(question.key, lambda view: value, accept, _offered(field))
    elif text and context.depth == 0:
        yield Default(question.key, compile_text(text), _without_answers, accept)
    elif text:
        yield PartDefault(question.key, compile_text(text), accept, _offered(field))


def _offered(field: Field) -> Callable[[Any, View], Any] | None:
    return None if field.checks.offer is None else field.checks.offer.keep


def _counting(question: Question) -> Iterator[Maker]:
    node = question.node
    for kind, name, most in (("paneldynamic", "Panel", MAX_PANELS), ("matrixdynamic", "Row", MAX_ROWS)):
        count = condition(node, f"{name.lower()}CountExpression") if question.kind == kind else None
        if count is not None:
            own = node.value(f"max{name}Count")
            most = most if own is None else min(int(own), most)
            least = min(int(node.value(f"min{name}Count") or 0), most)
            at_first = panels_at_first(node, most) if kind == "paneldynamic" else None
            yield Counting(question.key, count, least, most, at_first)


def _shown_default(
    question: Question, field: Field, elements: Elements, logic: Logic
) -> Iterator[ShownDefault]:
    given = question.node.values.get("defaultValue")
    if is_empty(given) or question.node.text("defaultValueExpression") or not question.around:
        return
    paths = {node.path for node in question.around}
    around = tuple(
        tuple(logic.slots[one.node.path] for one in group.questions)
        for group in elements.groups
        if group.node.path in paths
    )

    def first(view: View) -> State:
        if view.session.first is None:
            view.session.first = logic.evaluate(_without_answers(view))
        return view.session.first

    yield ShownDefault(question.key, _spelled(question, given), around, first, field.checks.accept)


def _spelled(question: Question, given: Any) -> Any:
    """A boolean takes "true" and "false" for its two values."""
    names = {"true": ("valueTrue", True), "false": ("valueFalse", False)}
    name, plain = names.get(js_text(given) if question.kind == "boolean" else "", ("", given))
    own = question.node.values.get(name)
    return plain if own is None else own


def _without_answers(view: View) -> View:
    names = view.names if isinstance(view, FormView) else {}
    return FormView(view.session, {}, names)


def _before(view: View) -> View | None:
    """The same place before the first answer to the rest of the form; rows were not made then."""
    if isinstance(view, FormView):
        return _without_answers(view)
    if not isinstance(view, PartView) or view.prefix != "panel":
        return None
    outer = _before(view.outer)
    return outer and PartView(outer, view.prefix, view.values, view.names, view.own)


def _clears(node: Node, context: Context) -> str:
    own = node.text("clearIfInvisible") or "default"
    return context.clears if own == "default" else own


def _totals(node: Node) -> Iterator[tuple[str, Run]]:
    if not is_a(node.kind, "matrixdropdownbase"):
        return
    for column in node.nodes("columns"):
        text = total_expression(column)
        if text:
            yield js_text(column.values["name"]), compile_text(text)


def total_expression(column: Node) -> str:
    """MatrixDropdownTotalCell.getTotalExpression; "" if the column has no total."""
    own, kind = column.text("totalExpression"), column.text("totalType") or "none"
    if own or kind == "none":
        return own
    name = js_text(column.values["name"])
    return "" if "'" in name or '"' in name else f"{kind}InArray({{matrix}}, '{name}')"


def clearing(elements: Elements, by_key: Fields, logic: Logic, context: Context) -> Iterator[Clearing]:
    """Nothing for what always shows and has nothing in it that may not."""
    for question in elements.questions:
        if question.kind in VOICELESS:
            continue
        owner = _owner(question)
        slot = logic.slots[owner.path]
        clears = _clears(owner, context) != "none"
        field = _field(question, by_key)
        prune = _prune(field, clears=clears)
        other = _other(question, context)
        always = logic.fixed is not None and logic.fixed.shown[slot]
        if (
            (clears and not always)
            or prune is not None
            or other is not None
            or question.key in context.shared
        ):
            yield Clearing(
                question.key,
                slot,
                (question.key + COMMENT, question.key + TOTALS),
                clears,
                prune,
                other,
                ""
                if owner is question.node
                else js_text(owner.values.get("valueName") or owner.values["name"]),
            )


def _owner(question: Question) -> Node:
    """What stands within a choice goes with the question around it, not with the choice."""
    around = question.around
    for place, node in enumerate(around):
        if is_a(node.kind, "itemvalue"):
            return around[place - 1]
    return question.node


def _prune(field: Field | None, *, clears: bool) -> Any:
    """The questions of a dynamic panel are cleared by what each of them says of itself."""
    if field is None:
        return None
    nested = field.checks.nested
    if nested is not None and (nested.clears_fields or (clears and nested.visible is not None)):
        return nested.finish
    return field.checks.prune if clears else None


def _other(question: Question, context: Context) -> Any:
    """Whether the comment of a question with `other` is wanted; one with a comment area keeps it."""
    node = question.node
    if not is_a(node.kind, "selectbase") or not has_other(node):
        return None
    if "showCommentArea" in properties(node.kind) and node.flag("showCommentArea"):
        return None
    return lambda answer: OTHER in (answer if isinstance(answer, list) else [answer])
