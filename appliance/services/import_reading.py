"""Reading the lines of an import: CSV whose columns are those of our own export, or NDJSON.

A file is text from strangers: a line has LONGEST bytes at most, and what cannot be read is told with its
line, never guessed at. Once CSV is broken (a quote that does not close, say) nobody knows where the next row
begins, so nothing after it is read.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator, Mapping
from typing import IO, Any, Final, NamedTuple

import msgspec
from msgspec import Struct, field

from appliance.domain.columns import Column, ColumnMap
from appliance.domain.faults import token
from appliance.domain.flatten import rebuild
from appliance.domain.frames import EXTRA, SYSTEM
from appliance.errors import BadRequest, FieldError, Invalid, Problem, TooLarge
from appliance.services import shape_faults
from appliance.services.shapes import Moment, SubmissionMeta
from appliance.stores.export_csv import unescaped

LONGEST: Final = 4 * 1024 * 1024
"""Bytes of a line, or of a row of CSV: an answer of 1 MB full of quotes takes more than two."""
_DELIMITERS: Final = (",", ";", "\t")
_META: Final = ("started_at", "completion_time", "language", "source")
_UNREADABLE: Final = "This row cannot be read as CSV, and nothing after it was"


class ImportMeta(SubmissionMeta, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """As our own responses have it."""

    original_created_at: Moment | None = None
    address: str | None = None


class ImportLine(Struct, forbid_unknown_fields=True, kw_only=True):
    """A submission, or a whole response of ours; of the latter's own fields few are taken over."""

    data: Any
    meta: ImportMeta = field(default_factory=ImportMeta)
    created_at: Moment | None = None
    submitter: str | None = None
    response_id: Any = None
    form_id: Any = None
    form_version: Any = None
    updated_at: Any = None
    status: Any = None
    tags: Any = None
    revision: Any = None
    key: Any = None


class Item(NamedTuple):
    """What stands on one line; `end` is the place in the file behind it."""

    line: int
    end: int
    given: ImportLine | Problem


def items(file: IO[bytes], media: str, columns: ColumnMap) -> Iterator[Item]:
    """All lines that are not empty. Raises Invalid for a head that does not fit the form."""
    return _csv_items(file, columns) if media == "csv" else _json_items(file)


def check_head(file: IO[bytes], columns: ColumnMap) -> None:
    """Raises Invalid with each column that the form has not, or that the file has twice."""
    _head(file, columns)


# -- NDJSON


def _json_items(file: IO[bytes]) -> Iterator[Item]:
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        is_cut = len(line) > LONGEST
        while len(line) > LONGEST and not line.endswith(b"\n"):
            line = file.readline(LONGEST + 1)
        if is_cut:
            yield Item(number, file.tell(), TooLarge(f"A line has at most {LONGEST} bytes."))
        elif line.strip():
            yield Item(number, file.tell(), _decoded(line))


def _decoded(line: bytes) -> ImportLine | Problem:
    try:
        return msgspec.json.decode(line, type=ImportLine)
    except msgspec.ValidationError as fault:
        found = shape_faults.told(fault, ImportLine)
        return BadRequest(f"Not a response: {found.message}", errors=[found])
    except RecursionError:
        return BadRequest("The line is nested too deeply.")
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        return BadRequest(f"Not JSON: {fault}")


# -- CSV


class _Head(NamedTuple):
    answers: dict[int, Column]
    """By their place in a row; flags are not read."""
    others: dict[str, int]
    width: int
    delimiter: str


def _csv_items(file: IO[bytes], columns: ColumnMap) -> Iterator[Item]:
    head, lines = _head(file, columns)
    rows = csv.reader(lines, delimiter=head.delimiter, strict=True)
    while True:
        first = lines.number + 1
        try:
            row = next(rows, None)
        except TooLarge as fault:
            yield Item(first, lines.end, TooLarge(f"{_UNREADABLE}: {fault.detail}"))
            return
        except csv.Error as fault:
            yield Item(first, lines.end, BadRequest(f"{_UNREADABLE}: {fault}."))
            return
        if row is None:
            return
        lines.begin()
        if row:
            yield Item(first, lines.end, _row(head, row))


class _Lines:
    """The file's lines as text, for `csv`, from its beginning. Raises TooLarge for a row that is too long."""

    def __init__(self, file: IO[bytes]) -> None:
        self._lines = _split(file)
        self.number = self._bytes = 0
        self.end = 0
        """The place in the file behind the last one."""

    def begin(self) -> None:
        """A row has been read; the next one begins."""
        self._bytes = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.end += len(line)
        self._bytes += len(line)
        if self._bytes > LONGEST:
            raise TooLarge(f"a row has at most {LONGEST} bytes")
        self.number += 1
        # What is not UTF-8 is told with its row, for others may be.
        return line.decode("utf-8", "surrogateescape")


def _split(file: IO[bytes]) -> Iterator[bytes]:
    """Lines with their ends: LF, CR LF, or CR alone, as old Macs write. `csv` takes CR alone for the end of
    a row too, but not with the next row behind it. One that is too long comes in parts.
    """
    file.seek(0)
    rest = b""
    while chunk := file.readline(LONGEST + 1):
        lines = (rest + chunk).splitlines(keepends=True)
        rest = b"" if chunk.endswith(b"\n") else lines.pop()  # a CR may yet turn out to be half of an end
        yield from lines
        if len(rest) > LONGEST:
            yield rest
            rest = b""
    if rest:
        yield rest


def _head(file: IO[bytes], columns: ColumnMap) -> tuple[_Head, _Lines]:
    """Its first row, whichever of the usual delimiters makes sense of it; and the lines behind it."""
    csv.field_size_limit(LONGEST)
    first: list[FieldError] | None = None
    for delimiter in _DELIMITERS:
        lines = _Lines(file)
        try:
            names = next(csv.reader(_without_mark(lines), delimiter=delimiter, strict=True), [])
        except (csv.Error, TooLarge) as fault:
            raise Invalid(
                "The head of the file cannot be read.", errors=[FieldError("", str(fault))]
            ) from None
        head, faults = _understood([unescaped(name) for name in names], columns, delimiter)
        if not faults:
            lines.begin()
            return head, lines
        first = faults if first is None else first
    raise Invalid("The columns of the file are not those of the form.", errors=(first or [])[:50])


def _without_mark(lines: Iterator[str]) -> Iterator[str]:
    for place, line in enumerate(lines):
        yield line.removeprefix("\ufeff") if place == 0 else line


def _understood(names: list[str], columns: ColumnMap, delimiter: str) -> tuple[_Head, list[FieldError]]:
    known = {column.name: column for column in columns.main.columns}
    others = {head.name for head in (*SYSTEM, EXTRA)}
    head = _Head({}, {}, len(names), delimiter)
    faults, seen = [], set()
    for place, name in enumerate(names):
        told = name.encode("utf-8", "replace").decode()
        if name in seen:
            faults.append(FieldError(token(told), "the file has this column twice"))
        elif name in known:
            head.answers[place] = known[name]
        elif name in others:
            head.others[name] = place
        else:
            faults.append(FieldError(token(told), "the form has no such column"))
        seen.add(name)
    joined = {column.path for column in head.answers.values() if column.kind != "flag"}
    for column in head.answers.values():
        if column.kind == "flag" and column.path not in joined:
            lacking = Column(column.path, "choices").name
            faults.append(FieldError(token(column.name), f"the column {lacking} with all choices is missing"))
    if not head.answers and not faults:
        faults.append(FieldError("", "the file has no column with answers"))
    return head, faults


def _row(head: _Head, row: list[str]) -> ImportLine | Problem:
    if len(row) != head.width:
        return BadRequest(f"The row has {len(row)} cells; the head has {head.width}.")
    try:
        for cell in row:
            if not cell.isascii():
                cell.encode()
        other = {name: unescaped(row[place]) for name, place in head.others.items()}
        extra = _extra(other.get("extra", ""))
        data = rebuild(((column, unescaped(row[place])) for place, column in head.answers.items()), extra)
        return msgspec.convert({"data": data, **_about(other)}, ImportLine, strict=False)
    except UnicodeEncodeError:
        return BadRequest("The row is not UTF-8.")
    except (ValueError, RecursionError, msgspec.MsgspecError) as fault:
        return BadRequest(f"The row cannot be read: {fault}")


def _about(other: Mapping[str, str]) -> dict[str, Any]:
    meta: dict[str, Any] = {name: other[name] for name in (*_META, "original_created_at") if other.get(name)}
    found: dict[str, Any] = {name: other[name] for name in ("created_at", "submitter") if other.get(name)}
    return {**found, "meta": meta}


def _extra(text: str) -> dict[str, Any]:
    """Raises ValueError."""
    found = msgspec.json.decode(text) if text else {}
    if not isinstance(found, dict):
        raise ValueError("extra: a JSON object is needed")
    return found


def original(given: ImportLine) -> dt.datetime | None:
    """When it was first answered, as the file says."""
    return given.meta.original_created_at or given.created_at
