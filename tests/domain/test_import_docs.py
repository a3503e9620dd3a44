"""docs/import.md is true: its tables name what the code carries over, no more and no less."""

from __future__ import annotations

import re

import pytest

from appliance.domain import imported, schema_import, schema_lists, schema_questions
from appliance.domain.xlsform import columns, tree, xpath
from appliance.domain.xlsform.functions import FUNCTIONS, NONE
from appliance.domain.xlsform.question_types import LEFT_OUT, SIMPLE, read_type
from appliance.services import import_child, imports, spreadsheets
from appliance.settings import HOME

PAGE = (HOME / "docs/import.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    return PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]


def rows(heading: str) -> list[list[str]]:
    lines = [line.strip("|").split("|") for line in section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in lines[2:]]


def words(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_types() -> None:
    listed = [name for row in rows("XLSForm: types") for name in words(row[0])]
    simple = {name for name in listed if read_type(name).what == "simple"}
    assert simple == set(SIMPLE)
    others = [name for name in listed if name not in simple]
    assert {read_type(f"{name} x").what for name in others if not name.startswith("begin")} == {
        "one", "multiple", "rank", "from file",
    }  # fmt: skip
    assert {read_type(name).name for name in others if name.startswith("begin")} == {"group", "repeat"}
    told = section("XLSForm: types").split("Left out, each with a warning:")[1].split("; and every")[0]
    assert words(told) == list(LEFT_OUT)


def test_columns() -> None:
    for sheet, carried in rows("XLSForm: columns"):
        names = [name for name in words(carried) if name != "choice_filter" or "survey" in sheet]
        assert sorted(names) == sorted(columns.CARRIED[words(sheet)[0]])


def test_functions() -> None:
    listed = [name for row in rows("XLSForm: expressions") for name in words(row[0])]
    assert sorted(listed) == sorted(FUNCTIONS)
    told = words(section("XLSForm: expressions").split("Everything else is not carried over")[1])
    assert {name.removesuffix("()") for name in told if name.endswith("()")} <= set(NONE)


def test_formats() -> None:
    [row] = [row for row in rows("JSON Schema") if "`format`" in row[0]]
    assert words(row[0])[2:] == list(schema_questions.FORMATS)
    text = section("JSON Schema")
    assert f"from {schema_lists.FEW + 1} choices on" in text
    assert f"from {schema_questions.LONG} on" in text


def test_limits() -> None:
    assert [int(re.findall(r"\d+", row[1])[0]) for row in rows("Limits")] == [
        imports.LARGEST,
        spreadsheets.MAX_UNPACKED,
        spreadsheets.MAX_ROWS,
        spreadsheets.MAX_COLUMNS,
        tree.MAX_NESTING,
        xpath.MAX_NODES,
        schema_import.MAX_PARTS,
        schema_import.MAX_NESTING,
        imported.MAX_WARNINGS,
    ]
    assert f"{import_child.MEMORY // 2**20} MB of memory and {import_child.CPU_SECONDS} s of CPU" in PAGE
    assert f"After {imports.READ_SECONDS:g} s" in PAGE


@pytest.mark.parametrize("word", words(section("XLSForm: types")))
def test_every_type_that_is_named_is_known(word: str) -> None:
    if re.fullmatch(r"[a-z]+(?: [a-z]+)+", word):
        assert read_type(f"{word} x").what != "unknown" or read_type(word).what != "unknown", word
