"""Limits and counts that follow other answers, as survey-core holds answers to them."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.domain.comparison import values_equal
from appliance.domain.form import compile_definition
from tests.domain.forms import NOW, answer_faults, check_answers
from tests.domain.oracle import Oracle
from tests.domain.test_oracle import plain

Json = dict[str, Any]


def _limited(kind: str, **more: Any) -> list[Json]:
    return [{"type": "text", "name": "a"}, {"type": "text", "name": "q", "inputType": kind, **more}]


@pytest.mark.parametrize(
    "elements, answers",
    [
        (_limited("number", maxValueExpression="{a}"), [("5", 4), ("5", 5), ("5", 6), ("x", 6), (None, 6)]),
        (_limited("number", minValueExpression="{a} / 4"), [("5", 1), ("5", 2), ("0", -1), ("5", None)]),
        (
            _limited("number", min=3, minValueExpression="{a}", minErrorText="From {0} on {0}"),
            [("1", 2), ("9", 8), (None, 2)],
        ),
        (
            _limited("number", min=3, maxValueExpression="{a}", maxErrorText={"de": "Bis {0}"}),
            [("9", 2), ("9", 10), ("2", 2.5)],
        ),
        (_limited("range", minValueExpression="10 + {a}"), [("5", 14), ("5", 15)]),
        (
            _limited("date", minValueExpression="{a}", maxValueExpression="today()"),
            [
                ("2026-01-05", "2026-01-04"),
                ("2026-01-05", "2026-01-05"),
                (None, "2026-03-10"),
                (None, "2026-03-11"),
                ("nonsense", "2026-01-01"),
            ],
        ),
        (
            _limited("date", maxValueExpression="dateAdd({a}, 7, 'days')"),
            [("2026-01-05", "2026-01-12"), ("2026-01-05", "2026-01-13"), (None, "2026-01-13")],
        ),
        (
            _limited("datetime-local", minValueExpression="{a}"),
            [("2026-01-05T10:00", "2026-01-05T09:59"), ("2026-01-05", "2026-01-05T00:00")],
        ),
        (
            _limited("datetime-local", maxValueExpression="dateAdd({a}, 2, 'days')"),
            [("2026-01-05T10:00", "2026-01-07T10:00"), ("2026-01-05T10:00", "2026-01-07T10:01")],
        ),
        (_limited("time", minValueExpression="{a}"), [("08:00", "07:59"), ("08:00", "08:00")]),
        (_limited("month", maxValueExpression="{a}"), [("2026-01", "2026-02"), ("2026-01", "2026-01")]),
        (_limited("text", maxValueExpression="{a}"), [("5", "6")]),
    ],
)
def test_like_survey_core(survey_core: Oracle, elements: list[Json], answers: list[Any]) -> None:
    for other, answer in answers:
        data = {name: value for name, value in (("a", other), ("q", answer)) if value is not None}
        verdict = survey_core.judge({"elements": elements}, data, NOW.timestamp() * 1000)
        assert answer_faults(compile_definition({"elements": elements}), data) == verdict.faults, data


@pytest.mark.parametrize("low", [3, "3"])
def test_within_rows_panels_and_items(survey_core: Oracle, low: Any) -> None:
    form: Json = {
        "elements": [
            {"type": "text", "name": "a"},
            {
                "type": "matrixdynamic",
                "name": "m",
                "columns": [
                    {"name": "low", "cellType": "text"},
                    {
                        "name": "q",
                        "cellType": "text",
                        "inputType": "number",
                        "minValueExpression": "{row.low}",
                    },
                ],
            },
            {
                "type": "paneldynamic",
                "name": "p",
                "templateElements": _limited("number", maxValueExpression="{panel.a} + {a} + 1"),
            },
            {
                "type": "multipletext",
                "name": "t",
                "items": [{"name": "q", "inputType": "number", "minValueExpression": "{a} * 2"}],
            },
        ]
    }
    data = {
        "a": str(low),
        "m": [{"low": str(low), "q": 2}, {"low": str(low), "q": 3}],
        "p": [{"a": "1", "q": 5}, {"a": "1", "q": 40}],
        "t": {"q": 5},
    }
    verdict = survey_core.judge(form, data)
    assert sorted(answer_faults(compile_definition(form), data)) == verdict.faults
    assert [path for path, _ in verdict.faults] == ["/data/m/0/q", "/data/p/1/q", "/data/t/q"]


COUNTED: Json = {
    "type": "paneldynamic",
    "name": "p",
    "panelCountExpression": "{n}",
    "templateElements": [
        {"type": "text", "name": "a", "isRequired": True},
        {"type": "expression", "name": "i", "expression": "{panelIndex} + 1"},
        {
            "type": "matrixdynamic",
            "name": "inner",
            "rowCountExpression": "{panel.a}",
            "columns": [{"name": "c", "cellType": "text", "isRequired": True}],
        },
    ],
}
ROWS: Json = {
    "type": "matrixdynamic",
    "name": "m",
    "rowCountExpression": "{n}",
    "columns": [{"name": "a", "cellType": "text", "isRequired": True}],
}


@pytest.mark.parametrize(
    "more", [{}, {"isRequired": True}, {"readOnly": True}, {"keyName": "a"}], ids=lambda more: str(more)
)
@pytest.mark.parametrize("limits", [{}, {"Panel": (1, 3), "Row": (1, 3)}], ids=["", "from 1 to 3"])
@pytest.mark.parametrize("n", [None, "0", "1", "1.5", "2", "4", "-1", "x"])
def test_counts_like_survey_core(survey_core: Oracle, more: Json, limits: Json, n: str | None) -> None:
    names = {kind: {f"min{kind}Count": low, f"max{kind}Count": high} for kind, (low, high) in limits.items()}
    form = {
        "elements": [
            {"type": "text", "name": "n"},
            {**COUNTED, **more, **names.get("Panel", {})},
            {**ROWS, **more, **names.get("Row", {})},
            {"type": "expression", "name": "count", "expression": "{p.length}"},
        ]
    }
    made = compile_definition(form)
    for rows in (None, [{"a": "1"}], [{"a": "1"}, {"a": "2"}, {"a": "1"}]):
        data = {name: value for name, value in (("n", n), ("p", rows), ("m", rows)) if value is not None}
        verdict = survey_core.judge(form, data)
        faults = answer_faults(made, data)
        assert sorted(faults) == verdict.faults, data
        if not faults:
            assert values_equal(plain(check_answers(made, data)), plain(verdict.data)), data
