"""Forms as people make them, and answers as they come: survey-core and we say and store the same.

A file of `corpus/` is `{"definition": …, "answers": [{"data": …, "language"?: …, "refused"?: [path, …]}]}`.
`refused` names what the server must not take although survey-core does, because it trusts the page
(docs/forms.md, "What is stored"); nothing else is then said of these places.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from appliance.domain import answer
from appliance.domain.form import Form, compile_definition
from appliance.domain.json_schema import json_schema
from appliance.domain.survey_core import CELLS, QUESTIONS, properties
from appliance.errors import Invalid
from tests.agreement.compare import Pair, compare
from tests.agreement.run import pairs_of
from tests.domain.forms import NOW
from tests.domain.oracle import Oracle
from tests.domain.test_docs import PAGE

Json = dict[str, Any]
HERE = Path(__file__).parent / "corpus"
CORPUS: dict[str, Json] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted(HERE.glob("*.json"))
}
CLASSES = [
    *QUESTIONS,
    "survey",
    "panel",
    "matrixdropdowncolumn",
    "choiceitem",
    "setvaluetrigger",
    "calculatedvalue",
]

# Where we do not mean to agree, by cause; then form → answers, counted from 0.
ORDER = "survey-core takes an answer for its own default, or forgets a total, by what was there first"
NUMBERS = (
    "we store what stands for a number as one (docs/forms.md, What is stored), survey-core keeps the text"
)
LOST = "survey-core clears an imagemap in a dynamic panel at completion, although it shows"

KNOWN: dict[str, dict[str, set[int]]] = {
    ORDER: {
        "default_value_expressions": {1},
        "invoice_with_total_expressions": {4},
        "recipe_submission": {3},
    },
    NUMBERS: {
        "exam_mathematics": {3},
        "food_bank_intake": {2},
        "gdpr_data_request": {5},
        "income_tax_simple": {5},
        "indian_railway_feedback": {4},
        "iso_dates_and_numbers_at_the_edge": {4},
        "loan_calculator_set_value": {4},
        "shift_handover_plant": {2},
        "water_quality_field_log": {3},
    },
    LOST: {"accident_report": {0}},
}


def _known(name: str) -> set[int]:
    return {place for forms in KNOWN.values() for place in forms.get(name, ())}


@pytest.mark.parametrize("name", CORPUS)
def test_like_survey_core(survey_core: Oracle, name: str) -> None:
    differ = {
        place: told
        for place, one in enumerate(pairs_of(CORPUS[name]))
        if (told := _difference(survey_core, one)) is not None
    }
    assert {place: told for place, told in differ.items() if place not in _known(name)} == {}
    assert not _known(name) - differ.keys(), "these agree by now: take them out of KNOWN"


@pytest.mark.parametrize("name", CORPUS)
def test_what_is_stored_fits_the_json_schema(name: str) -> None:
    made = compile_definition(CORPUS[name]["definition"])
    validator = jsonschema_rs.Draft202012Validator(json_schema(made))
    for given in CORPUS[name]["answers"]:
        _, data = _ours(made, given)
        if data is not None:
            assert [one.message for one in validator.iter_errors(data)] == []


def test_known_differences_are_of_this_corpus() -> None:
    named = {(name, place) for forms in KNOWN.values() for name, places in forms.items() for place in places}
    assert named <= {(name, place) for name in CORPUS for place in range(len(CORPUS[name]["answers"]))}


def test_each_form_has_answers_of_both_kinds() -> None:
    """And the corpus has every type of question, column and validator, and what docs/forms.md names."""
    assert len(CORPUS) >= 150
    for name, one in CORPUS.items():
        assert 4 <= len(one["answers"]) <= 10, name
        made = compile_definition(one["definition"])
        assert {bool(_ours(made, given)[0]) for given in one["answers"]} == {True, False} or _known(name), (
            name
        )
    used = {word for one in CORPUS.values() for word in _words(one["definition"])}
    validators = {"numeric", "text", "regex", "email", "answercount", "expression"}
    assert used >= QUESTIONS | CELLS | validators
    named = set(re.findall(r"`([a-z]+[A-Z]\w*)`", PAGE.split("## Limits")[0]))
    known = {word for kind in CLASSES for word in properties(kind)} - {"choicesByUrl"}
    assert used >= named & known


def _words(value: Any) -> Iterator[str]:
    """Names of properties, and what is of which type."""
    if isinstance(value, dict):
        yield from value
        yield from (value[name] for name in ("type", "cellType") if isinstance(value.get(name), str))
        value = list(value.values())
    for one in value if isinstance(value, list) else ():
        yield from _words(one)


def _difference(survey_core: Oracle, one: Pair) -> str | None:
    found = compare(survey_core, one)
    if found.left_out and not one.wrong:
        return f"`refused` does not say so: {found}"
    return None if found.agrees else f"{found.cause}: {found.detail}"


def _ours(made: Form, given: Json) -> tuple[list[tuple[str, str]], Json | None]:
    try:
        return [], answer.check_answers(made, given["data"], NOW, [given.get("language")])
    except Invalid as invalid:
        return [(one.path, one.message) for one in invalid.errors], None
