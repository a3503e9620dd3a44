"""Reads XLSForms from xlsx and csv files. Only in a child (`import_child`): a file may be hostile.

openpyxl guards against entities in XML where defusedxml is installed; what a file unpacks to is measured
before anything of it is read, and a ZIP member gives no more bytes than it announced.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterable
from typing import Any, Final

from appliance.domain.xlsform.form import DETAIL
from appliance.domain.xlsform.sheets import Row, Sheet, Workbook
from appliance.errors import FieldError, Invalid, pointer

MAX_UNPACKED: Final = 48 * 1024 * 1024
"""Bytes of all that is in an xlsx file."""
MAX_MEMBERS: Final = 1_000
MAX_ROWS: Final = 20_000
"""Of a sheet, empty ones included."""
MAX_COLUMNS: Final = 300
MAX_CELL: Final = 32_767
"""Characters: what a spreadsheet itself can hold."""
_READ: Final = frozenset({"survey", "choices", "settings"})
_OLE: Final = b"\xd0\xcf\x11\xe0"


def read(body: bytes) -> Workbook:
    """By what the bytes are. Raises Invalid for files that cannot be read."""
    if body[:4] == _OLE:
        raise _refused("", "this is an .xls file, or one with a password; save it as .xlsx without one")
    return read_xlsx(body) if body[:2] == b"PK" else read_csv(body)


def _refused(path: str, message: str) -> Invalid:
    return Invalid(DETAIL, errors=[FieldError(path, message)])


# -- xlsx


def read_xlsx(body: bytes) -> Workbook:
    _measure(body)
    import openpyxl  # takes 0.3 s and much memory: only here

    if not openpyxl.DEFUSEDXML:
        raise RuntimeError("defusedxml is missing")
    try:
        book = openpyxl.load_workbook(io.BytesIO(body), read_only=True, data_only=True)
        found = _sheets(book)
        if _has_formulas(body):
            _note_formulas(openpyxl.load_workbook(io.BytesIO(body), read_only=True), found)
    except (Invalid, MemoryError):
        raise
    except Exception as fault:  # whatever openpyxl stumbles over is a fault of the file
        raise _refused("", f"this is no xlsx file that can be read ({type(fault).__name__})") from None
    return found


def _measure(body: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError):
        raise _refused("", "this is no xlsx file: its ZIP archive is damaged") from None
    size = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS or size > MAX_UNPACKED:
        message = f"{len(members)} parts with {size} bytes unpacked; at most {MAX_MEMBERS} and {MAX_UNPACKED}"
        raise _refused("", message)


def _sheets(book: Any) -> Workbook:
    found = Workbook()
    names = {name: name.strip().lower() for name in book.sheetnames}
    if len(names) == 1:
        names = dict.fromkeys(names, "survey")
    for name, plain in names.items():
        if plain in found.sheets:
            found.notes.append((pointer(plain), f"a second sheet {name!r} is left out"))
            continue
        sheet = found.sheets[plain] = Sheet(plain, [], [])
        if plain in _READ and hasattr(book[name], "iter_rows"):
            _fill(found, sheet, _rows(book[name]))
    return found


def _rows(sheet: Any) -> Iterable[list[str]]:
    """Empty ones as nothing: formats alone may go down to row 1,048,576."""
    most = min(sheet.max_column or MAX_COLUMNS + 1, MAX_COLUMNS + 1)
    for row in sheet.iter_rows(max_col=most, values_only=True):
        yield [_text(value) for value in row] if any(row) else []


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case float() if value.is_integer():
            return str(int(value))
        case dt.datetime() if value.time() == dt.time():
            return value.date().isoformat()
    return str(value).replace("\xa0", " ").strip()


def _has_formulas(body: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        return any(re.search(rb"<(\w+:)?f[ >]", archive.read(name)) for name in sheets)


def _note_formulas(book: Any, found: Workbook) -> None:
    """Of a formula the value counts that the program stored which wrote it; some store none."""
    plain = found.sheets
    for name in book.sheetnames:
        sheet = plain.get("survey" if len(book.sheetnames) == 1 else name.strip().lower())
        if sheet is None or sheet.name not in _READ:
            continue
        kept = {row.number: row.cells for row in sheet.rows}
        for number, cells in enumerate(_rows(book[name]), 1):
            for header, text in zip(sheet.headers, cells, strict=False):
                if text.startswith("=") and number > 1 and header and header not in kept.get(number, {}):
                    message = f"the formula {text[:100]!r} has no stored value; open and save the file once"
                    found.notes.append((pointer(sheet.name, number, header), message))


# -- csv


def read_csv(body: bytes) -> Workbook:
    """Sheets one below another, the name of each in the first column, as pyxform reads it; or one sheet."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused("", "this is neither an xlsx file nor a csv file in UTF-8") from None
    csv.field_size_limit(MAX_CELL * 4)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    except csv.Error as fault:
        raise _refused("", f"this is no csv file that can be read: {fault}") from None
    if rows and rows[0][:1] != ["survey"] and {"type", "name"} <= {cell.lower() for cell in rows[0]}:
        found = Workbook({"survey": (sheet := Sheet("survey", [], []))})
        _fill(found, sheet, rows)
        return found
    return _stacked(rows)


def _stacked(rows: list[list[str]]) -> Workbook:
    found = Workbook()
    parts: list[tuple[Sheet, int, list[list[str]]]] = []
    for number, (name, *cells) in enumerate((row or [""] for row in rows), 1):
        if name:
            sheet = Sheet(name.lower(), [], [])
            found.sheets[sheet.name] = sheet
            parts.append((sheet, number, []))
        if parts and any(cells):
            parts[-1][2].append([*cells, str(number)])
    for sheet, _, lines in parts:
        _fill(found, sheet, [line[:-1] for line in lines], [int(line[-1]) for line in lines])
    if "survey" not in found.sheets:
        raise _refused("", "this is neither an xlsx file nor a csv file whose first column names the sheets")
    return found


# -- both


def _fill(book: Workbook, sheet: Sheet, rows: Iterable[list[str]], numbers: list[int] | None = None) -> None:
    for place, cells in enumerate(rows):
        number = numbers[place] if numbers else place + 1
        if place == 0:
            sheet.header_row, sheet.headers = number, _headers(sheet.name, cells)
            continue
        if not any(cells):
            continue
        if place > MAX_ROWS:
            raise _refused(pointer(sheet.name, number), f"a sheet may have {MAX_ROWS} rows")
        named = {name: text for name, text in zip(sheet.headers, cells, strict=False) if name and text}
        if any(len(text) > MAX_CELL for text in named.values()):
            raise _refused(pointer(sheet.name, number), f"a cell may have {MAX_CELL} characters")
        extra = [text for name, text in zip(sheet.headers, cells, strict=False) if text and not name]
        if extra or any(cells[len(sheet.headers) :]):
            book.notes.append((pointer(sheet.name, number), "cells below no header are left out"))
        sheet.rows.append(Row(sheet.name, number, named))


def _headers(sheet: str, cells: list[str]) -> list[str]:
    if len(cells) > MAX_COLUMNS and cells[MAX_COLUMNS]:
        raise _refused(pointer(sheet, 1), f"a sheet may have {MAX_COLUMNS} columns")
    seen: set[str] = set()
    for name in filter(None, cells):
        if name in seen:
            raise _refused(pointer(sheet, 1, name), "two columns of this name")
        seen.add(name)
    while cells and not cells[-1]:
        cells.pop()
    return cells
