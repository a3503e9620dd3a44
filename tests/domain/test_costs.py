"""What one response may cost: definitions that multiply answers are refused before they hurt."""

from __future__ import annotations

import time
from typing import Any

import pytest

from appliance.domain.comparison import equal
from appliance.domain.evaluation import compile_text
from appliance.domain.form import compile_definition
from appliance.domain.membership import Members
from appliance.errors import Invalid
from tests.domain.features import number, text
from tests.domain.forms import check_answers
from tests.domain.values import Plain

Json = dict[str, Any]
LONG = "+".join(["1"] * 990)
BOUND = 5.0
"""CPU seconds; measured below 1. Without a count these took from 5 to 160, or all memory."""


def _table(*columns: Json, **more: Any) -> Json:
    return {
        "type": "matrixdynamic",
        "name": "m",
        "columns": [{"name": "a", "cellType": "text"}, *columns],
    } | more


def _cell(expression: str, name: str = "e") -> Json:
    return {"name": name, "cellType": "expression", "expression": expression}


def _rows(count: int) -> Json:
    return {"m": [{"a": f"r{n}"} for n in range(count)]}


def _searching(place: int, operator: str) -> Json:
    return {"name": f"c{place}", "cellType": "text", "visibleIf": f"{{m}} {operator} {{row.c0}}"}


COSTLY: dict[str, tuple[list[Json], Json]] = {
    "cells that hold their matrix": ([_table(*(_cell("{m}", f"e{n}") for n in range(3)))], _rows(8)),
    "cells that hold the row before": (
        [_table(_cell("{prevRow}", "e"), _cell("{prevRow}", "f"))], _rows(1000)
    ),
    "long expressions in many cells": (
        [_table(*(_cell(f"{{row.a}}+{LONG}", f"e{n}") for n in range(20)))], _rows(1000)
    ),
    "long conditions in many panels": (
        [{"type": "paneldynamic", "name": "p", "templateElements": [
            text(f"q{n}", visibleIf=f"{LONG}>1") for n in range(24)]}],
        {"p": [{"q0": "x"}] * 100},
    ),
    "all rows from each row": ([_table(_cell("sumInArray({m},'a')"))], _rows(1000)),
    "a long condition of many items": (
        [_table(), {"type": "expression", "name": "x",
                    "expression": f"sumInArray({{m}},'a', {{a}} > 1 and {LONG} > 1)"}],
        _rows(1000),
    ),
    **{
        f"all rows searched from each of {columns} cells of {rows} rows, with {operator}": (
            [_table(*(_searching(n, operator) for n in range(columns)), maxRowCount=1000)],
            {"m": [{"c0": str(n)} for n in range(rows)]},
        )
        for columns, rows, operator in (
            (30, 1000, "contains"), (5, 300, "contains"), (5, 300, "notcontains"), (30, 1000, "anyof"),
            (30, 1000, "noneof"), (30, 1000, "allof"))
    },
}  # fmt: skip


@pytest.mark.parametrize("name", COSTLY)
def test_what_multiplies_is_refused(name: str) -> None:
    elements, data = COSTLY[name]
    made = compile_definition({"elements": elements})
    began = time.process_time()
    with pytest.raises(Invalid) as refused:
        check_answers(made, data)
    assert time.process_time() - began < BOUND
    assert "shorten" in refused.value.errors[0].message


def test_a_large_order_is_well_within() -> None:
    """200 lines, each with a total, a discount, and the sum of all below."""
    total = _cell("{row.price} * {row.count}", "total")
    discount = _cell("iif({row.total} > 100, {row.total} * 0.1, 0)", "discount")
    columns = [{"name": "price", "cellType": "text", "inputType": "number"},
               {"name": "count", "cellType": "text", "inputType": "number"}, total, discount]  # fmt: skip
    table = {"type": "matrixdynamic", "name": "m", "columns": columns}
    both = {
        "type": "expression",
        "name": "sum",
        "expression": "sumInArray({m},'total') - sumInArray({m},'discount')",
    }
    made = compile_definition({"elements": [table, both]})
    stored = check_answers(made, {"m": [{"price": 12, "count": 10}] * 200})
    assert (stored["m"][0]["total"], stored["sum"]) == (120, 200 * 108)


def test_half_an_emoji_is_told_as_such() -> None:
    """An expression may cut one in two; BSON and JSON hold whole characters."""
    cut = {"type": "expression", "name": "e", "expression": "substring({a},0,1)"}
    made = compile_definition({"elements": [text("a"), cut]})
    assert check_answers(made, {"a": "😀"}) == {"a": "😀", "e": "\ufffd"}


def test_more_digits_than_a_number_has() -> None:
    fine = {
        "type": "expression",
        "name": "e",
        "expression": "{a} / 3",
        "displayStyle": "decimal",
        "precision": 101,
    }
    made = compile_definition({"elements": [number("a"), fine]})
    assert check_answers(made, {"a": 1})["e"] == pytest.approx(1 / 3)
    long = {"type": "expression", "name": "e", "expression": f"'0.{'1' * 120}' - 1"}
    assert check_answers(compile_definition({"elements": [text("a"), long]}), {})["e"] < 0


def test_values_that_wrap_each_other() -> None:
    def wrap(name: str) -> str:
        return "[" * 90 + name + "]" * 90

    values = [{"name": f"v{n}", "expression": wrap(f"{{v{n - 1}}}" if n else "{a}")} for n in range(8)]
    made = compile_definition({"elements": [text("a")], "calculatedValues": values})
    with pytest.raises(Invalid):
        check_answers(made, {"a": "x"})


@pytest.mark.parametrize("pattern", ["dd/dd", "yyyy-yyyy", "dd/mm/yyyy HH:MM:SS HH", "hh:MM tt tt"])
def test_a_mask_with_a_part_twice(pattern: str) -> None:
    masked = text("a", maskType="datetime", maskSettings={"pattern": pattern, "saveMaskedValue": True})
    compile_definition({"elements": [masked]})


class Counted(Plain):
    """A scope that knows what was spent."""

    def __init__(self, values: Json) -> None:
        super().__init__(values)
        self.steps = 0

    def spend(self, steps: int) -> None:
        self.steps += steps


ROWS = [{"c0": f"{n}"} for n in range(300)]
MIXED: Json = {"m": ROWS, "x": "no", "texts": [f"t{n}.5" for n in range(300)], "n": 0.25,
         "numbers": [n + 0.5 for n in range(300)], "nested": [[n] for n in range(300)]}  # fmt: skip
LEAST: dict[str, int] = {
    "{m} contains {x}": 600 * 40,
    "{m} notcontains {x}": 600 * 40,
    "{m} allof {m}": 600 * 600 * 60,
    "{m} anyof {m}": 600 * 600 * 60,
    "{m} noneof {m}": 600 * 600 * 60,
    "{texts} contains {n}": 300 * 700,
    "{texts} anyof {numbers}": 300 * 300 * 700,
    "{numbers} noneof {texts}": 300 * 300 * 700,
    "{texts} allof {nested}": 300 * 600 * 700,
    "{nested} contains {nested}": 600 * 600 * 60,
    "{m} = {texts}": 900 * 300,
    "{numbers} + {n}": 300 * 1000,
    "{numbers} < {texts}": 600 * 1000,
    "sum({numbers})": 300 * 1000,
    "avg({texts})": 300 * 1000,
    "max({texts})": 300 * 300,
    "sumInArray({m}, 'c0')": 300 * 1000,
    "avgInArray({m}, 'c0')": 300 * 1000,
    "minInArray({m}, 'c0')": 300 * 300,
    "countInArray({m}, 'c0')": 300 * 100,
}
"""Steps of 15 ns that each takes at the least: what it was measured to take."""


@pytest.mark.parametrize("expression", LEAST)
def test_what_goes_through_lists_is_counted_as_what_it_takes(expression: str) -> None:
    scope = Counted(MIXED)
    began = time.process_time()
    compile_text(expression)(scope)
    took = time.process_time() - began
    assert scope.steps >= LEAST[expression]
    assert took < 0.05 + 10 * scope.steps * 15e-9, "some 2 at the most, by measurement"


MOST: dict[str, int] = {
    "{choices} contains 't3.5'": 2_000,
    "{choices} anyof ['t3.5', 't4.5', 'other']": 2_000,
    "{x} anyof ['yes', 'no', 'perhaps']": 1_000,
    "{texts} contains {x}": 20_000,
    "{texts} anyof {texts}": 60_000,
    "{m} notempty": 200,
    "sumInArray({lines}, 'price')": 150_000,
}
"""Steps that ordinary conditions take at the most: a form may ask thousands of them for one response."""


@pytest.mark.parametrize("expression", MOST)
def test_what_is_cheap_is_counted_as_cheap(expression: str) -> None:
    scope = Counted(MIXED | {"choices": MIXED["texts"][:20], "lines": [{"price": 12, "count": 3}] * 1000})
    compile_text(expression)(scope)
    assert 0 < scope.steps <= MOST[expression]


def test_texts_and_numbers_are_found_as_they_are_compared() -> None:
    odd = [
        " A ",
        "1",
        1,
        1.5,
        "1.50",
        True,
        "true",
        None,
        "",
        "undefined",
        float("nan"),
        [],
        {},
        [1],
        {"a": 1},
    ]
    for one in odd:
        assert [Members([item]).has(one) for item in odd] == [equal(item, one) for item in odd], one
        assert Members(odd).has(one) is any(equal(item, one) for item in odd)
