"""The flat columns of a form that was given as SurveyJS JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from appliance.domain.answer_choice import takes_many
from appliance.domain.answer_nested import items, template
from appliance.domain.answer_scale import rates
from appliance.domain.answer_table import row_elements
from appliance.domain.answer_text import NUMBERS, input_type
from appliance.domain.choices import choices_of
from appliance.domain.columns import Column, ColumnMap, Kind, column_map
from appliance.domain.element import VOICELESS, Elements, Question
from appliance.domain.field import Context
from appliance.domain.form import Form
from appliance.domain.scope_build import has_comment
from appliance.domain.survey_core import COMMENT, TOTALS, is_a
from appliance.domain.values import js_text

Path = tuple[str, ...]
_DATES: Final[Mapping[str, Kind]] = {"date": "date", "datetime-local": "datetime", "time": "time"}
REPEATS: Final = frozenset({"matrixdynamic", "paneldynamic"})


def survey_columns(form: Form) -> ColumnMap:
    columns = list(_columns(form.elements, form.context, ()))
    known = {column.path[0] for column in columns}
    columns += [Column((name,), "choice") for name in sorted(form.scope.computed - known)]
    repeats = {
        one.key: list(_columns(_within(one), form.context, ()))
        for one in form.elements.questions
        if one.kind in REPEATS
    }
    return column_map(columns, repeats)


def _within(question: Question) -> Elements:
    return row_elements(question.node) if question.kind == "matrixdynamic" else template(question.node)


def _columns(elements: Elements, context: Context, path: Path) -> Iterator[Column]:
    for question in elements.questions:
        if question.kind in VOICELESS:
            continue
        at = (*path, question.key)
        yield from _OF_KIND[question.kind](question, context, at)
        if has_comment(question.node, context):
            yield Column((*path, question.key + COMMENT), "text")
        if not path and is_a(question.kind, "matrixdropdownbase"):
            for column in _totals(question):
                yield Column((question.key + TOTALS, column), "choice")


def _totals(question: Question) -> Iterator[str]:
    for column in question.node.nodes("columns"):
        if column.values.get("totalExpression") or column.values.get("totalType", "none") != "none":
            yield js_text(column.values["name"])


def _text(question: Question, context: Context, path: Path) -> Iterator[Column]:
    kind = input_type(question.node)
    if kind in NUMBERS:
        yield Column(path, "number")
    elif question.node.text("maskType") in ("numeric", "currency"):
        yield Column(path, "choice")  # a number, or text under saveMaskedValue
    else:
        yield Column(path, _DATES.get(kind, "text"))


def _choice(question: Question, context: Context, path: Path) -> Iterator[Column]:
    choices = choices_of(question, context)
    declared = [] if choices.by_key is None else list(choices.by_key.values())
    if takes_many(question.node):
        wrapped = question.node.text("valuePropertyName")
        yield Column(path, "choices", {js_text(value): value for value in declared}, wrapped)
    elif choices.free or choices.commented:
        yield Column(path, "choice", {js_text(value): value for value in declared})
    else:
        yield _one_of(path, declared)


def _one_of(path: Path, declared: list[object]) -> Column:
    """A column of numbers where all choices are."""
    if declared and all(isinstance(one, int | float) and not isinstance(one, bool) for one in declared):
        return Column(path, "number")
    return Column(path, "choice", {js_text(value): value for value in declared})


def _boolean(question: Question, context: Context, path: Path) -> Iterator[Column]:
    values = [question.node.values.get(name) for name in ("valueTrue", "valueFalse")]
    if values == [None, None]:
        yield Column(path, "boolean")
    else:
        pairs = zip(values, (True, False), strict=True)
        yield _one_of(path, [default if value is None else value for value, default in pairs])


def _rating(question: Question, context: Context, path: Path) -> Iterator[Column]:
    yield _one_of(path, list(rates(question.node)))


def _slider(question: Question, context: Context, path: Path) -> Iterator[Column]:
    yield Column(path, "json" if question.node.text("sliderType") == "range" else "number")


def _matrix(question: Question, context: Context, path: Path) -> Iterator[Column]:
    node = question.node
    declared = [column.values["value"] for column in node.nodes("columns")]
    for row in node.nodes("rows"):
        at = (*path, js_text(row.values["value"]))
        if node.text("cellType") == "checkbox":
            yield Column(at, "choices", {js_text(value): value for value in declared})
        else:
            yield _one_of(at, declared)


def _matrixdropdown(question: Question, context: Context, path: Path) -> Iterator[Column]:
    elements = row_elements(question.node)
    for row in question.node.nodes("rows"):
        yield from _columns(elements, context, (*path, js_text(row.values["value"])))


def _multipletext(question: Question, context: Context, path: Path) -> Iterator[Column]:
    yield from _columns(items(question.node), context, path)


def _of(kind: Kind) -> Callable[[Question, Context, Path], Iterator[Column]]:
    def one(question: Question, context: Context, path: Path) -> Iterator[Column]:
        yield Column(path, kind)

    return one


_OF_KIND: Final[Mapping[str, Callable[[Question, Context, Path], Iterator[Column]]]] = {
    "boolean": _boolean,
    "comment": _of("text"),
    "expression": _of("choice"),
    "file": _of("json"),
    "matrix": _matrix,
    "matrixdropdown": _matrixdropdown,
    "matrixdynamic": _of("json"),
    "multipletext": _multipletext,
    "paneldynamic": _of("json"),
    "rating": _rating,
    "signaturepad": _of("text"),
    "slider": _slider,
    "text": _text,
    **dict.fromkeys(
        ("buttongroup", "checkbox", "dropdown", "imagemap", "imagepicker", "radiogroup", "ranking", "tagbox"),
        _choice,
    ),
}
