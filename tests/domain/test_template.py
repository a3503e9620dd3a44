from __future__ import annotations

import tracemalloc

from appliance.domain.template import LONGEST, fill


def test_places_are_filled_once_whatever_their_case() -> None:
    values = {"name": "{other}", "other": "no", "form.title": "T"}
    assert fill("{NAME} { name } {form.title} {none} {}", values) == "{other} {other} T {none} {}"


def test_a_long_answer_that_is_named_often_takes_no_room() -> None:
    values = {"a": "x" * 900_000}
    tracemalloc.start()
    try:
        filled = fill("{a}" * 3_000, values)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert filled == "x" * LONGEST + " […]"
    assert peak < 20 * len(values["a"])
