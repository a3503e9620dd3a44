"""CSV (RFC 4180, UTF-8) that spreadsheets do not take for formulas, and that comes back as it was."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
from collections.abc import Iterable, Sequence
from typing import IO, Any, Final

from appliance.domain.frames import Frame, Head, mapped

_FORMULA: Final = frozenset("=+-@\t\r")
_AFTER_QUOTE: Final = _FORMULA | {"'"}
_TEXTS: Final = frozenset({"text", "choice", "choices", "json"})


class CsvWriter:
    def __init__(self, file: IO[bytes], heads: tuple[Head, ...], zone: dt.tzinfo, *, bom: bool) -> None:
        self._file, self._heads, self._zone = file, heads, zone
        if bom:
            file.write(codecs.BOM_UTF8)
        self._write([[escaped(head.name) for head in heads]])

    def write(self, frame: Frame) -> None:
        columns = [_column(head, cells, self._zone) for head, cells in zip(self._heads, frame, strict=True)]
        self._write(zip(*columns, strict=True))

    def _write(self, rows: Iterable[Sequence[Any]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        self._file.write(text.getvalue().encode())


def _column(head: Head, cells: list[Any], zone: dt.tzinfo) -> list[Any]:
    if head.kind in _TEXTS:
        return [escaped(cell) if type(cell) is str and cell[:1] in _AFTER_QUOTE else cell for cell in cells]
    if head.kind == "boolean":
        return mapped(cells, lambda cell: "true" if cell else "false")
    if head.kind == "moment":
        return mapped(cells, lambda cell: cell if isinstance(cell, str) else moment_text(cell, zone))
    return cells


def moment_text(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """RFC 3339 in that zone, with milliseconds."""
    return moment.astimezone(zone).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def escaped(text: str) -> str:
    """With a `'` before what would be a formula, and before what would be taken for so escaped."""
    if text[:1] in _FORMULA or (text[:1] == "'" and text[1:2] in _AFTER_QUOTE):
        return f"'{text}"
    return text


def unescaped(text: str) -> str:
    """The inverse of `escaped`, exactly."""
    return text[1:] if text[:1] == "'" and len(text) > 1 and text[1] in _AFTER_QUOTE else text
