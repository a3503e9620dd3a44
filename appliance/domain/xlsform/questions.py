"""Rows of the survey sheet as elements of a definition."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any, Final

from appliance.domain.imported import quoted
from appliance.domain.xlsform import computed, looks, rules, texts, translation
from appliance.domain.xlsform.choices import choices
from appliance.domain.xlsform.form import Form, Item, translated
from appliance.domain.xlsform.question_types import LEFT_OUT, SIMPLE

Json = dict[str, Any]


def element(form: Form, item: Item) -> Json | None:
    """None for what becomes none, which is reported unless it is a calculation."""
    match item.type.what:
        case "begin":
            return repeat(form, item) if item.type.name == "repeat" else group(form, item)
        case "unknown":
            form.report.warn(
                item.row.at("type"), f"{quoted(item.type.name)!r} is no type that is known; left out"
            )
            return None
        case "left out":
            why = LEFT_OUT[item.type.name]
            form.report.warn(item.row.at("type"), f"{item.type.name!r} is left out: {why}")
            return None
    if item.type.name in ("calculate", "hidden") and item.type.what == "simple":
        return computed.within(form, item) if item.here.repeats else None
    return question(form, item)


def elements(form: Form, items: list[Item]) -> list[Json]:
    return [made for item in items if (made := element(form, item)) is not None]


# -- groups and repeats


def group(form: Form, item: Item) -> Json | None:
    found = elements(form, item.children)
    if not found:
        return None
    made = looks.made_of(form, item, "panel")
    looks.apply(form, item, made)
    made["elements"] = found
    rules.shows(item, made)
    rules.read_only(form, item, made)
    looks.unasked(form, item, "required", "constraint", "calculation", "repeat_count", "default")
    return made


def repeat(form: Form, item: Item) -> Json | None:
    found = elements(form, item.children)
    if not found:
        return None
    made = looks.made_of(form, item, "paneldynamic")
    looks.apply(form, item, made)
    made["templateElements"] = found
    rules.shows(item, made)
    rules.read_only(form, item, made)
    _count(form, item, made)
    looks.unasked(form, item, "required", "constraint", "calculation", "default")
    return made


def _count(form: Form, item: Item, made: Json) -> None:
    """There are as many as it says, on the page and on the server, whether they are filled in or not."""
    text = item.cell("repeat_count")
    if text.isdecimal():
        made |= {"panelCount": int(text), "minPanelCount": int(text), "maxPanelCount": int(text)}
    elif expression := translated(form, item, "repeat_count", translation.value):
        made["panelCountExpression"] = expression
        made["allowAddPanel"] = made["allowRemovePanel"] = False


# -- questions


def question(form: Form, item: Item) -> Json:
    kind = item.type.name if item.type.what == "simple" else item.type.what
    made = looks.made_of(form, item, "text")
    if item.type.what == "simple":
        made |= SIMPLE[kind].properties
    _MAKERS.get(kind, _plain)(form, item, made)
    looks.apply(form, item, made)
    if kind == "note":
        return _note(form, item, made)
    if kind == "range":
        looks.bounds(form, item, made)
    looks.parameters(form, item, made)
    if item.cell("calculation"):
        return computed.question(form, item, made)
    rules.shows(item, made)
    rules.required(form, item, made)
    rules.read_only(form, item, made)
    rules.default(form, item, made)
    rules.constraint(form, item, made)
    if item.cell("rows").isdecimal() and made["type"] == "comment":
        made["rows"] = int(item.cell("rows"))
    looks.unasked(form, item, "repeat_count", *(() if "choices" in made else ("choice_filter",)))
    return made


def _plain(form: Form, item: Item, made: Json) -> None:
    pass


def _select(type_: str) -> Callable[[Form, Item, Json], None]:
    def make(form: Form, item: Item, made: Json) -> None:
        made["type"] = type_
        made["choices"] = choices(form, item)
        if item.type.other:
            made["showOtherItem"] = True

    return make


def _acknowledge(form: Form, item: Item, made: Json) -> None:
    """One box that is ticked or not: required means ticked."""
    made["choices"] = ["OK"]


def _from_file(form: Form, item: Item, made: Json) -> None:
    why = f"the choices of {item.type.name!r} are in a file of their own; asked as a text"
    form.report.warn(item.row.at("type"), why)


_MAKERS: Final[Mapping[str, Callable[[Form, Item, Json], None]]] = {
    "one": _select("radiogroup"),
    "multiple": _select("checkbox"),
    "rank": _select("ranking"),
    "acknowledge": _acknowledge,
    "from file": _from_file,
}


def _note(form: Form, item: Item, made: Json) -> Json:
    """Its words are the label."""
    made["html"] = texts.each(made.pop("title", ""), _as_html)
    if made.pop("description", None) is not None:
        form.report.warn(item.row.at("hint"), "the hint of a note is left out")
    rules.shows(item, made)
    looks.unasked(
        form, item, "required", "constraint", "calculation", "default", "repeat_count", "choice_filter"
    )
    return made


def _as_html(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")
