"""An XLSForm while it is converted: its rows as a tree, its names, its choices, and what was found amiss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from appliance.domain.imported import Report, quoted
from appliance.domain.xlsform import columns
from appliance.domain.xlsform.names import Field, Here, Names, Unsupported
from appliance.domain.xlsform.question_types import Type
from appliance.domain.xlsform.sheets import Row, Sheet, Workbook
from appliance.domain.xlsform.texts import Languages, languages
from appliance.domain.xlsform.translation import Note
from appliance.errors import FieldError, Invalid

DETAIL: Final = "The file is no XLSForm that can be read"
Translate = Callable[[str, Names, Here, Note], str]


@dataclass(slots=True)
class Item:
    """A row of the survey sheet, with what is in it if it begins a group or repeat."""

    row: Row
    type: Type
    answer: Field | None = None
    parent: Item | None = None
    children: list[Item] = field(default_factory=list)
    relevant: str = ""
    """Its own condition, translated."""
    unsure: bool = False
    """Its condition was not carried over: it always shows."""

    @property
    def here(self) -> Here:
        """Where its expressions stand."""
        return Here(self.answer.repeats if self.answer else (), self.answer)

    @property
    def always_shows(self) -> bool:
        """Whether a condition of it or around it got lost."""
        return self.unsure or (self.parent is not None and self.parent.always_shows)

    def cell(self, column: str) -> str:
        return self.row.cells.get(column, "")


@dataclass(slots=True)
class Form:
    book: Workbook
    report: Report
    languages: Languages
    settings: Row
    lists: dict[str, list[Row]]
    names: Names = field(default_factory=Names)

    def lost(self, row: Row, column: str, text: str, why: object) -> None:
        self.report.warn(row.at(column), f"{quoted(text)!r} is not carried over: {why}")


def open_form(book: Workbook, report: Report) -> Form:
    """The sheets with the columns' usual names. Raises Invalid without a survey sheet."""
    survey = book.sheets.get("survey")
    if survey is None or not survey.rows:
        raise Invalid(
            DETAIL, errors=[FieldError("/survey", "there is no sheet `survey` with questions in it")]
        )
    for path, message in book.notes:
        report.warn(path, message)
    for sheet in book.sheets.values():
        if sheet.name in columns.CARRIED:
            _rename(sheet)
    if not any("type" in row.cells for row in survey.rows):
        raise Invalid(DETAIL, errors=[FieldError("/survey/1", "the sheet `survey` has no column `type`")])
    settings = next(iter(book.rows("settings")), Row("settings", 2, {}))
    lists: dict[str, list[Row]] = {}
    for row in book.rows("choices"):
        if "list_name" in row.cells:
            lists.setdefault(row.cells["list_name"], []).append(row)
        else:
            report.warn(row.at("list_name"), "this choice belongs to no list and is left out")
    return Form(book, report, languages(book, settings.cells.get("default_language", "")), settings, lists)


def _rename(sheet: Sheet) -> None:
    named = {header: columns.column(sheet.name, header) for header in sheet.headers}
    for place, row in enumerate(sheet.rows):
        cells: dict[str, str] = {}
        for header, text in row.cells.items():
            name, language = named.get(header) or columns.column(sheet.name, header)
            cells.setdefault(f"{name}::{language}" if language else name, text)
        sheet.rows[place] = Row(row.sheet, row.number, cells)


def translated(form: Form, item: Item, column: str, how: Translate) -> str:
    """One cell's expression; "" where it is empty or not carried over, which is reported."""
    text = item.cell(column)
    if not text:
        return ""
    notes: list[str] = []
    try:
        found = how(text, form.names, item.here, notes.append)
    except (Unsupported, ValueError) as why:
        form.lost(item.row, column, text, why)
        return ""
    for note in dict.fromkeys(notes):
        form.report.warn(item.row.at(column), f"in {quoted(text)!r}, {note}")
    return found
