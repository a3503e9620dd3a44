"""XLSX with typed cells, in constant memory.

xlsxwriter makes the workbook; the rows of its sheets are put in as they come, because through its own cells
they take ten times as long (170 µs a row of 57 columns against 16; openpyxl takes 270). A sheet that is full
goes on in another one. Only one entry of a zip file can be open, so the rows of all tables but the first wait
in a temporary file without a name.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

from appliance.domain.cells import Memo, remembered
from appliance.domain.columns import Kind
from appliance.domain.dates import parse
from appliance.domain.frames import Frame, Head, moments

MOST_ROWS: Final = 1_048_576
"""Of a sheet, with its head."""
LONGEST: Final = 32_767
"""UTF-16 units of a cell; longer texts are cut, and end in `…`."""
_SCHEMA: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_BEGIN: Final = (
    f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<worksheet xmlns="{_SCHEMA}"><sheetViews>'
    '<sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    "</sheetView></sheetViews><sheetData>"
).encode()
_END: Final = b"</sheetData></worksheet>"
_FORMATS: Final[tuple[tuple[Kind, str], ...]] = (
    ("date", "yyyy-mm-dd"),
    ("datetime", "yyyy-mm-dd hh:mm:ss"),
    ("time", "hh:mm:ss"),
)
_STYLE: Final = {kind: place for place, (kind, _) in enumerate(_FORMATS, 1)}
_EPOCH: Final = dt.datetime(1899, 12, 30)  # noqa: DTZ001 -- a spreadsheet's days have no zone
_FIRST: Final = dt.datetime(1900, 3, 1)  # noqa: DTZ001 -- before it, spreadsheets disagree on the numbers
_UNCLEAN: Final = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_x[0-9a-fA-F]{4}_")
_EMPTY: Final = "<c/>"
_ONE_DAY: Final = dt.timedelta(days=1)


class XlsxWriter:
    """`tables` are the heads by their names, the main one first."""

    def __init__(
        self, file: IO[bytes], tables: dict[str, tuple[Head, ...]], zone: dt.tzinfo, folder: Path
    ) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._sheets = _Sheets(self._zip)
        main, *others = tables.items()
        self._main = _Table(main, zone, self._sheets.begin, lambda sheet: sheet.close())
        self._others = [_Kept(one, zone, folder) for one in others]
        self._tables = [self._main, *(one.table for one in self._others)]

    def write(self, table: int, frame: Frame) -> None:
        self._tables[table].write(frame)

    def finish(self) -> None:
        self._main.end()
        for one in self._others:
            one.table.end()
            for kept in one.full:
                with self._sheets.begin(one.table.name) as sheet, kept:
                    kept.seek(0)
                    shutil.copyfileobj(kept, sheet, 256 * 1024)
        self._sheets.finish()
        self._zip.close()


class _Table:
    """One table on as many sheets as it needs."""

    def __init__(
        self,
        table: tuple[str, tuple[Head, ...]],
        zone: dt.tzinfo,
        begin: Callable[[str], IO[bytes]],
        end: Callable[[IO[bytes]], None],
    ) -> None:
        self.name, self._heads = table
        most = remembered(len(self._heads))
        self._memos = [_memo(head.kind, most) for head in self._heads]
        self._zone, self._begin, self._end = zone, begin, end
        self._sheet, self._left = self._next()

    def write(self, frame: Frame) -> None:
        columns = [
            _cells(head.kind, memo, cells, self._zone)
            for head, memo, cells in zip(self._heads, self._memos, frame, strict=True)
        ]
        rows = [f"<row>{''.join(cells)}</row>" for cells in zip(*columns, strict=True)]
        while rows:
            if not self._left:
                self.end()
                self._sheet, self._left = self._next()
            part, rows = rows[: self._left], rows[self._left :]
            self._sheet.write("".join(part).encode())
            self._left -= len(part)

    def end(self) -> None:
        self._sheet.write(_END)
        self._end(self._sheet)

    def _next(self) -> tuple[IO[bytes], int]:
        sheet = self._begin(self.name)
        sheet.write(_BEGIN)
        names = "".join(_text(head.name) for head in self._heads)
        sheet.write(f"<row>{names}</row>".encode())
        return sheet, MOST_ROWS - 1


class _Kept:
    """A table whose sheets wait until the main one is written."""

    def __init__(self, table: tuple[str, tuple[Head, ...]], zone: dt.tzinfo, folder: Path) -> None:
        self.full: list[IO[bytes]] = []
        self.table = _Table(table, zone, lambda _: _spool(folder), self.full.append)


def _spool(folder: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=folder)


class _Sheets:
    """The entries of the workbook's sheets, and what makes a workbook of them."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive
        self._names: list[str] = []

    def begin(self, table: str) -> IO[bytes]:
        self._names.append(_sheet_name(table or "responses", self._names))
        return self._zip.open(f"xl/worksheets/sheet{len(self._names)}.xml", "w", force_zip64=True)

    def finish(self) -> None:
        import xlsxwriter  # 2 MiB, in each process that never makes a workbook

        frame = io.BytesIO()
        with xlsxwriter.Workbook(frame, {"in_memory": True}) as book:
            sheets = [book.add_worksheet(name) for name in self._names]
            for row, (_, pattern) in enumerate(_FORMATS):  # a format gets its number where it is first used
                sheets[0].write_number(row, 0, 0, book.add_format({"num_format": pattern}))
        with zipfile.ZipFile(frame) as made:
            for name in made.namelist():
                if not name.startswith("xl/worksheets/"):
                    self._zip.writestr(name, made.read(name))


def _sheet_name(table: str, taken: list[str]) -> str:
    """At most 31 characters, some of them not, and whatever its case only once."""
    plain = re.sub(r"[\[\]:*?/\\\x00-\x1f]", "_", table).strip("'")[:31] or "_"
    lower, name, number = {one.lower() for one in taken}, plain, 1
    while name.lower() in lower or name.lower() == "history":
        number += 1
        name = f"{plain[: 30 - len(str(number))]} {number}"
    return name


def _memo(kind: Kind, most: int) -> Memo | None:
    """How the cells of a column are spelled, each different one once; None where they can be of any type."""
    if kind in ("number", "flag"):
        return Memo(_number, _EMPTY, most)
    if kind == "boolean":
        return Memo(_boolean, _EMPTY, most)
    return None if kind in ("moment", "choice") else Memo(_TIMES.get(kind, _text), _EMPTY, most)


def _cells(kind: Kind, memo: Memo | None, cells: list[Any], zone: dt.tzinfo) -> list[str]:
    if memo is not None:
        return list(map(memo.__getitem__, cells))
    if kind == "moment":
        return [_EMPTY if one is None else _local(one, zone) for one in moments(cells)]
    return [_EMPTY if cell is None else _scalar(cell) for cell in cells]


def _number(cell: float) -> str:
    return f"<c><v>{cell!r}</v></c>"


def _boolean(cell: bool) -> str:
    return f'<c t="b"><v>{cell:d}</v></c>'


def _scalar(cell: Any) -> str:
    return _text(cell) if type(cell) is str else _number(cell)


def _text(text: str) -> str:
    """A string in the sheet itself: a table of shared ones would have to be held in memory."""
    if len(text) > LONGEST // 2 and len(text.encode("utf-16-le")) // 2 > LONGEST:
        text = text.encode("utf-16-le")[: 2 * (LONGEST - 1)].decode("utf-16-le", "ignore") + "…"
    if "_x" in text or not text.isprintable():
        text = _UNCLEAN.sub(_spelled, text)
    if "&" in text or "<" in text or ">" in text:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _spelled(found: re.Match[str]) -> str:
    """ECMA-376, ST_Xstring: what XML cannot say, and what would be taken for so spelled."""
    text = found[0]
    return f"_x005F{text}" if len(text) > 1 else f"_x{ord(text):04X}_"


def _date(cell: str) -> str:
    return _serial(parse("date", cell).replace(tzinfo=None), "date", cell)


def _datetime(cell: str) -> str:
    return _serial(parse("datetime-local", cell).replace(tzinfo=None), "datetime", cell)


def _time(cell: str) -> str:
    moment = parse("time", cell)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return f'<c s="{_STYLE["time"]}"><v>{(moment - midnight) / _ONE_DAY!r}</v></c>'


def _local(moment: dt.datetime, zone: dt.tzinfo) -> str:
    return _serial(moment.astimezone(zone).replace(tzinfo=None), "datetime", "")


def _serial(moment: dt.datetime, kind: Kind, text: str) -> str:
    """Days since the epoch of spreadsheets; the text itself where they have no number for it."""
    if moment < _FIRST:
        return _text(text or moment.isoformat(timespec="milliseconds"))
    days = (moment - _EPOCH) / _ONE_DAY
    return f'<c s="{_STYLE[kind]}"><v>{days!r}</v></c>'


_TIMES: Final[dict[Kind, Callable[[str], str]]] = {"date": _date, "datetime": _datetime, "time": _time}
