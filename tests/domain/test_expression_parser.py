"""What survey-core's parser reads, ours reads as the same tree; what it refuses is refused, at once."""

from __future__ import annotations

import random
import time

import pytest

from appliance.domain.expression_parser import MAX_NESTING, MAX_NODES, parse_expression
from tests.domain.expressions import expression, scribble, written
from tests.domain.oracle import Oracle

ODD = [
    "((1", "f( )", "[ ]", "[]", "[1,2", "'a", "{a} contains", "nullable", "null", "!null", "[1,null]",
    "f(null,1)", "f(1,null)", "{a} => 3", "1 - -2", "-0x10", "trueish", "{a} orange", "0xFF", "1e5",
    "f(,1)", "(1 + )", "'\\'", "'\\'a'", "{a} = null", "null = null", "{a.b} notempty", "({a}) empty",
    "negate", "negated", "!!1", "{}", "{ a }", "{a{b}}", "1 2", "", " ", "falſe", "KK",
    "'equals' = equals 1", "{a} notequals 'b'", "f (1)", "[[1], [2, [3]]]", "1;2", "a.b", "{a}{b}",
    "0.5.5", "1.", ".5", "007", "1 <> 2", "{a} anyof", "'' ''", "\u00a01", "a && b || c", "{#a}", "{#}",
    "{##a}", "negate {a} empty", "undefined = {a}", "'😀'",
]  # fmt: skip


def check(survey_core: Oracle, text: str) -> None:
    theirs = survey_core.parse(text)
    try:
        ours = written(parse_expression(text))
    except ValueError:
        ours = None
    assert ours == theirs, text


@pytest.mark.parametrize("text", ODD)
def test_odd_ones(survey_core: Oracle, text: str) -> None:
    check(survey_core, text)


@pytest.mark.parametrize("seed", range(4))
def test_like_survey_core(survey_core: Oracle, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(250):
        check(survey_core, expression(chance))
        check(survey_core, scribble(chance))


@pytest.mark.parametrize(
    "text",
    ["(" * 1000 + "1" + ")" * 1000, "1" + "+1" * 500_000, "[ ((((1 + " * 5000, "!" * 60_000, "[" * 60_000,
     "((((1" * 20 + " " * 60_000 + "x", "'a\"" * 20_000, "{" * 60_000, "1+" * 30_000, "f(" * 30_000,
     "1 or 1 and 1 = 1 + 1 * 1 ^ (" * 2000],
)  # fmt: skip
def test_hostile_ones_are_refused_at_once(text: str) -> None:
    began = time.process_time()
    with pytest.raises(ValueError):
        parse_expression(text)
    assert time.process_time() - began < 0.05


def test_nesting() -> None:
    most = MAX_NESTING // 2
    parse_expression("(" * (MAX_NESTING - 1) + "1" + ")" * (MAX_NESTING - 1))
    parse_expression("1 + (" * (most - 1) + "1")
    with pytest.raises(ValueError, match="nested more than"):
        parse_expression("(" * MAX_NESTING + "1")
    with pytest.raises(ValueError, match="operands and operators"):
        parse_expression("1+" * MAX_NODES + "1")
    with pytest.raises(ValueError, match="so large"):
        parse_expression("{a} < " + "9" * 400)
