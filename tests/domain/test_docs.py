"""docs/forms.md is true: its types are all types, its limits are the code's."""

from __future__ import annotations

import json
import re
from pathlib import Path

from appliance.domain import (
    answer,
    bounds,
    calculated,
    capacity,
    choices,
    definition,
    effort,
    expression_check,
    expression_parser,
    faults,
    filters,
    naming,
    reading,
    survey_core,
)

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
        [capacity.MAX_QUESTIONS],
        [reading.MAX_NESTING],
        [choices.MAX_CHOICES],
        [capacity.MAX_SHARED_CHOICES],
        [capacity.MAX_SHARED_BYTES],
        [capacity.MAX_CELLS],
        [effort.MAX_WEIGHT],
        [effort.MAX_TOTAL_WEIGHT],
        [expression_parser.MAX_NESTING],
        [expression_check.MAX_STEPS],
        [expression_parser.MAX_NODES],
        [expression_check.MAX_TOTAL_NODES],
        [calculated.MAX_CALCULATED],
        [effort.MAX_COMPUTED],
        [effort.MAX_EFFORT],
        [naming.MAX_NAME],
        [survey_core.MAX_ROWS],
        [survey_core.MAX_PANELS],
        [answer.MAX_DEPTH],
        [faults.MOST],
    ]
    assert bounds.INT64 == 2**63
    assert f"at most {filters.MAX_TERMS} values" in PAGE
    assert f"at most {filters.MAX_VALUE} characters" in PAGE


def test_the_languages_are_those_of_the_server_and_of_the_page() -> None:
    package = Path(survey_core.__file__).parents[1]
    texts = json.loads((package / "domain/survey_core_texts.json").read_text(encoding="utf-8"))["texts"]
    page = json.loads((package / "web/static/form/manifest.json").read_text(encoding="utf-8"))["languages"]
    assert page.keys() == texts.keys()
    assert f"({len(texts)}, in `appliance/domain/survey_core_texts.json`: those of" in PAGE
    about_the_page = (Path(__file__).resolve().parents[2] / "docs/page.md").read_text(encoding="utf-8")
    assert f"in {len(page)} languages" in about_the_page


def test_the_version() -> None:
    assert f"survey-core {survey_core.VERSION}" in PAGE
