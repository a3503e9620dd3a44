"""What an expression gives, survey-core's own runner gives."""

from __future__ import annotations

import random
from typing import Any

import pytest

from appliance.domain import survey_core as survey_core_table
from appliance.domain.effort import Exhausted
from appliance.domain.evaluation import compile_text
from appliance.domain.expression_check import REFUSED, check_text
from appliance.domain.functions import FUNCTIONS
from appliance.domain.functions_array import ARRAYS
from appliance.domain.moment import read_moment
from tests.domain.expressions import EVERY, calculation, expression
from tests.domain.oracle import Oracle
from tests.domain.values import NOW, Plain, alike, told, values

Json = dict[str, Any]

PAIRS: list[tuple[str, Json]] = [
    ("{a} = 1", {"a": "1"}), ("{a} = 1", {"a": True}), ("{a} empty", {"a": 0}), ("{a} empty", {"a": []}),
    ("{a} empty", {"a": False}), ("{a} empty", {"a": {"x": [], "y": ""}}), ("{A} = 'x'", {"a": "X "}),
    ("{a} + 2", {"a": "1"}), ("'1' + 2", {}), ("{a} + {b}", {"a": 0.1, "b": 0.2}),
    ("{a} + 'x'", {"a": [1, 2]}), ("{a} + 1", {"a": [1, "2", 3]}), ("{a} + {b}", {"a": [1], "b": [2]}),
    ("{a} * 3", {"a": 1.1}), ("1 / 0", {}), ("5 % 0", {}), ("-7 % 3", {}), ("2 ^ 0.5", {}), ("{a} > 1", {}),
    ("{a} >= {b}", {}), ("'b' > 'A'", {}), ("{a} contains 'B'", {"a": "abc"}),
    ("{a} contains 'x'", {"a": ["X"]}), ("{a} contains 1", {"a": [["1"]]}), ("{a} notcontains 'x'", {}),
    ("{a} anyof ['a', 'b']", {"a": "b"}), ("{a} allof [1, 2]", {"a": ["2", "1", 3]}),
    ("{a} noneof [1]", {}), ("{a} anyof 'abc'", {"a": "b"}), ("{a} = [2, 1]", {"a": [1, 2]}),
    ("{a} = []", {}), ("{a} = [1]", {"a": 1}), ("{a} = null", {"a": None}), ("{a} = ''", {}),
    ("{a} = 'undefined'", {}), ("{a} and {b}", {"a": "x", "b": 0}), ("{a} or {b}", {"b": "y"}),
    ("!{a}", {"a": "0"}), ("!{a}", {"a": []}), ("{a} = 7", {"a": "007"}), ("{a} + 1", {"a": "0.5"}),
    ("{a} + 1", {"a": "1,5"}), ("{a} + 1", {"a": "0x10"}), ("{#a} + 1", {"a": "5"}),
    ("{a} + 1", {"a": "1234567890123456"}), ("{a} + 'x'", {"a": "'q'"}),
    ("{rows[0].v} + {rows[-1].v}", {"rows": [{"v": 1}, {"v": 2}]}), ("{rows[5].v}", {"rows": []}),
    ("{rows.length}", {"rows": [1, 2]}), ("{none.length}", {}), ("{a.b}", {"a.b": 1, "a": {"b": 2}}),
    ("{nosuch}", {}), ('{"k": [1]}', {}), ("iif({a}, 'y')", {}), ("round(1.005, 2)", {}),
    ("round(-1.5)", {}), ("round('x')", {}), ("trunc(12.349, 2)", {}), ("trunc(-0.5)", {}),
    ("sum(1, '2', [3, [4]])", {}), ("sum('a', 1)", {}), ("avg()", {}), ("min(3, '2')", {}), ("max([])", {}),
    ("count([1, [], 2])", {}), ("substring('h😀llo', 1, 3)", {}), ("substring('abc', 2, 0)", {}),
    ("today()", {}), ("today(1) > '2026-03-10'", {}), ("currentDate()", {}),
    ("{a} = today()", {"a": "2026-03-10"}), ("today() <= {a}", {"a": "2026-03-10T10:00"}),
    ("currentDate() > {a}", {"a": "2026-03-10T12"}), ("currentDate() = {a}", {"a": "2026-03-10 12:34"}),
    ("age('2000-03-11')", {}), ("age('2000-03-10', 'months')", {}), ("age('nonsense')", {}),
    ("age({a})", {}), ("dateDiff('2024-01-31', '2024-03-01')", {}),
    ("dateDiff('2024-01-31', '2024-03-01', 'months')", {}),
    ("dateDiff('2024-01-31T10:00', '2024-01-31T10:00:01', 'minutes')", {}),
    ("dateAdd('2024-01-31', 1, 'months')", {}), ("dateAdd('2024-02-29', -1, 'years')", {}),
    ("dateAdd('2024-02-29', 1.9)", {}), ("diffDays('x', 'y')", {}), ("weekday('2024-03-10')", {}),
    ("month()", {}), ("getYear('2024-02-30')", {}), ("year('9999-12-31') + 1", {}),
    ("sumInArray({r}, 'v')", {"r": [{"v": 0.1}, {"v": "0.2"}, {"v": "x"}, {}]}),
    ("sumInArray({a}, 'v')", {"a": "text"}),
    ("sumInArray({r}, 'v', {k} = 1)", {"r": [{"v": 1, "k": "1"}, {"v": 2}]}),
    ("countInArray({r}, 'v')", {}),
    ("countInArray({r}, 'v', '{k} > 1')", {"r": [{"v": 0, "k": 2}, {"v": "", "k": 2}]}),
    ("avgInArray({r}, 'v')", {}),
    ("maxInArray({r}, 'v', 'k')", {"r": {"x": {"v": 1, "k": "a"}, "y": {"v": 5, "k": "b"}}}),
    ("minInArray({r})", {}),
    ("minInArray({r}, 'v', 'k', {k} != 'a')", {"r": [{"v": 1, "k": "a"}, {"v": 5, "k": "b"}]}),
    ("{a} contains", {"a": [1]}), ("1 < 2 < 3", {}), ("{a} = {b}", {"a": {"x": 1}, "b": {"x": "1"}}),
]  # fmt: skip


def check(survey_core: Oracle, text: str, given: Json) -> None:
    theirs = survey_core.run(text, given, NOW)
    if "value" in theirs:
        assert alike(told(compile_text(text)(Plain(given))), theirs["value"]), (text, given, theirs)


@pytest.mark.parametrize("text, given", PAIRS)
def test_like_survey_core(survey_core: Oracle, text: str, given: Json) -> None:
    check(survey_core, text, given)


@pytest.mark.parametrize("seed", range(4))
def test_like_survey_core_on_generated_ones(survey_core: Oracle, seed: int) -> None:
    chance, tried = random.Random(seed), 0
    for _ in range(250):
        text, given = calculation(chance) if seed % 2 else expression(chance, 3, EVERY), values(chance)
        try:
            check_text(text)
        except ValueError:
            continue
        check(survey_core, text, given)
        tried += 1
    assert tried > 200


@pytest.mark.parametrize(
    "text",
    [
        "2024",
        "2024-03",
        "2024-03-10",
        "2024-02-31",
        "2024-13-01",
        "2024-03-10 10:00",
        "2024-03-10T24:00",
        "2024-03-10T10:00Z",
        "2024-03-10T10:00+02:00",
        "2024/3/5",
        "3/5/2024",
        "10.03.2024",
        "2024-3-5",
        "abc",
        "12",
        "2024-03-10T10:00:00.123456Z",
        "2024-03-10Z",
        "2024-03-10T1:00",
        "5",
        "0001-01-01",
        "1,2",
        "5-3",
        "",
        "0000-02-29",
        "0099-12-31",
        "1969-12-31T23:59:59.999",
    ],
)
def test_dates_are_read_as_javascript_reads_them(survey_core: Oracle, text: str) -> None:
    theirs = survey_core.run(f"getDate('{text}')", {}, NOW)["value"]
    assert told(read_moment(text)) == theirs or (not text and theirs is None)


def test_each_function_answers() -> None:
    assert {*FUNCTIONS, *ARRAYS} == survey_core_table.FUNCTIONS - REFUSED.keys()


class Poor(Plain):
    def spend(self, steps: int) -> None:
        if steps > 10_000:
            raise Exhausted


@pytest.mark.parametrize(
    "text", ["{a} anyof {a}", "{a} = {a}", "{t} + {t} + {t} + {t}", "sum({a})", "sumInArray({a}, 'v')"]
)
def test_work_on_large_values_is_counted(text: str) -> None:
    run = compile_text(text)
    run(Poor({"a": [1], "t": "x"}))
    with pytest.raises(Exhausted):
        run(Poor({"a": [1] * 20_000, "t": "x" * 20_000}))


def test_a_long_chain_needs_no_stack() -> None:
    assert compile_text("1+" * 999 + "1")(Plain({})) == 1000
