"""What a valid definition is told about itself."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.domain.advice import advice
from appliance.domain.faults import MOST
from appliance.domain.form import compile_definition
from tests.domain.test_corpus import CORPUS

Json = dict[str, Any]
ROWS = {"type": "matrixdynamic", "name": "rows", "columns": [{"name": "n", "cellType": "text"}]}
AT = "/definition/elements/1"


def told(element: Json, **survey: Any) -> list[tuple[str, str]]:
    form = compile_definition({"elements": [{"type": "text", "name": "first"}, element], **survey})
    return [(one.path, one.message) for one in advice(form)]


@pytest.mark.parametrize(
    "element, path, message",
    [
        (
            {"type": "text", "name": "q", "visibleIf": "{frist} = 1"},
            AT + "/visibleIf",
            "{frist} names no question",
        ),
        (
            {**ROWS, "visibleIf": "{row} = 1 and {firs.t} > 2"},
            AT + "/visibleIf",
            "{firs.t}",
        ),
        (
            {"type": "text", "name": "q", "validators": [{"type": "expression", "expression": "{nope} > 1"}]},
            AT + "/validators/0/expression",
            "{nope}",
        ),
        (
            {"type": "text", "name": "q", "validators": [{"type": "regex", "regex": "^a$"}]},
            AT + "/validators/0",
            "survey-core says nothing",
        ),
        (
            {"type": "text", "name": "q", "title": {"default": "x", "gsw": "y"}},
            AT + "/title/gsw",
            "no texts in 'gsw'",
        ),
    ],
)
def test_remarks(element: Json, path: str, message: str) -> None:
    ((at, words),) = told(element)
    assert at == path
    assert message in words


AT_TRIGGER = "/definition/triggers/0"
CHOICE = {"type": "radiogroup", "name": "q", "choices": ["x"]}
DONE = "{first} = 1"


@pytest.mark.parametrize(
    "trigger, path, message",
    [
        ({"type": "skip", "expression": DONE, "gotoName": "frist"}, "/gotoName", "'frist' names no question"),
        (
            {"type": "setvalue", "expression": DONE, "setToName": "frist", "setValue": 1},
            "/setToName",
            "'frist' names no question",
        ),
        (
            {"type": "copyvalue", "expression": DONE, "setToName": "first", "fromName": "frist"},
            "/fromName",
            "'frist' names no question",
        ),
        (
            {"type": "visible", "expression": DONE, "questions": ["q", "frist"]},
            "/questions/1",
            "'frist' names no question",
        ),
        ({"type": "visible", "expression": DONE, "pages": ["page1", "p2"]}, "/pages/1", "'p2' names no page"),
        (
            {"type": "visible", "name": "frist", "operator": "equal", "value": 1, "questions": ["q"]},
            "/name",
            "'frist' names no question",
        ),
    ],
)
def test_triggers_that_name_nothing(trigger: Json, path: str, message: str) -> None:
    ((at, words),) = told(CHOICE, triggers=[trigger])
    assert at == AT_TRIGGER + path
    assert message in words


def test_triggers_that_name_something() -> None:
    triggers = [
        {"type": "skip", "expression": DONE, "gotoName": "q"},
        {"type": "visible", "name": "first", "operator": "equal", "value": 1, "questions": ["q"]},
        {"type": "setvalue", "expression": DONE, "setToName": "v", "isVariable": True, "setValue": 1},
        {"type": "copyvalue", "expression": DONE, "setToName": "rows[0].n", "fromName": "v"},
    ]
    assert told(ROWS | {"name": "rows"}, triggers=triggers[2:]) == []
    assert told(CHOICE, triggers=triggers[:2]) == []


NOTHING = {"type": "radiogroup", "name": "q"}


@pytest.mark.parametrize(
    "element, path, message",
    [
        ({**NOTHING, "choicesFromQuestion": "nope"}, AT + "/choicesFromQuestion", "'nope' names no question"),
        (NOTHING, AT, "no choices"),
        ({**ROWS, "columns": [{"name": "n", "cellType": "checkbox"}]}, AT + "/columns/0", "no choices"),
        ({"type": "imagemap", "name": "q"}, AT, "no choices"),
    ],
)
def test_questions_without_choices(element: Json, path: str, message: str) -> None:
    ((at, words),) = told(element)
    assert at == path
    assert message in words


@pytest.mark.parametrize(
    "element",
    [
        {**NOTHING, "showOtherItem": True},
        {"type": "dropdown", "name": "q", "choicesMin": 1, "choicesMax": 5},
        {"type": "tagbox", "name": "q", "allowCustomChoices": True},
        {**ROWS, "choices": ["x"], "columns": [{"name": "n"}]},
        {
            "type": "paneldynamic",
            "name": "p",
            "templateElements": [
                {**CHOICE, "name": "x"},
                {"type": "dropdown", "name": "y", "choicesFromQuestion": "panel.x"},
            ],
        },
    ],
)
def test_questions_that_offer_something(element: Json) -> None:
    assert told(element) == []


@pytest.mark.parametrize(
    "condition",
    [
        "{FIRST} = 1 and {v} > 2 and {first-Comment} notempty and {rows-total.n} > 0",
        "{rows[0].n} = 1 and {rows.length} > 0 and sumInArray({rows}, 'n', {n} > 1) > 2",
        "{locale} = 'de' and age({first}) > 2 and {#first} = 1",
        "{set.by.trigger} = 1",
    ],
)
def test_names_that_lead_somewhere(condition: str) -> None:
    trigger = {"type": "setvalue", "expression": "{first} = 1", "setToName": "set.by.trigger", "setValue": 1}
    survey = {"calculatedValues": [{"name": "v", "expression": "{set.by.trigger}"}], "triggers": [trigger]}
    assert told({**ROWS, "visibleIf": condition}, **survey) == []


def test_the_locale_and_the_number_of_remarks() -> None:
    assert [path for path, _ in told({**ROWS}, locale="tlh")] == ["/definition/locale"]
    assert told({**ROWS}, locale="de-AT") == told({**ROWS}, locale="pt-br") == []
    many = [{"type": "text", "name": f"q{n}", "visibleIf": f"{{x{n}}} = 1"} for n in range(MOST + 1)]
    assert len(advice(compile_definition({"elements": many}))) == MOST


def test_no_name_of_the_corpus_is_lost() -> None:
    for name, one in CORPUS.items():
        remarks = advice(compile_definition(one["definition"]))
        lost = [remark.path for remark in remarks if "names no " in remark.message]
        # Its trigger really sets what nobody asks for.
        assert lost == (["/definition/triggers/0/setToName"] if name == "reset_when_changed" else []), name
