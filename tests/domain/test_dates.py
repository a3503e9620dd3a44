from __future__ import annotations

import pytest

from appliance.domain.dates import js_date, parse, parse_limit
from tests.domain.forms import answer_faults, form

GOOD = {
    "date": ["2024-02-29", "0001-01-01"],
    "datetime-local": ["2024-02-29T23:59", "2024-02-29T00:00:59.123"],
    "time": ["00:00", "23:59:59"],
    "month": ["2024-12"],
    "week": ["2026-W53", "2024-W01"],
}
BAD = {
    "date": [
        "2023-02-29",
        "2024-13-01",
        "24-01-01",
        "2024-1-1",
        "2024-01-01T00:00",
        "today",
        "２０２４-01-01",
        "0000-01-01",
    ],
    "datetime-local": [
        "2024-02-30T10:00",
        "2024-02-29T24:00",
        "2024-02-29",
        "2024-02-29 10:00",
        "2024-02-29T10:00Z",
    ],
    "time": ["24:00", "9:00", "09:60", "09:00:61"],
    "month": ["2024-00", "2024-13", "2024"],
    "week": ["2025-W53", "2024-W00", "2024-10"],
}


@pytest.mark.parametrize("kind", GOOD)
def test_really_parsed(kind: str) -> None:
    made = form({"type": "text", "name": "q", "inputType": kind})
    for text in GOOD[kind]:
        assert answer_faults(made, {"q": text}) == [], text
    for text in BAD[kind]:
        [(path, message)] = answer_faults(made, {"q": text})
        assert path == "/data/q"
        assert message == "Invalid input", f"{text}: survey-core's words, none of Python's"


def test_as_javascript_writes_them() -> None:
    assert js_date("date", parse("date", "2025-01-01")) == "Wed Jan 01 2025"
    text = "Thu Feb 29 2024 10:05:00 GMT+0000 (Coordinated Universal Time)"
    assert js_date("datetime-local", parse("datetime-local", "2024-02-29T10:05")) == text


def test_a_limit_may_be_a_date_or_a_date_time() -> None:
    assert parse_limit("date", "2024-01-01T00:00") == parse_limit("datetime-local", "2024-01-01")
