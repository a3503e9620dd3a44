"""pyxform is what reads XLSForms elsewhere: every name that it knows is known here, as the same thing."""

from __future__ import annotations

import pytest
from pyxform import aliases
from pyxform.question_type_dictionary import QUESTION_TYPE_DICT

from appliance.domain.xlsform.columns import CARRIED, column
from appliance.domain.xlsform.question_types import read_type

CONTROLS = {"select1": "one", "select": "multiple", "odk:rank": "rank"}


@pytest.mark.parametrize("name", sorted(QUESTION_TYPE_DICT))
def test_types(name: str) -> None:
    """By the control that pyxform makes of each; what has none is metadata, or a calculation."""
    row = QUESTION_TYPE_DICT[name]
    tag, kind = row.get("control", {}).get("tag"), row.get("bind", {}).get("type", "")
    if tag in CONTROLS:
        assert read_type(f"{name} a_list").what == CONTROLS[tag]
    elif name == "select one external":
        assert read_type(f"{name} a_list").what == "from file"
    elif kind.startswith("geo") or tag in (None, "action") or name == "osm":
        assert read_type(name).what == "left out" or read_type(name).name in ("calculate", "hidden")
    else:
        assert read_type(name).what == "simple"


@pytest.mark.parametrize("name", sorted(aliases.select))
def test_selects(name: str) -> None:
    found = read_type(f"{name} a_list")
    wanted = {"select one": "one", "select all that apply": "multiple", "rank": "rank"}
    if name in aliases.select_from_file or "external" in name:
        assert found.what == "from file"
    else:
        assert (found.what, found.name) == (wanted[aliases.select[name]], "a_list")


@pytest.mark.parametrize("name", sorted(aliases.control))
def test_blocks(name: str) -> None:
    for word in ("begin", "end"):
        for space in " _":
            found = read_type(f"{word}{space}{name}")
            if name == "loop":  # questions for each choice of a list
                assert found.what == "unknown"
            else:
                assert (found.what, found.name) == (word, aliases.control[name])


def test_columns() -> None:
    """Headers that pyxform takes for the same column are the same here."""
    for sheet, table in (("survey", aliases.survey_header), ("choices", aliases.list_header)):
        groups: dict[object, set[str]] = {}
        for header, target in table.items():
            groups.setdefault(target, set()).add(column(sheet, header).name)
        for target, names in groups.items():
            if names & CARRIED[sheet]:
                assert len(names) == 1, (sheet, target, names)
        carried = {name for names in groups.values() for name in names} & CARRIED[sheet]
        assert carried, sheet
    settings = {column("settings", header).name for header in aliases.settings_header}
    assert {"form_title", "form_id"} <= settings


@pytest.mark.parametrize(
    "header, wanted",
    [
        ("Label::English (en)", ("label", "English (en)")),
        ("label:French", ("label", "French")),
        ("media::image::French", ("image", "French")),
        ("bind::jr:constraintMsg", ("constraint_message", "")),
        ("bind::jr:constraintMsg::fr", ("constraint_message", "fr")),
        ("bind:jr:constraintMsg", ("constraint_message", "")),
        ("control:appearance", ("appearance", "")),
        ("Constraint Message", ("constraint_message", "")),
        ("body::accuracyThreshold", ("body::accuracythreshold", "")),
        ("  Read Only ", ("read_only", "")),
    ],
)
def test_headers(header: str, wanted: tuple[str, str]) -> None:
    assert column("survey", header) == wanted
