"""From the sheets of an XLSForm to a SurveyJS definition.

The answers keep the names and values that the XLSForm gives them. What differs, and what is not carried over,
is told in the warnings; docs/import.md has the tables.
"""

from __future__ import annotations

from typing import Any, Final

from appliance.domain.imported import Imported, Report, hold_to_check
from appliance.domain.xlsform import columns, computed, questions, rules, texts, translation
from appliance.domain.xlsform.form import Form, Item, open_form
from appliance.domain.xlsform.names import Unsupported
from appliance.domain.xlsform.sheets import Sheet, Workbook
from appliance.domain.xlsform.tree import register, tree
from appliance.errors import FieldError, pointer

Json = dict[str, Any]
_SHEETS: Final = frozenset({"survey", "choices", "settings"})


def convert(book: Workbook) -> Imported:
    """Raises Invalid for what is no XLSForm, or of which nothing usable is left."""
    report = Report()
    form = open_form(book, report)
    _note_sheets(form)
    items = tree(form)
    register(form, items)
    _forget_what_cannot_be_computed(form, items)
    rules.relevance(form, items)
    _note_lists(form, items)
    definition = _definition(form, items)
    title = form.settings.cells.get("form_title") or form.settings.cells.get("form_id") or ""
    definition = hold_to_check(definition, report)
    return Imported(title, definition, tuple(sorted(report.all(), key=_place)))


def _place(warning: FieldError) -> tuple[str, int]:
    """By sheet and row; what is said of the whole comes last."""
    _, *steps = warning.path.split("/") if warning.path else ("", "~")
    return steps[0], int(steps[1]) if len(steps) > 1 and steps[1].isdecimal() else 0


def _definition(form: Form, items: list[Item]) -> Json:
    found: Json = {}
    if form.languages.locale:
        found["locale"] = form.languages.locale
    if title := form.settings.cells.get("form_title"):
        found["title"] = title
    # What is not relevant is no answer to other conditions either.
    found["clearInvisibleValues"] = "onHiddenContainer"
    if "pages" in form.settings.cells.get("style", "").lower().split():
        found["pages"] = _pages(form, items)
    else:
        found["elements"] = questions.elements(form, items)
    if values := _calculated(form, items):
        found["calculatedValues"] = values
    return found


def _pages(form: Form, items: list[Item]) -> list[Json]:
    """A group is a page; what stands between groups is one, too."""
    pages: list[Json] = []
    loose: list[Json] = []
    for item in items:
        made = questions.element(form, item)
        if made is None:
            continue
        if made["type"] != "panel":
            if not loose:
                pages.append({"name": f"page_{len(pages) + 1}", "elements": loose})
            loose.append(made)
            continue
        loose = []
        page = {name: value for name, value in made.items() if name != "type"}
        pages.append(form.report.made(page, item.row.at("type")))
    return pages


def _calculated(form: Form, items: list[Item]) -> list[Json]:
    found: list[Json] = []
    for item in _calculations(items):
        if item.here.repeats or item.answer is None:
            continue
        if expression := computed.value(form, item):
            made = {"name": item.answer.name, "expression": expression, "includeIntoResult": True}
            found.append(form.report.made(made, item.row.at("calculation")))
    return found


def _calculations(items: list[Item]) -> list[Item]:
    return [
        item
        for item in _all(items)
        if item.type.what == "simple" and item.type.name in ("calculate", "hidden")
    ]


def _forget_what_cannot_be_computed(form: Form, items: list[Item]) -> None:
    """Until no calculation names one that is lost: then whatever names these is told so."""
    waiting = [item for item in _calculations(items) if item.answer is not None and not item.answer.lost]
    changed = True
    while changed:
        changed = False
        for item in waiting:
            if item.answer is not None and not item.answer.lost and not _is_computed(form, item):
                item.answer.lost = "was not carried over"
                changed = True


def _is_computed(form: Form, item: Item) -> bool:
    text = item.cell("calculation") or item.cell("default")
    if not text:
        return False
    if not item.cell("calculation") and not rules.is_dynamic(text):
        return True
    notes: list[str] = []
    try:
        translation.value(text, form.names, item.here, notes.append)
    except (Unsupported, ValueError):
        return False
    return True


def _note_sheets(form: Form) -> None:
    """Of what nothing is carried over: sheets, columns, settings, languages without a code."""
    for name, sheet in form.book.sheets.items():
        if name not in _SHEETS:
            form.report.warn(pointer(name), f"the sheet {name!r} is left out")
        elif name == "settings":
            _note_settings(form)
        else:
            _note_columns(form, sheet)
    for language in form.languages.codes:
        if not texts.is_coded(language):
            code = form.languages.codes[language]
            form.report.warn(
                "/survey/1", f"no code of the language {language!r} is known; its texts are under {code!r}"
            )


def _note_columns(form: Form, sheet: Sheet) -> None:
    used = _filtered(form) if sheet.name == "choices" else ""
    for header in sheet.headers:
        name, language = columns.column(sheet.name, header)
        if name in columns.CARRIED[sheet.name] or name in columns.IGNORED or (name and name in used):
            continue
        key = f"{name}::{language}" if language else name
        count = sum(bool(row.cells.get(key)) for row in sheet.rows)
        if count:
            message = f"the column {header!r} is not carried over ({count} rows)"
            form.report.warn(pointer(sheet.name, sheet.header_row, header), message)


def _note_lists(form: Form, items: list[Item]) -> None:
    """Of choices that no question shows."""
    used = {item.type.name for item in _all(items)}
    for name, rows in form.lists.items():
        if name not in used:
            form.report.warn(rows[0].at(), f"the list {name!r} is used by no question ({len(rows)} choices)")


def _all(items: list[Item]) -> list[Item]:
    return [one for item in items for one in (item, *_all(item.children))]


def _filtered(form: Form) -> str:
    """The choice filters, one after another: what they name is used."""
    return "\n".join(row.cells.get("choice_filter", "") for row in form.book.rows("survey"))


def _note_settings(form: Form) -> None:
    for name, text in form.settings.cells.items():
        if name not in columns.CARRIED["settings"]:
            form.report.warn(form.settings.at(name), f"the setting {name!r} has no counterpart")
        elif name == "form_id" and form.settings.cells.get("form_title"):
            form.report.warn(
                form.settings.at(name), f"the id {text!r} is not kept: forms have ids of their own"
            )
        elif name == "style" and (others := [word for word in text.split() if word.lower() != "pages"]):
            form.report.warn(form.settings.at(name), f"the style {' '.join(others)!r} has no counterpart")
