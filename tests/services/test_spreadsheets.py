"""What is read of xlsx and csv files, and under which row it is told."""

from __future__ import annotations

import datetime as dt
import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import xlsxwriter

from appliance.errors import Invalid
from appliance.services import spreadsheets
from appliance.services.spreadsheets import read
from appliance.settings import HOME


def written(fill: Callable[[Any], None]) -> bytes:
    """As Excel writes it: texts in a part of their own, values of formulas beside them."""
    kept = io.BytesIO()
    with xlsxwriter.Workbook(kept) as book:
        fill(book)
    return kept.getvalue()


def _survey(book: Any) -> None:
    sheet = book.add_worksheet("Survey ")
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    for place, header in enumerate(("type", "name", "label", "default", "")):
        sheet.write(0, place, header)
    sheet.write_row(1, 0, ["text", "a", " spaces\xa0around "])
    sheet.write_row(4, 0, ["integer", "b", True, 5.0])
    sheet.write_row(5, 0, ["decimal", "c", False, 5.25])
    sheet.write_row(6, 0, ["date", "d"])
    sheet.write_datetime(6, 3, dt.date(2026, 11, 27), day)
    sheet.write_formula(7, 0, '="te"&"xt"', None, "text")
    sheet.write(7, 1, "e")
    sheet.write(8, 4, "below no header")
    book.add_worksheet("choices").write_row(0, 0, ["list_name", "name"])
    book.add_worksheet("My notes").write(0, 0, "anything")


def test_an_xlsx_as_excel_writes_it() -> None:
    book = read(written(_survey))
    assert list(book.sheets) == ["survey", "choices", "my notes"]
    assert {row.number: row.cells for row in book.rows("survey")} == {
        2: {"type": "text", "name": "a", "label": "spaces around"},
        5: {"type": "integer", "name": "b", "label": "TRUE", "default": "5"},
        6: {"type": "decimal", "name": "c", "label": "FALSE", "default": "5.25"},
        7: {"type": "date", "name": "d", "default": "2026-11-27"},
        8: {"type": "text", "name": "e"},
        9: {},
    }
    assert book.notes == [("/survey/9", "cells below no header are left out")]
    assert book.rows("my notes") == []


def test_a_lone_sheet_is_the_survey() -> None:
    book = read(written(lambda made: made.add_worksheet("Sheet1").write_row(0, 0, ["type", "name"])))
    assert book.sheets["survey"].headers == ["type", "name"]


STACKED = """\
survey,,,
,type,name,label
,text,a,"A, with a comma"

,note,b,"two
lines"
choices,,,
,list_name,name,label
,yn,yes,Yes
"""


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_csv_of_several_sheets(delimiter: str, encoding: str) -> None:
    text = STACKED.replace("A, with", "A with").replace(",", delimiter)
    book = read(text.encode(encoding))
    assert [(row.number, row.cells["name"]) for row in book.rows("survey")] == [(3, "a"), (5, "b")]
    assert book.rows("survey")[1].cells["label"] == "two\nlines"
    assert [(row.number, row.cells) for row in book.rows("choices")] == [
        (8, {"list_name": "yn", "name": "yes", "label": "Yes"})
    ]


def test_a_csv_of_one_sheet() -> None:
    book = read(b"type,name,label\ntext,a,A\n,,\nnote,b,B\n")
    assert [(row.number, row.cells["name"]) for row in book.rows("survey")] == [(2, "a"), (4, "b")]


@pytest.mark.parametrize(
    "body, why",
    [
        (b"", "whose first column names the sheets"),
        (b"a,b\nc,d\n", "whose first column names the sheets"),
        ("survey,,\n,type,name\n,text,ä\n".encode("latin-1"), "UTF-8"),
        (b"survey,,\n,type,type\n,text,a\n", "two columns of this name"),
        (b"survey,,\n,type,name\n,text," + b"x" * 40_000, "characters"),
        (b'survey,,\n,type,name\n,text,"' + b"x" * 200_000, "field larger than"),
        (b"\xd0\xcf\x11\xe0rest", "save it as .xlsx"),
        (b"PK\x05\x06" + b"\0" * 18, "cannot be read|can be read"),
    ],
)
def test_what_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read(body)
    message = refusal.value.errors[0].message
    assert any(part in message for part in why.split("|")), message


def test_rows_that_are_only_formatted_do_not_count() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet("survey")
        sheet.write_row(0, 0, ["type", "name"])
        sheet.write_row(1, 0, ["text", "a"])
        bold = book.add_format({"bold": True})
        for number in range(2, spreadsheets.MAX_ROWS + 500):
            sheet.write_blank(number, 0, None, bold)

    assert len(read(written(fill)).rows("survey")) == 1


def test_the_api_does_not_load_what_only_the_child_needs() -> None:
    told = (
        "import sys, appliance.app; print([name for name in sys.modules if name.split('.')[0] in "
        "('openpyxl', 'defusedxml', 'pyxform') or name.startswith('appliance.domain.xlsform')])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", told],
        env={"PYTHONPATH": str(HOME)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
