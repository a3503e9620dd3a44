"""The sheets of an XLSForm as they were read: rows of texts, by header, with their numbers in the file."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.errors import pointer


@dataclass(frozen=True, slots=True)
class Row:
    """`number` counts from 1 as spreadsheets do, the header included."""

    sheet: str
    number: int
    cells: dict[str, str]

    def at(self, column: str = "") -> str:
        """Where it stands, as a JSON Pointer: /survey/7/relevant."""
        return pointer(self.sheet, self.number, *([column] if column else []))


@dataclass(slots=True)
class Sheet:
    name: str
    headers: list[str]
    rows: list[Row]
    header_row: int = 1


@dataclass(slots=True)
class Workbook:
    """`sheets` by name in lower case. `notes`: what was found amiss while reading, by path."""

    sheets: dict[str, Sheet] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def rows(self, name: str) -> list[Row]:
        return self.sheets[name].rows if name in self.sheets else []
