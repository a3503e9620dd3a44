"""docs/api.md names every setting of a form, every field of a submission, and how refusals are told apart."""

from __future__ import annotations

import re

import pytest

from appliance import errors
from appliance.services import shapes
from appliance.settings import HOME

PAGE = (HOME / "docs/api.md").read_text(encoding="utf-8")


def first_cells(title: str) -> set[str]:
    """What the first column of the tables of a section has in backticks."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([\w-]+)`", cell)}


def test_every_setting_of_a_form() -> None:
    assert first_cells("Forms: what they are set to") == set(shapes.FormSettings.__struct_fields__)


def test_every_field_of_a_submission_and_its_meta() -> None:
    told = first_cells("Responses: what is sent")
    assert set(shapes.Submission.__struct_fields__) <= told
    (row,) = (line for line in PAGE.splitlines() if line.startswith("| `meta` |"))
    assert set(shapes.SubmissionMeta.__struct_fields__) <= set(re.findall(r"`(\w+)`", row))


@pytest.mark.parametrize("status", [409, 410])
def test_every_refusal_of_a_status_that_has_several(status: int) -> None:
    slugs = {each.slug for each in errors.Problem.__subclasses__() if each.status == status}
    assert slugs <= first_cells("Responses: what is sent")


def test_what_a_stranger_sees() -> None:
    section = PAGE.split("\n## Forms: what they are set to\n")[1].split("\n\n")[0]
    named = set(re.findall(r"`(\w+)[:`]", section))
    shown = {*shapes.PublicForm.__struct_fields__, *shapes.LockedForm.__struct_fields__}
    assert shown <= named
