"""A definition that came of an import is held to the check of all of them; what is refused is left out."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.domain.definition import MAX_TEXT
from appliance.domain.form import compile_definition
from appliance.domain.imported import Report, hold_to_check
from appliance.errors import Invalid

Json = dict[str, Any]
GOOD: Json = {"type": "text", "name": "good"}


def held(*elements: Json, **more: Any) -> tuple[Json, list[str]]:
    report = Report()
    for place, element in enumerate(elements):
        report.made(element, f"/source/{place}")
    made = hold_to_check({"elements": [GOOD, *elements], **more}, report)
    compile_definition(made)
    return made, [f"{warning.path}: {warning.message}" for warning in report.found]


@pytest.mark.parametrize(
    "element, left, told",
    [
        ({"visibleIf": "f("}, {}, "`visibleIf` 'f('"),
        ({"title": "T", "colour": "red"}, {"title": "T"}, "`colour` 'red'"),
        ({"validators": [{"type": "regex", "regex": "(?=x)"}]}, {"validators": []}, "this regex"),
        (
            {"validators": [{"type": "text", "minLength": "x"}]},
            {"validators": [{"type": "text"}]},
            "`minLength`",
        ),
    ],
)
def test_the_smallest_part_goes(element: Json, left: Json, told: str) -> None:
    made, warnings = held({"type": "text", "name": "q", **element})
    assert made["elements"][1] == {"type": "text", "name": "q", **left}
    [warning] = warnings
    assert warning.startswith("/source/0: ") and told in warning and "is left out: " in warning


def test_choices_go_one_by_one() -> None:
    made, warnings = held({"type": "dropdown", "name": "q", "choices": ["a", "b", "A", {"value": "b"}, "c"]})
    assert made["elements"][1]["choices"] == ["a", "b", "A", "c"]
    assert len(warnings) == 1


def test_a_part_without_its_name_or_type_goes_whole() -> None:
    made, warnings = held(
        {"type": "text", "name": "x" * 300},
        {"type": "nothing", "name": "q"},
        {"type": "text", "name": "good"},
        {
            "type": "panel",
            "name": "p",
            "elements": [{"type": "text", "name": "$"}, {"type": "text", "name": "in"}],
        },
    )
    assert [one["name"] for one in made["elements"]] == ["good", "p"]
    assert [one["name"] for one in made["elements"][1]["elements"]] == ["in"]
    assert [warning.split(":")[0] for warning in sorted(warnings)] == [
        "/source/0",
        "/source/1",
        "/source/2",
        "/source/3",
    ]


def test_what_always_shows_must_not_be_required() -> None:
    """Or people for whom it is not meant could not send the form."""
    inner = {"type": "text", "name": "in", "isRequired": True}
    made, warnings = held(
        {"type": "panel", "name": "p", "visibleIf": "f(", "elements": [inner]},
        {"type": "text", "name": "q", "visibleIf": "f(", "requiredIf": "{good} = 1"},
        {"type": "text", "name": "r", "visibleIf": "{good} = 1", "isRequired": True},
    )
    assert made["elements"][1]["elements"] == [{"type": "text", "name": "in"}]
    assert made["elements"][2] == {"type": "text", "name": "q"}
    assert made["elements"][3]["isRequired"] is True
    assert [warning.split(":")[0] for warning in warnings] == ["/source/0"] * 2 + ["/source/1"] * 2


def test_many_faults_take_several_rounds() -> None:
    elements = [{"type": "text", "name": f"q{n}", "visibleIf": "f("} for n in range(300)]
    made, warnings = held(*elements)
    assert len(made["elements"]) == 301 and len(warnings) == 300


def test_what_is_wrong_as_a_whole_is_refused() -> None:
    for elements in ([], [{"type": "text", "name": f"q{n}"} for n in range(1_001)]):
        with pytest.raises(Invalid):
            hold_to_check({"elements": elements}, Report())
    long = {"type": "html", "name": "h", "html": "x" * (MAX_TEXT + 1)}
    made, [warning] = held(long)
    assert "html" not in made["elements"][1] and len(warning) < 500
