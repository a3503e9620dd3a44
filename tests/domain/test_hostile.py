"""Whatever JSON is sent, as a definition or as answers: the worst that comes of it is Invalid."""

from __future__ import annotations

import contextlib
import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain.computed import stored
from appliance.domain.effort import Exhausted
from appliance.domain.evaluation import compile_text
from appliance.domain.expression_check import check_text
from appliance.domain.filters import filter_terms
from appliance.domain.form import Form, compile_definition
from appliance.domain.json_schema import json_schema
from appliance.domain.survey_core import CELLS, QUESTIONS, cell_properties, is_class, properties
from appliance.errors import Invalid
from tests.domain.expressions import calculation
from tests.domain.forms import answer_faults, check_answers, definition_faults, form
from tests.domain.pairs import pairs
from tests.domain.values import Plain

Json = dict[str, Any]

NUMBERS = st.sampled_from(
    [1e308, -1e308, 1.7976931348623157e308, 5e-324, -5e-324, -0.0, 0, 0.1, 1, -1, 3, 2.5, 1e21, 1e-9,
     2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, float("inf"), float("nan")],
) | st.floats() | st.integers(-(2**70), 2**70)  # fmt: skip
WORDS = st.sampled_from(
    ["q", "r1", "r2", "a", "who", "value", "comment", "other", "none", "1e308", "0x10", "2024-05-06",
     "2024-W53", "number", "week", "range", "checkbox", "currency", "(", "[ab]{900}", "\0", "\ud800",
     "$where", "__proto__"],
)  # fmt: skip
ANY = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
FORMS = [found for _, found, _ in pairs()]
NEEDED: Json = {
    "multipletext": {"items": [{"name": "a"}, {"name": "who", "inputType": "number"}]},
    "matrix": {"rows": ["r1", "r2"], "columns": ["a", 3], "eachRowUnique": True},
    "matrixdropdown": {"rows": ["r1"], "columns": [{"name": "a", "cellType": "text", "inputType": "number"}]},
    "matrixdynamic": {"columns": [{"name": "a", "choices": [1, "1e308"], "isUnique": True}], "keyName": "a"},
    "paneldynamic": {"templateElements": [{"type": "slider", "name": "a"}], "keyName": "a"},
    "text": {"inputType": "number", "step": 0.1, "min": -1e308},
    "rating": {"rateMin": -1e300, "rateMax": 1e308, "rateStep": 1e307},
    "slider": {"sliderType": "range"},
    "dropdown": {"choicesMin": 0, "choicesMax": 1e308, "choicesStep": 1e307, "showOtherItem": True},
    "checkbox": {"choices": [1, 2.5, "a"], "validators": [{"type": "answercount", "minCount": 2}]},
    "file": {"maxSize": 1, "allowMultiple": True},
}
EVERY = form(*({"type": kind, "name": kind, **NEEDED.get(kind, {})} for kind in sorted(QUESTIONS)))
NAMES = sorted(
    {name for kind in QUESTIONS for name in properties(kind)}
    | {name for cell in CELLS for name in cell_properties(cell)}
    | {
        name
        for kind in (
            "survey",
            "itemvalue",
            "choiceitem",
            "regexvalidator",
            "numericvalidator",
            "textvalidator",
        )
        if is_class(kind)
        for name in properties(kind)
    }
)


def judge(made: Form, data: Any) -> None:
    found = answer_faults(made, data)
    assert all(path.startswith("/data") for path, _ in found)
    if found:
        return
    kept = check_answers(made, data)
    json.dumps(kept, allow_nan=False).encode()
    msgspec.json.encode(filter_terms(made, kept))
    assert check_answers(made, kept) == kept


@settings(max_examples=400, deadline=None)
@given(data=ANY | st.dictionaries(st.sampled_from(sorted(QUESTIONS)), ANY, max_size=6))
def test_any_answers_to_every_type(data: Any) -> None:
    judge(EVERY, data)


@settings(max_examples=400, deadline=None)
@given(value=NUMBERS, step=NUMBERS, low=NUMBERS, high=NUMBERS, count=NUMBERS)
def test_numbers_at_the_edges(value: Any, step: Any, low: Any, high: Any, count: Any) -> None:
    validator = {"type": "numeric", "minValue": low, "maxValue": high}
    for element, answer in (
        ({"type": "text", "inputType": "number", "step": step}, value),
        ({"type": "text", "inputType": "range", "min": low, "max": high, "validators": [validator]}, value),
        ({"type": "slider", "min": low, "max": high, "step": step}, value),
        ({"type": "slider", "sliderType": "range", "max": high}, [value, low]),
        ({"type": "rating", "rateMin": low, "rateMax": high, "rateStep": step}, value),
        ({"type": "rating", "rateMin": low, "rateCount": count, "rateStep": step}, value),
        ({"type": "rating", "rateMax": high, "rateCount": count}, value),
        ({"type": "dropdown", "choicesMin": low, "choicesMax": high, "choicesStep": step}, value),
        ({"type": "radiogroup", "choices": [low, high]}, value),
        ({"type": "matrix", "rows": [low], "columns": [low, high]}, {str(low): value}),
        ({"type": "matrixdynamic", "rowCount": count, "minRowCount": low,
          "columns": [{"name": "a", "choices": [low]}]},
         [{"a": value}]),
        ({"type": "paneldynamic", "panelCount": count, "maxPanelCount": high, "templateElements": []}, [{}]),
        ({"type": "file", "maxSize": high, "maxFiles": count, "allowMultiple": True},
         [{"name": "a", "content": "data:,abc"}]),
    ):  # fmt: skip
        try:
            made = form({"name": "q", **element})
        except Invalid:
            continue
        msgspec.json.encode(json_schema(made))
        judge(made, {"q": answer})


def places(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from places(inner)


@settings(max_examples=1500, deadline=None)
@given(data=st.data(), number=st.integers(0, len(FORMS) - 1), answers=st.dictionaries(WORDS, ANY, max_size=3))
def test_mutated_definitions(data: st.DataObject, number: int, answers: Json) -> None:
    definition = copy.deepcopy(FORMS[number])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(list(places(definition))))
        value = data.draw(ANY | st.sampled_from(list(places(FORMS[number]))))
        if isinstance(place, dict):
            place[data.draw(st.sampled_from([*place, *NAMES]))] = copy.deepcopy(value)
        else:
            place.insert(0, copy.deepcopy(value))
    found = definition_faults(definition)
    assert all(path.startswith("/definition") for path, _ in found)
    if found:
        return
    made = compile_definition(definition)
    assert len(msgspec.json.encode(json_schema(made))) < 4_000_000
    judge(made, answers)


EXPRESSIONS = st.integers(0, 10**6).map(lambda seed: calculation(random.Random(seed)))


@settings(max_examples=600, deadline=None)
@given(text=EXPRESSIONS, data=st.dictionaries(st.sampled_from(["a", "b", "num", "list", "rows", "day"]), ANY))
def test_any_values_in_expressions(text: str, data: Json) -> None:
    """Numbers as JSON has them; whatever an expression makes of them is a value."""
    try:
        check_text(text)
    except ValueError:
        return
    questions = [{"type": "expression", "name": "e", "expression": text}]
    asked = [{"type": "comment", "name": name} for name in ("a", "b")]
    made = form(*asked, {"type": "text", "name": "x", "visibleIf": text, "requiredIf": text}, *questions)
    judge(made, {name: value for name, value in data.items() if name in ("a", "b")})
    run = compile_text(text)
    with contextlib.suppress(Exhausted):
        json.dumps(stored(run(Plain(data))), allow_nan=False)
