"""The choices of a question, from the sheet of choices."""

from __future__ import annotations

from typing import Any

from appliance.domain.imported import quoted
from appliance.domain.xlsform import translation
from appliance.domain.xlsform.form import Form, Item
from appliance.domain.xlsform.names import Here, Unsupported
from appliance.domain.xlsform.pieces import as_boolean
from appliance.domain.xlsform.sheets import Row
from appliance.domain.xlsform.xpath import XPath, parse_xpath

Json = dict[str, Any]


def choices(form: Form, item: Item) -> list[Json]:
    """With a condition each, where the question filters them."""
    rows = form.lists.get(item.type.name, [])
    if not rows:
        form.report.warn(item.row.at("type"), f"there is no list of choices {item.type.name!r}")
    found = [form.report.made(_choice(form, row), row.at("name")) for row in rows if _named(form, row)]
    _filter(form, item, [row for row in rows if row.cells.get("name")], found)
    return found


def _named(form: Form, row: Row) -> bool:
    if row.cells.get("name"):
        return True
    form.report.warn(row.at("name"), "a choice without a name is left out")
    return False


def _choice(form: Form, row: Row) -> Json:
    text = form.languages.text(row, "label")
    name = row.cells["name"]
    return {"value": name} if text is None or text == name else {"value": name, "text": text}


def _filter(form: Form, item: Item, rows: list[Row], found: list[Json]) -> None:
    text = item.cell("choice_filter")
    if not text:
        return
    notes: list[str] = []
    try:
        parsed = parse_xpath(text)
        conditions = [_condition(form, item, parsed, row, notes) for row in rows]
    except (Unsupported, ValueError) as why:
        form.report.warn(
            item.row.at("choice_filter"), f"{quoted(text)!r} is not carried over, all choices show: {why}"
        )
        return
    for choice, condition in zip(found, conditions, strict=True):
        if condition != "true":
            choice["visibleIf"] = condition


def _condition(form: Form, item: Item, parsed: XPath, row: Row, notes: list[str]) -> str:
    here = Here(item.here.repeats, item.answer, row)
    translator = translation.Translator(form.names, here, notes.append)
    return as_boolean(translator.of(parsed)).text
