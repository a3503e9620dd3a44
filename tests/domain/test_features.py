"""Feature by feature: survey-core's verdict and final data, and where a server must say more."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.agreement.compare import Pair, compare
from tests.domain.features import (
    CHOICES,
    DEFAULTS,
    GROUPS,
    LIMITS,
    ROWS,
    TRIGGERS,
    Case,
    choice,
    number,
    panels,
    rows,
    taken,
    text,
)
from tests.domain.forms import answer_faults, check_answers, definition_faults, form
from tests.domain.oracle import Oracle

Json = dict[str, Any]
CASES = [*LIMITS, *ROWS, *DEFAULTS, *CHOICES, *TRIGGERS, *GROUPS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case)[:80])
def test_like_survey_core(survey_core: Oracle, case: Case) -> None:
    given, data = case
    outcome = compare(survey_core, Pair(given if isinstance(given, dict) else {"elements": given}, data))
    assert outcome.agrees, outcome
    assert not outcome.left_out, outcome


OPENING = {"value": 1, "elements": [text("n")]}


def mask(kind: str, **settings: Any) -> Json:
    return text("q", maskType=kind, maskSettings=settings)


@pytest.mark.parametrize(
    "element, answer, stored",
    [
        (mask("pattern", pattern="999-99"), "12345", "12345"),
        (mask("pattern", pattern="999-99"), "123-45", "12345"),
        (mask("pattern", pattern="999-99", saveMaskedValue=True), "12345", "123-45"),
        (mask("pattern", pattern="+1(999)"), "+1(123)", "1123"),
        (mask("pattern", pattern=r"\9-99"), "9-12", "912"),
        (mask("numeric"), 5.5, 5.5),
        (mask("numeric", saveMaskedValue=True), "1,234.50", "1,234.50"),
        (mask("currency", prefix="$", saveMaskedValue=True), "$1,234.50", "$1,234.50"),
        (mask("datetime", pattern="mm/dd/yyyy"), "2024-02-29", "2024-02-29"),
        (mask("datetime", pattern="mm/dd/yyyy", saveMaskedValue=True), "02/29/2024", "02/29/2024"),
        (mask("datetime", pattern="mm/yyyy"), "2024-05", "2024-05"),
        (mask("datetime", pattern="hh:MM tt", saveMaskedValue=True), "12:30 pm", "12:30 pm"),
        (mask("datetime", patternPreset="localeDateTime"), "2024-05-01T10:00", "2024-05-01T10:00"),
    ],
)
def test_what_fills_in_a_mask_is_stored_as_survey_core_stores_it(
    survey_core: Oracle, element: Json, answer: Any, stored: Any
) -> None:
    made = {"elements": [element]}
    assert check_answers(form(element), {"q": answer}) == {"q": stored}
    assert compare(survey_core, Pair(made, {"q": answer})).cause == "same data"


@pytest.mark.parametrize(
    "element, answer",
    [
        (mask("pattern", pattern="999-99"), "1234"),
        (mask("pattern", pattern="999-99"), "1234a"),
        (mask("pattern", pattern="999-99"), 12345),
        (mask("numeric"), 5.555),
        (mask("numeric", min=1, max=3), 9),
        (mask("numeric", min=1, max=3), 0),
        (mask("numeric", allowNegativeValues=False), -1),
        (mask("numeric", saveMaskedValue=True, max=3), "4.00"),
        (mask("numeric"), "many"),
        (mask("datetime", pattern="mm/dd/yyyy"), "2023-02-29"),
        (mask("datetime", pattern="mm/dd/yyyy", saveMaskedValue=True), "02/30/2024"),
        (mask("datetime", pattern="HH:MM"), "24:59"),
        (mask("datetime", pattern="hh:MM tt", saveMaskedValue=True), "13:30 pm"),
        (mask("datetime", pattern="mm/dd/yyyy", max="2024-12-31"), "2025-01-01"),
    ],
)
def test_what_a_mask_would_not_let_through_is_refused(element: Json, answer: Any) -> None:
    assert [path for path, _ in answer_faults(form(element), {"q": answer})] == ["/data/q"]


@pytest.mark.parametrize(
    "elements, data, path",
    [
        ([choice("q"), taken("selected")], {"q": ["a"], "r": ["b"]}, "/data/r"),
        ([choice("q"), taken("unselected")], {"q": ["a"], "r": ["a"]}, "/data/r"),
        ([choice("q"), taken("all", choicesVisibleIf="{item} <> 'a'")], {"r": ["a"]}, "/data/r"),
        ([choice("q"), text("z")], {"q": ["c"]}, "/data/q"),
        (
            [panels(text("x")), {"type": "dropdown", "name": "r", "choicesFromQuestion": "p"}],
            {"p": [{"x": "1"}], "r": "2"},
            "/data/r",
        ),
        (
            [choice("q"), rows({"name": "x", "cellType": "dropdown", "choicesFromQuestion": "q"})],
            {"m": [{"x": "nothing"}]},
            "/data/m/0/x",
        ),
        (
            [{"type": "slider", "name": "q", "maxValueExpression": "{n}"}, number("n")],
            {"q": 60, "n": 50},
            "/data/q",
        ),
    ],
)
def test_choices_and_ends_are_held_where_survey_core_trusts_the_page(
    elements: list[Json], data: Json, path: str
) -> None:
    assert [found for found, _ in answer_faults(form(*elements), data)] == [path]


def test_panels_beyond_the_count_go_and_the_others_keep_their_answers() -> None:
    """survey-core empties all of them when it loads data into such a form."""
    made = form(panels(text("x"), panelCountExpression="{n}"), number("n"))
    assert check_answers(made, {"n": 1, "p": [{"x": "1"}, {"x": "2"}]}) == {"n": 1, "p": [{"x": "1"}]}


@pytest.mark.parametrize(
    "definition, path",
    [
        ({"elements": [text("a", visibleIf="{pageno} = 1")]}, "/definition/elements/0/visibleIf"),
        (
            {"elements": [{"type": "dropdown", "name": "q", "choices": [OPENING]}]},
            "/definition/elements/0/choices/0/elements",
        ),
        (
            {"elements": [taken("all"), {"type": "checkbox", "name": "q", "choicesFromQuestion": "r"}]},
            "/definition/elements/0/choicesFromQuestion",
        ),
        ({"elements": [panels(text("x"), bindings={"title": "n"})]}, "/definition/elements/0/bindings"),
        ({"elements": [text("a", bindings={"rowCount": "n"})]}, "/definition/elements/0/bindings"),
        (
            {"elements": [text("a")], "triggers": [
                {"type": "visible", "name": "a", "operator": "notempty", "questions": ["a"]}]},
            "/definition/triggers/0/operator",
        ),
    ],
)  # fmt: skip
def test_what_a_server_cannot_evaluate_is_refused_where_it_stands(definition: Json, path: str) -> None:
    assert path in [found for found, _ in definition_faults(definition)]


def test_an_operator_that_survey_core_cannot_read_is_told_what_to_use_instead() -> None:
    old = {"type": "setvalue", "name": "a", "operator": "empty", "setToName": "a", "setValue": 1}
    [(path, message)] = definition_faults({"elements": [text("a")], "triggers": [old]})
    assert path == "/definition/triggers/0/operator"
    assert "use `expression` instead" in message and "undefined" not in message


def test_what_is_shown_at_the_end_may_ask_for_survey_core_s_own_variables() -> None:
    shown = [{"expression": "{correctAnswers} > 1", "html": "well done"}]
    assert not definition_faults({"elements": [text("a")], "completedHtmlOnCondition": shown})


def test_choices_of_long_lists_are_bounded_by_effort() -> None:
    wide = [
        {"type": "checkbox", "name": f"r{n}", "choicesFromQuestion": "m", "choiceValuesFromQuestion": "x"}
        for n in range(300)
    ]
    made = form(rows("x"), *wide)
    given = {"m": [{"x": f"v{n}"} for n in range(1000)]}
    began = time.process_time()
    answer_faults(made, given | {f"r{n}": [f"v{k}" for k in range(1000)] for n in range(300)})
    assert time.process_time() - began < 5
