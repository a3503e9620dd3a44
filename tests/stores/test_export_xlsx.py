"""Workbooks that no ordinary form makes: too many rows for a sheet, texts and names that it does not take."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from appliance.domain.frames import Head
from appliance.stores import export_xlsx
from appliance.stores.export_xlsx import LONGEST, XlsxWriter

HEADS = (Head("n", "number"), Head("text", "text"))


def book(
    tables: dict[str, tuple[Head, ...]], rows: dict[int, list[list[Any]]], folder: Path
) -> dict[str, Any]:
    """The cells by sheet, as openpyxl reads them."""
    file = io.BytesIO()
    made = XlsxWriter(file, tables, dt.UTC, folder)
    for table, found in rows.items():
        for row in found:
            made.write(table, [[cell] for cell in row])
    made.finish()
    loaded = openpyxl.load_workbook(file)
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in loaded.worksheets}


def test_what_a_sheet_cannot_hold_goes_on_in_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(export_xlsx, "MOST_ROWS", 4)
    rows: dict[int, list[list[Any]]] = {0: [[n, None] for n in range(7)], 1: [[n, None] for n in range(4)]}
    found = book({"": HEADS, "pets": HEADS}, rows, tmp_path)
    head = ("n", "text")
    assert found == {
        "responses": [head, (0, None), (1, None), (2, None)],
        "responses 2": [head, (3, None), (4, None), (5, None)],
        "responses 3": [head, (6, None)],
        "pets": [head, (0, None), (1, None), (2, None)],
        "pets 2": [head, (3, None)],
    }
    assert list(tmp_path.iterdir()) == []


def test_long_texts_are_cut_between_characters(tmp_path: Path) -> None:
    texts = ["x" * LONGEST, "x" * (LONGEST + 1), "👍" * LONGEST]
    found = [
        row[1] for row in book({"": HEADS}, {0: [[1, text] for text in texts]}, tmp_path)["responses"][1:]
    ]
    assert found == [texts[0], "x" * (LONGEST - 1) + "…", "👍" * ((LONGEST - 1) // 2) + "…"]
    assert all(len(text.encode("utf-16-le")) // 2 <= LONGEST for text in found)


def test_sheets_have_names_that_excel_takes(tmp_path: Path) -> None:
    names = ["", "a/b[c]:*?", "A_B_C____", "x" * 40, "x" * 41, "History", "Responses", "'"]
    found = list(book(dict.fromkeys(names, HEADS), {}, tmp_path))
    assert found == [
        "responses", "a_b_c____", "A_B_C____ 2", "x" * 31, "x" * 29 + " 2", "History 2", "Responses 2", "_",
    ]  # fmt: skip
    assert all(len(name) <= 31 for name in found)


def test_moments_that_spreadsheets_have_no_number_for_are_text(tmp_path: Path) -> None:
    heads = (Head("day", "date"), Head("moment", "moment"))
    rows: list[list[Any]] = [
        ["1899-12-31", dt.datetime(1850, 1, 1, tzinfo=dt.UTC)],
        ["1900-03-01", "2024-01-01T12:00:00+02:00"],
    ]
    assert book({"": heads}, {0: rows}, tmp_path)["responses"][1:] == [
        ("1899-12-31", "1850-01-01T00:00:00.000"),
        (dt.datetime(1900, 3, 1), dt.datetime(2024, 1, 1, 10)),  # noqa: DTZ001 -- as spreadsheets have them
    ]
