"""The texts of a question and how it looks."""

from __future__ import annotations

import re
from typing import Any, Final

from appliance.domain.xlsform import appearances, rules, texts
from appliance.domain.xlsform.form import Form, Item
from appliance.domain.xlsform.names import Unsupported, spelled
from appliance.domain.xlsform.texts import Localised

Json = dict[str, Any]
_PARAMETER: Final = re.compile(r"([\w-]+)\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s,;]+)")


def made_of(form: Form, item: Item, kind: str) -> Json:
    made: Json = {"type": kind, "name": item.answer.name if item.answer else ""}
    for name, column in (("title", "label"), ("description", "hint")):
        if (text := form.languages.text(item.row, column)) is not None:
            made[name] = _with_answers(form, item, column, text)
    return form.report.made(made, item.row.at("type"))


def _with_answers(form: Form, item: Item, column: str, text: Localised) -> Localised:
    """`${name}` in a label shows an answer."""
    names: dict[str, str] = {}
    whole = text if isinstance(text, str) else "\n".join(text.values())
    for name in texts.references(whole):
        try:
            names[name] = spelled(form.names.get(name), item.here)
        except Unsupported as why:
            form.lost(item.row, column, f"${{{name}}}", why)
    return texts.each(text, lambda one: texts.replaced(one, names))


def apply(form: Form, item: Item, made: Json) -> None:
    text = item.cell("appearance")
    if not text:
        return
    kind = item.type.name if item.type.what in ("simple", "begin") else item.type.what
    for word in appearances.apply(kind, text, made):
        form.report.warn(item.row.at("appearance"), f"the appearance {word!r} has no counterpart")


def parameters(form: Form, item: Item, made: Json) -> None:
    given = dict(_PARAMETER.findall(item.cell("parameters")))
    if item.type.name == "range" and item.type.what == "simple":
        given = {name: text for name, text in given.items() if name not in ("start", "end", "step")}
    if given.pop("randomize", "") == "true" and "choices" in made:
        made["choicesOrder"] = "random"
    for name, text in given.items():
        form.report.warn(item.row.at("parameters"), f"the parameter {name}={text} has no counterpart")


def bounds(form: Form, item: Item, made: Json) -> None:
    """From 0 to 10 by 1, unless `parameters` say so."""
    given = dict(_PARAMETER.findall(item.cell("parameters")))
    numbers: dict[str, int | float] = {}
    for name, usual in (("start", 0), ("end", 10), ("step", 1)):
        try:
            number = float(given.get(name, usual))
            numbers[name] = int(number) if number.is_integer() else number
        except (ValueError, OverflowError):
            form.lost(item.row, "parameters", f"{name}={given[name]}", "a number is needed")
            numbers[name] = usual
    names = ("rateMin", "rateMax", "rateStep") if made["type"] == "rating" else ("min", "max", "step")
    made |= dict(zip(names, numbers.values(), strict=True))


def unasked(form: Form, item: Item, *columns: str) -> None:
    for column in columns:
        if item.cell(column).lower() not in rules.NO:
            form.lost(item.row, column, item.cell(column), f"{item.type.name} has no {column} here")
