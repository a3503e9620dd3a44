"""Patterns and rules that would keep a server busy: what they may cost is counted, never waited for."""

from __future__ import annotations

import time
from typing import Any

import pytest

from appliance.domain.field import TOO_LONG
from appliance.domain.form import Form
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
