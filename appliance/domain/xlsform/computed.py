"""What XLSForms compute: calculations, hidden values, questions whose answer nobody types."""

from __future__ import annotations

from typing import Any

from appliance.domain.xlsform import looks, rules, translation
from appliance.domain.xlsform.form import Form, Item, translated

Json = dict[str, Any]


def question(form: Form, item: Item, made: Json) -> Json:
    """A question whose answer is computed: nobody types it."""
    expression = translated(form, item, "calculation", translation.value)
    if not expression:
        rules.shows(item, made)
        return made
    if item.cell("read_only").lower() not in rules.YES:
        form.report.warn(item.row.at("calculation"), "the answer is computed; what people type is not kept")
    kept: Json = {name: made[name] for name in ("name", "title", "description") if name in made}
    found = form.report.made(
        {"type": "expression", **kept, "expression": expression}, item.row.at("calculation")
    )
    rules.shows(item, found)
    looks.unasked(form, item, "constraint", "default", "choice_filter")
    return found


def within(form: Form, item: Item) -> Json | None:
    """A calculation in a repeat, as a question that nobody sees."""
    expression = value(form, item)
    if not expression or item.answer is None:
        return None
    made = {
        "type": "expression",
        "name": item.answer.name,
        "expression": expression,
        "visible": False,
        "clearIfInvisible": "none",
    }
    return form.report.made(made, item.row.at("calculation"))


def value(form: Form, item: Item) -> str:
    """The expression of a calculation, nothing where it is not relevant; "" and reported if there is none."""
    column = "calculation" if item.cell("calculation") else "default"
    if not item.cell(column):
        form.report.warn(item.row.at("type"), f"{item.type.name!r} without a value is left out")
        return ""
    how = translation.value
    if column == "default" and not rules.is_dynamic(item.cell(column)):
        how = translation.constant
    expression = translated(form, item, column, how)
    conditions = [one.relevant for one in _around(item) if one.relevant] if expression else []
    if not conditions:
        return expression
    return f"iif({' and '.join(f'({one})' for one in conditions)}, {expression})"


def _around(item: Item) -> list[Item]:
    """The row and the groups that it is in, up to its repeat: a repeat that does not show has no rows."""
    found, here = [item], item.parent
    while here is not None and here.type.name != "repeat":
        found.insert(0, here)
        here = here.parent
    return found
