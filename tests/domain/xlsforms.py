"""XLSForms as tests write them: tables with `|` between cells, as the XLSForm world writes examples."""

from __future__ import annotations

from typing import Any

from appliance.domain.imported import Imported
from appliance.domain.xlsform.convert import convert
from appliance.domain.xlsform.sheets import Row, Sheet, Workbook

SHEETS = ("survey", "choices", "settings", "entities")


def book(text: str) -> Workbook:
    """A sheet's name, a line with its headers, and its rows."""
    found = Workbook()
    sheet: Sheet | None = None
    for line in text.strip().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if cells[0] in SHEETS and len(cells) == 1:
            sheet = found.sheets[cells[0]] = Sheet(cells[0], [], [])
        elif sheet is not None and not sheet.headers:
            sheet.headers = cells
        elif sheet is not None:
            named = {name: cell for name, cell in zip(sheet.headers, cells, strict=False) if cell}
            sheet.rows.append(Row(sheet.name, len(sheet.rows) + 2, named))
    return found


def imported(text: str) -> Imported:
    return convert(book(text))


def warnings(made: Imported) -> dict[str, str]:
    return {warning.path: warning.message for warning in made.warnings}


def element(made: Imported, name: str) -> dict[str, Any]:
    """The element of this name, wherever it stands."""
    stack: list[Any] = [made.definition]
    while stack:
        here = stack.pop()
        if isinstance(here, dict) and here.get("name") == name:
            return here
        stack.extend(here.values() if isinstance(here, dict) else here if isinstance(here, list) else ())
    raise LookupError(name)
