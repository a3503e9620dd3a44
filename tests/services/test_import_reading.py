"""CSV that we write is CSV that we read: every text, in every cell, whoever cut the file."""

from __future__ import annotations

import csv
import datetime as dt
import io
import tempfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain.frames import MainFrames
from appliance.errors import Invalid, Problem
from appliance.services.import_reading import LONGEST, ImportLine, Item, items
from appliance.stores.export_csv import CsvWriter, escaped, unescaped
from tests.domain.test_columns import EVERY, NAMES, VALUES, same

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 678_000, dt.UTC)
_RISKY = "=+-@\t\r\n'\",;|\\ab5\x00\x1b\ufeff\u2028é👍"


def row(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "_id": "id", "form_version": 1, "created_at": NOW, "updated_at": NOW, "submitter": None,
        "status": "accepted", "tags": ["a|b", "c"], "revision": 1, "meta": {"language": "de"}, "data": data,
    }  # fmt: skip


def written(*rows: dict[str, Any], bom: bool = False) -> bytes:
    frames, file = MainFrames(EVERY), io.BytesIO()
    lines = CsvWriter(file, frames.heads, dt.UTC, bom=bom)
    lines.write(frames.frame([row(data) for data in rows]))
    return file.getvalue()


def read(content: bytes) -> list[Item]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        return list(items(file, "csv", EVERY))


def given_of(item: Item) -> ImportLine:
    assert not isinstance(item.given, Problem), item.given.detail
    return item.given


@given(st.text(max_size=6) | st.text(st.sampled_from(_RISKY), max_size=6))
def test_an_escape_is_undone_exactly_and_starts_no_formula(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert escaped(text)[:1] not in set("=+-@\t\r")
    if text[:1] not in set("=+-@\t\r'"):
        assert escaped(text) == text


@settings(max_examples=300)
@given(
    st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6), min_size=1, max_size=4),
    st.booleans(),
)
def test_whatever_is_answered_comes_back_from_a_file(rows: list[dict[str, Any]], bom: bool) -> None:
    found = [given_of(item) for item in read(written(*rows, bom=bom))]
    assert same([one.data for one in found], rows)
    assert {one.meta.language for one in found} == {"de"}


@given(st.lists(st.text(st.sampled_from(_RISKY), min_size=1, max_size=9), min_size=1, max_size=5))
def test_texts_come_back_and_other_readers_read_the_same(texts: list[str]) -> None:
    content = written(*({"text": text} for text in texts))
    assert [given_of(item).data for item in read(content)] == [{"text": text} for text in texts]
    head, *rows = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    place = head.index("text")
    assert [unescaped(cells[place]) for cells in rows] == texts


@given(st.binary(max_size=300))
def test_no_file_breaks_the_reader(content: bytes) -> None:
    try:
        found = read(b"text,number\r\n" + content)
    except Invalid:
        return
    assert [item.line for item in found] == sorted(item.line for item in found)
    for item in found:
        assert isinstance(item.given, ImportLine | Problem)


@given(st.binary(max_size=100))
def test_no_head_breaks_the_reader(content: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        read(content.replace(b"text", b"") + b"\x01")
    assert refused.value.errors


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_lines_end_as_any_machine_writes_them(end: bytes) -> None:
    """Also CR alone, as old Macs have it; within quotes it is data, whatever the lines end with."""
    lines = [b"text,number", b"a,1", b'"b\rc",2', b'"d\r\n\re",3', b"", b"f,4"]
    for last in (end, b""):
        found = read(end.join(lines) + last)
        assert [given_of(item).data for item in found] == [
            {"text": "a", "number": 1},
            {"text": "b\rc", "number": 2},
            {"text": "d\r\n\re", "number": 3},
            {"text": "f", "number": 4},
        ]
        assert [item.line for item in found] == [2, 3, 5, 9]
        assert found[-1].end == len(end.join(lines) + last)


def test_ends_at_the_seams_of_what_is_read_at_once() -> None:
    """A file without LF is read in pieces of LONGEST bytes, which may part a row, or CR from LF."""
    row = b"x" * 1000 + b",1\r"
    count = LONGEST // len(row) * 2
    found = read(b"text,number\r" + row * count)
    assert [item.line for item in found] == list(range(2, count + 2))
    assert all(given_of(item).data["number"] == 1 for item in found)
    before = b"text,number\r" + row * (LONGEST // len(row) - 1)
    for length in range(LONGEST - 3, LONGEST + 3):
        padded = before + b"p" * (length - len(before) - 2) + b",2"
        last = read(padded + b"\r\n" + b"z,8\r\n")[-1]
        assert (last.line, given_of(last).data) == (LONGEST // len(row) + 2, {"text": "z", "number": 8})


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_a_row_that_is_too_long_is_told_and_nothing_after_it_is_read(end: bytes) -> None:
    found = read(end.join([b"text,number", b"a,1", b"y" * (LONGEST + 9), b"z,8"]))
    assert [(item.line, isinstance(item.given, Problem)) for item in found] == [(2, False), (3, True)]


def test_a_line_is_the_one_on_which_its_row_begins() -> None:
    content = b'text,number\n"a\nb\nc",1\n\nx,2\n,3,\n'
    found = read(content)
    assert [(item.line, isinstance(item.given, Problem)) for item in found] == [
        (2, False),
        (6, False),
        (7, True),
    ]
