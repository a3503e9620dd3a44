"""Patterns and rules that would keep a server busy: what they may cost is counted, never waited for."""

from __future__ import annotations

import time
from typing import Any

import pytest

from appliance.domain.effort import MAX_EFFORT
from appliance.domain.faults import Faults
from appliance.domain.field import TOO_LONG
from appliance.domain.form import Form
from appliance.domain.scope import SHARED
from tests.domain.forms import answer_faults, definition_faults, form

Json = dict[str, Any]


def matched(regex: str, number: int = 1, **more: Any) -> Form:
    rule = {"type": "regex", "regex": regex, "text": "No", **more}
    return form(*({"type": "text", "name": f"q{place}", "validators": [rule]} for place in range(number)))


HOSTILE = [
    (".*a.{1000}$", 1, "ba" * 500_000),
    ("(a|b)*a(a|b){500}c", 1, "ab" * 500_000),
    ("[ab]{900}.*x", 100, "ab" * 5_000),
    ("(?:[acegikmoqsuwyACEGIKMOQSUWY02468!#%]|b?){600}.*~~", 1, "wy" * 100_000),
    (r"(?:\w?\W?){500}~!", 1, "😀😁" * 100_000),
    (r"^\S{1,1000}\s*$", 1, "é" * 500_000),
]


@pytest.mark.parametrize("regex, number, text", HOSTILE)
def test_hostile_patterns_are_refused_and_not_run(regex: str, number: int, text: str) -> None:
    made = matched(regex, number)
    begun = time.process_time()
    found = answer_faults(made, {f"q{place}": text for place in range(number)})
    assert time.process_time() - begun < 2
    assert {message for path, message in found if path != "/data/q0"} <= {TOO_LONG}
    assert TOO_LONG in {message for _, message in found}


def test_the_effort_is_one_for_all_answers_of_a_response() -> None:
    made = matched("^[ab]{900}", 20)
    assert made.scope.by_key["q0"][0].validators, "or nothing is counted"  # type: ignore[union-attr]
    for number, refused in ((10, []), (20, [TOO_LONG] * 10)):
        found = answer_faults(made, {f"q{place}": "ab" * 505 for place in range(number)})
        assert [message for _, message in found] == refused
    rule = {"type": "regex", "regex": "[ab]{900}.*x", "text": "No"}
    rows = {"type": "matrixdynamic", "name": "q", "columns": [
        {"name": "a", "cellType": "text", "validators": [rule]}]}  # fmt: skip
    found = answer_faults(form(rows), {"q": [{"a": "ab" * 505}] * 20})
    assert [path for path, message in found if message == TOO_LONG] == [
        f"/data/q/{n}/a" for n in range(10, 20)
    ]


def test_many_rules_on_one_long_text_are_counted_too() -> None:
    many = [{"type": "email"}, {"type": "text", "maxLength": 9}] * 4_000
    made = form({"type": "comment", "name": "q", "validators": many})
    assert answer_faults(made, {"q": "é" * 400_000}) == [("/data/q", TOO_LONG)]
    shared = [{"type": "text", "name": f"q{n}", "valueName": "v", "inputType": "email"} for n in range(900)]
    assert ("/data/v", TOO_LONG) in answer_faults(form(*shared), {"v": "a." * 200_000})


EMAIL = (
    r"^(([^<>()\[\]\.,;:\s@\"]+(\.[^<>()\[\]\.,;:\s@\"]+)*)|(\".+\"))"
    r"@(([^<>()=[\]\.,;:\s@\"]+\.)+[^<>()=[\]\.,;:\s@\"]{2,})$"
)
ORDINARY = [
    r"^[\w.+-]+@[\w-]+\.[\w.-]+$",
    EMAIL,
    r"^[A-Za-zÀ-ÿ' -]{1,40}$",
    r"^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)$",
]


@pytest.mark.parametrize("regex", ORDINARY)
def test_ordinary_patterns_are_not_held_up(regex: str) -> None:
    """25 questions, 10 KB in each (1 KB where 40 characters would do): the pattern alone decides."""
    text = "some.name" * (1111 if "@" in regex else 111)
    found = answer_faults(matched(regex, 25), {f"q{place}": text for place in range(25)})
    assert {message for _, message in found} == {"No"}


def test_lengths_told_by_a_pattern() -> None:
    for regex in ("^.{0,1000}$", r"^\S{1,1000}$", "^[^]{10,1000}$"):
        assert answer_faults(matched(regex, 4), {f"q{place}": "x" * 900 for place in range(4)}) == []


@pytest.mark.parametrize(
    "regex, more, message",
    [
        ("k{1000}" * 18, {}, "too large: 18000 places"),
        ("k{1000}" * 18, {"caseInsensitive": True}, "too large"),
        ("[ks]{1000}" * 9, {"caseInsensitive": True}, "too large"),
        ("[^x]{1000}" * 11, {}, "too large"),
    ],
)
def test_large_patterns_are_refused_where_they_stand(regex: str, more: Json, message: str) -> None:
    rule = {"type": "regex", "regex": regex, **more}
    first = {"type": "text", "name": "a"}
    found = definition_faults({"elements": [first, {"type": "text", "name": "q", "validators": [rule]}]})
    assert [path for path, _ in found] == ["/definition/elements/1/validators/0/regex"]
    assert message in found[0][1]


def test_what_ignoring_case_makes_too_large_is_refused_only_then() -> None:
    for ignores, faults in ((False, 0), (True, 1)):
        rule = {"type": "regex", "regex": "[ks]{1000}" * 9, "caseInsensitive": ignores}
        found = definition_faults({"elements": [{"type": "text", "name": "q", "validators": [rule]}]})
        assert len(found) == faults


def test_the_patterns_of_a_form_are_counted_together() -> None:
    rule = {"type": "regex", "regex": "[ab]{900}.*x"}
    many = [{"type": "text", "name": f"q{n}", "validators": [rule]} for n in range(1000)]
    assert definition_faults({"elements": many[:100]}) == []
    [(path, message)] = definition_faults({"elements": many})
    assert path == "/definition/elements/110/validators/0/regex"
    assert message.endswith("a form may have 100000")


def test_names_of_many_steps_cost_what_they_take() -> None:
    """A name is looked for in every way in which its dots can be read, and again while values change."""
    long = " or ".join([f"{{{'a.' * 29}b{n}}} = 1" for n in range(100)])
    elements = [{"type": "text", "name": f"q{n}", "visibleIf": long} for n in range(70)]
    counter = {"type": "expression", "name": "e", "expression": "{e} + 1"}
    assert answer_faults(form(*elements[:5]), {}) == []
    begun = time.perf_counter()
    [(path, message)] = answer_faults(form(*elements, counter), {"q0": "x"})
    assert path == "/data"
    assert "too large for the form's conditions" in message
    assert time.perf_counter() - begun < 20


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Those that were taken, one by one."""
    taken: list[int] = []
    spend = Faults.spend

    def counted(faults: Faults, steps: int) -> bool:
        is_left = spend(faults, steps)
        if is_left:
            taken.append(steps)
        return is_left

    monkeypatch.setattr(Faults, "spend", counted)
    return taken


def _matrices(number: int) -> Form:
    columns = [{"name": name, "cellType": "text"} for name in "ab"]
    return form(
        *(
            {"type": "matrixdynamic", "name": f"m{n}", "valueName": "v", "columns": columns}
            for n in range(number)
        )
    )


def test_an_answer_is_not_read_by_any_number_of_questions(steps: list[int]) -> None:
    """Each question of one valueName reads and judges it, so 300 matrices took 14 s for 1000 rows."""
    rows = {"v": [{"a": "x" * 1000, "b": "y" * 1000}] * 1000}
    assert answer_faults(_matrices(300), rows) == [("/data/v", SHARED)]
    assert steps == []
    assert answer_faults(_matrices(3), rows) == []
    assert sum(steps) < MAX_EFFORT / 2


def test_rows_that_are_looked_at_too_often_are_too_many(steps: list[int]) -> None:
    validator = {"type": "expression", "expression": "{v.length} < 2000"}
    tables = [
        {"type": "matrixdynamic", "name": f"m{n}", "valueName": f"v{n % 40}", "columns": [
            {"name": "a", "cellType": "text", "validators": [validator]}]}
        for n in range(400)
    ]  # fmt: skip
    found = answer_faults(form(*tables), {f"v{n}": [{"a": "x"}] * 900 for n in range(40)})
    assert {message for _, message in found} & {SHARED, TOO_LONG}
    assert len(steps) < MAX_EFFORT / 50


def test_choices_of_another_question_are_looked_at_once(steps: list[int]) -> None:
    """900 dropdowns, each with its choices from one checkbox of 5000."""
    giver = {"type": "checkbox", "name": "g", "choices": list(range(5000))}
    takers = [
        {"type": "dropdown", "name": f"d{n}", "choicesFromQuestion": "g", "choicesFromQuestionMode": mode}
        for n, mode in enumerate(["selected", "unselected"] * 450)
    ]
    data = {"g": list(range(2500)), **{f"d{n}": 2500 * (n % 2) for n in range(900)}}
    assert answer_faults(form(giver, *takers), data) == []
    assert sum(steps) < 2_000_000
    wrong = {**data, "d0": 4000, "d1": 1}
    assert [path for path, _ in answer_faults(form(giver, *takers), wrong)] == ["/data/d0", "/data/d1"]


def test_choices_that_depend_on_the_row_are_counted(steps: list[int]) -> None:
    giver = {"type": "checkbox", "name": "g", "choices": list(range(5000))}
    cell = {
        "name": "c",
        "cellType": "dropdown",
        "choicesFromQuestion": "g",
        "choicesVisibleIf": "{row.n} < {item}",
    }
    table = {"type": "matrixdynamic", "name": "m", "columns": [{"name": "n", "cellType": "text"}, cell]}
    found = answer_faults(form(giver, table), {"g": [1], "m": [{"n": "0", "c": 7}] * 500})
    assert TOO_LONG in {message for _, message in found}
    assert len(steps) < MAX_EFFORT / 10
