"""Triggers that end a form early or go past pages: whoever gets to the end in a browser is taken here."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from appliance.domain.form import compile_definition
from appliance.errors import Invalid
from tests.domain.features import text
from tests.domain.forms import check_answers
from tests.domain.oracle import Oracle

Json = dict[str, Any]
VALUES: tuple[Any, ...] = (None, "x", "y")


def _form(*triggers: Json, count: int = 4, **last: Any) -> Json:
    """Pages of one required question each, q0, q1, …"""
    pages = [{"name": f"p{n}", "elements": [text(f"q{n}", isRequired=True)]} for n in range(count)]
    pages[-1] |= last
    return {"pages": pages, "triggers": list(triggers)}


def _complete(expression: str) -> Json:
    return {"type": "complete", "expression": expression}


def _skip(expression: str, to: str) -> Json:
    return {"type": "skip", "expression": expression, "gotoName": to}


FORMS = {
    "ends after the first page": _form(_complete("{q0} = 'x'")),
    "ends in the middle": _form(_complete("{q1} = 'x'")),
    "ends by either of two pages": _form(_complete("{q0} = 'x' or {q2} = 'x'")),
    "ends by both of two pages": _form(_complete("{q0} = 'x' and {q2} = 'x'")),
    "ends where nothing was answered": _form(_complete("{q3} empty and {q0} = 'x'")),
    "ends by a function, asked on each page": _form(_complete("iif({q2} = 'x', true, false)")),
    "ends on a numbered page": _form(_complete("{pageno} = 2 and {q1} = 'x'")),
    "ends by a calculated value": _form(_complete("{sum} = 'xx'"))
    | {"calculatedValues": [{"name": "sum", "expression": "{q0} + {q2}"}]},
    "goes on to the last page": _form(_skip("{q0} = 'x'", "q3")),
    "goes on and ends": _form(_skip("{q0} = 'x'", "q2"), _complete("{q2} = 'y'")),
    "says it the old way": _form({"type": "complete", "name": "q1", "operator": "equal", "value": "y"}),
    "has a page that does not show": _form(_complete("{q2} = 'x'"), visibleIf="{q0} = 'y'"),
}


NOWHERE = {
    "goes on to the next page": _form(_skip("{q0} = 'x'", "q1")),
    "is never asked on that page": _form(_complete("{pageno} = 2 and {q0} = 'x'")),
}
"""Nobody is excused from anything."""


def _answers(count: int = 4) -> Iterator[Json]:
    for values in product(VALUES, repeat=count):
        yield {f"q{n}": value for n, value in enumerate(values) if value is not None}


@pytest.mark.parametrize("name", [*FORMS, *NOWHERE])
def test_whoever_gets_to_the_end_is_taken(survey_core: Oracle, name: str) -> None:
    """With what they could answer on the way; whoever gets stuck is refused."""
    definition = (FORMS | NOWHERE)[name]
    made, count, taken = compile_definition(definition), len(definition["pages"]), 0
    for data in _answers(count):
        walked = survey_core.walk(definition, data)
        if walked is None:
            with pytest.raises(Invalid):
                check_answers(made, data)
        else:
            assert check_answers(made, walked) == walked, data
            taken += len(walked) < count
    assert bool(taken) == (name in FORMS), "some got there without all the answers"


def test_an_answer_to_what_was_passed_over_is_held_to_its_type() -> None:
    definition = _form(_complete("{q0} = 'x'"))
    definition["pages"][2]["elements"][0] |= {"inputType": "number", "min": 5}
    made = compile_definition(definition)
    assert check_answers(made, {"q0": "x", "q2": 3}) == {"q0": "x", "q2": 3}
    with pytest.raises(Invalid) as refused:
        check_answers(made, {"q0": "x", "q2": [3]})
    assert [one.path for one in refused.value.errors] == ["/data/q2"]


def test_a_required_page_that_was_passed_over() -> None:
    definition = _form(_complete("{q0} = 'x'"), isRequired=True)
    del definition["pages"][3]["elements"][0]["isRequired"]
    made = compile_definition(definition)
    assert check_answers(made, {"q0": "x"}) == {"q0": "x"}
    with pytest.raises(Invalid) as refused:
        check_answers(made, {"q0": "y", "q1": "y", "q2": "y"})
    assert [one.path for one in refused.value.errors] == ["/data/q3"]
