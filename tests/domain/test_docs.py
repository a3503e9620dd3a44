"""docs/forms.md is true: its types are all types, its limits are the code's."""

from __future__ import annotations

import re
from pathlib import Path

from appliance.domain import answer, bounds, choices, definition, effort, faults, filters, node, survey_core

PAGE = (Path(__file__).resolve().parents[2] / "docs/forms.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_each_type_has_one_row() -> None:
    listed = [name for row in table("Question types") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(listed) == sorted({*survey_core.QUESTIONS, "panel"})


def test_named_properties_exist() -> None:
    known = {name for kind in survey_core.QUESTIONS for name in survey_core.properties(kind)}
    known |= {name for kind in ("survey", "matrixdropdowncolumn") for name in survey_core.properties(kind)}
    words = {word for row in table("Question types") for word in re.findall(r"`([a-z]+[A-Z]\w*)`", row[2])}
    assert words
    assert words <= known


def test_limits() -> None:
    told = [[int(number) for number in re.findall(r"\d+", row[1])] for row in table("Limits")]
    assert told == [
        [definition.MAX_BYTES, definition.MAX_DEPTH],
        [definition.MAX_TEXT],
        [definition.MAX_QUESTIONS],
        [node.MAX_NESTING],
        [choices.MAX_CHOICES],
        [definition.MAX_SHARED_CHOICES],
        [definition.MAX_SHARED_BYTES],
        [definition.MAX_CELLS],
        [effort.MAX_WEIGHT],
        [effort.MAX_TOTAL_WEIGHT],
        [effort.MAX_EFFORT],
        [definition.MAX_NAME],
        [survey_core.MAX_ROWS],
        [survey_core.MAX_PANELS],
        [answer.MAX_DEPTH],
        [faults.MOST],
    ]
    assert bounds.INT64 == 2**63
    assert f"at most {filters.MAX_TERMS} values" in PAGE
    assert f"at most {filters.MAX_VALUE} characters" in PAGE


def test_the_version() -> None:
    assert f"survey-core {survey_core.VERSION}" in PAGE
