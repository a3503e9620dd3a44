"""survey-core and we, on the same form and data: the same verdict, in the same words."""

from __future__ import annotations

import random
from typing import Any

import pytest

from appliance.domain.comparison import values_equal
from appliance.domain.form import compile_definition
from appliance.domain.survey_core import QUESTIONS
from tests.domain.conditions import settled
from tests.domain.forms import answer_faults, check_answers
from tests.domain.oracle import Oracle
from tests.domain.pairs import CHOICE, MATRIX, PANEL, TEXT, VALIDATORS, pairs

Json = dict[str, Any]
PAIRS = list(pairs())


@pytest.mark.parametrize("form, data", [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
def test_same_verdict(survey_core: Oracle, form: Json, data: Json) -> None:
    verdict = survey_core.judge(form, data)
    made = compile_definition(form)
    ours = sorted(message for _, message in answer_faults(made, data))
    assert ours == verdict.errors
    assert verdict.valid == (not ours)
    if verdict.valid:
        assert values_equal(plain(check_answers(made, data)), plain(verdict.data)), (form, data)


def plain(value: Any) -> Any:
    """Without what is empty; a choice that has no comment is its value, as we store it."""
    value = settled(value)
    if isinstance(value, list):
        return [
            item["value"] if isinstance(item, dict) and list(item) == ["value"] else item for item in value
        ]
    return {name: plain(item) for name, item in value.items()} if isinstance(value, dict) else value


def test_each_type_is_judged() -> None:
    seen = {
        element["type"]
        for _, form, _ in PAIRS
        for page in form.get("pages", [form])
        for element in page.get("elements", page.get("questions", ()))
    }
    assert seen >= QUESTIONS
    assert len(PAIRS) >= 120


@pytest.mark.parametrize("seed", range(40))
def test_same_verdict_on_random_forms(survey_core: Oracle, seed: int) -> None:
    """Elements of the tables thrown together, required or not, on pages and in panels."""
    chance = random.Random(seed)
    tables = [row for table in (TEXT, VALIDATORS, CHOICE, MATRIX, PANEL) for row in table]
    pages: list[Json] = []
    data: Json = {}
    for number in range(chance.randint(1, 12)):
        element, answers = chance.choice(tables)
        name = f"q{number}"
        element = {**element, "name": name}
        if chance.random() < 0.3:
            element["isRequired"] = chance.random() < 0.7
        answer = chance.choice(answers)
        if answer is not None and chance.random() < 0.8:
            data[name] = answer
        if chance.random() < 0.3:
            element = {
                "type": "panel",
                "name": f"p{number}",
                "isRequired": chance.random() < 0.5,
                "elements": [element],
            }
        if not pages or chance.random() < 0.4:
            pages.append({"elements": []})
        pages[-1]["elements"].append(element)
    test_same_verdict(survey_core, {"pages": pages}, data)


def test_stored_choices_are_spelled_as_survey_core_spells_them(survey_core: Oracle) -> None:
    """`"3"` for the choice 3 is one choice to both."""
    form = {"elements": [{"type": "radiogroup", "name": "q", "choices": [3], "isRequired": True}]}
    assert survey_core.judge(form, {"q": "3"}).valid
    assert answer_faults(compile_definition(form), {"q": "3"}) == []
