"""`scripts/bench engine`: what the rules of forms cost by themselves, in this process, without an appliance.

A form of 30 questions, ten of them with conditions, and answers of 1 KB; two definitions that are refused.
CPU time, so that other programs do not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from appliance.clock import utc_now
from appliance.domain.answer import check_answers
from appliance.domain.form import compile_definition
from appliance.errors import Invalid
from tests.bench import report

ROUNDS: Final = 2_000
_FEW: Final = 50
"""Rounds of what takes milliseconds."""
CHECK_US, COMPILE_MS, REFUSE_MS = 300, 50, 50

Json = dict[str, Any]
_KINDS: Final[tuple[Json, ...]] = (
    {"type": "text", "maxLength": 200},
    {"type": "text", "inputType": "number", "min": 0, "max": 1000},
    {"type": "text", "inputType": "date"},
    {"type": "radiogroup", "choices": ["soup", "salad", "fish"]},
    {"type": "checkbox", "choices": ["a", "b", "c", "d"]},
    {"type": "boolean"},
    {"type": "rating"},
    {"type": "comment"},
    {"type": "dropdown", "choices": [f"city {number}" for number in range(60)]},
    {"type": "text", "inputType": "email"},
)
_ANSWERS: Final = (
    "waited long for a table near the window, the staff was kind but the music was much too loud",
    42, "2026-03-10", "soup", ["a", "c"], True, 4,
    "crème brûlée, then coffee; all in all a pleasant evening that we would like to repeat in spring",
    "city 7", "ada@example.org",
)  # fmt: skip
_CONDITIONS: Final = (
    ("visibleIf", "{q5} = true"),
    ("visibleIf", "{q1} > 10 and {q3} = 'soup'"),
    ("requiredIf", "{q4} contains 'a'"),
    ("visibleIf", "{q6} >= 3 or {q0} notempty"),
    ("enableIf", "{q8} anyof ['city 7', 'city 9']"),
)


def definition() -> Json:
    elements: list[Json] = [{**_KINDS[place % 10], "name": f"q{place}"} for place in range(30)]
    for place in range(10):
        name, text = _CONDITIONS[place % 5]
        elements[10 + 2 * place][name] = text
    return {"elements": elements}


def answers() -> Json:
    return {f"q{place}": _ANSWERS[place % 10] for place in range(30)}


def run() -> Json:
    about, form, data, now = report.machine(), compile_definition(definition()), answers(), utc_now()
    check = _seconds(lambda: check_answers(form, data, now), ROUNDS)
    compiled = _seconds(lambda: compile_definition(definition()), _FEW)
    nested = _seconds(lambda: _refused("(" * 1_000 + "1" + ")" * 1_000), _FEW)
    long = _seconds(lambda: _refused("1+" * 500_000 + "1"), _FEW)
    rows = [
        _row("answers of 30 questions, 10 conditions, 1 KB", "us", check, 1e6),
        _row("that definition, compiled", "ms", compiled, 1e3),
        _row("1,000 parentheses within each other, refused", "ms", nested, 1e3),
        _row("an expression of 1 MB, refused", "ms", long, 1e3),
    ]
    limits = (CHECK_US, COMPILE_MS, REFUSE_MS, REFUSE_MS)
    return {"machine": about, "rows": rows, "aims": [_aim(*one) for one in zip(rows, limits, strict=True)]}


def _seconds(work: Callable[[], object], rounds: int) -> list[float]:
    found = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return found


def _refused(expression: str) -> None:
    try:
        compile_definition({"elements": [{"type": "text", "name": "q", "visibleIf": expression}]})
    except Invalid:
        return
    raise ValueError("this expression was taken")


def _row(what: str, unit: str, seconds: list[float], scale: float) -> Json:
    shares = {f"p{share}": round(report.quantile(seconds, share / 100) * scale, 2) for share in (50, 95)}
    return {"what": what, "unit": unit, **shares}


def _aim(row: Json, most: float) -> Json:
    aim = f"{row['what']}: p50 ≤ {most} {row['unit']}"
    return {"aim": aim, "measured": f"{row['p50']} {row['unit']}", "pass": row["p50"] <= most}
