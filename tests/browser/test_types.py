"""Every type of question that survey-core has is drawn, on a phone and on a desk, and can be answered."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from appliance.domain import survey_core
from tests.browser.conftest import Visit
from tests.browser.forms import PNG, published, responses
from tests.browser.visitor import DESKTOP, PHONE, Visitor
from tests.people import People

DOT = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='90' height='60'/%3E"
AREA = {"value": "left", "shape": "rect", "coords": "0,0,40,60"}
CHOICES = ["one", "two", "three"]
TYPES: dict[str, dict[str, Any]] = {
    "boolean": {},
    "buttongroup": {"choices": CHOICES},
    "checkbox": {"choices": CHOICES},
    "comment": {},
    "dropdown": {"choices": CHOICES},
    "expression": {"expression": "{text} + '!'"},
    "file": {},
    "html": {"html": "<p style='color: inherit'>Some <b>words</b></p>"},
    "image": {"imageLink": DOT, "altText": "A dot"},
    "imagemap": {"imageLink": DOT, "areas": [AREA]},
    "imagepicker": {"choices": [{"value": "dot", "text": "A dot", "imageLink": DOT}], "showLabel": True},
    "matrix": {"rows": ["r1", "r2"], "columns": ["c1", "c2"]},
    "matrixdropdown": {"rows": ["r1"], "columns": [{"name": "n", "cellType": "text"}]},
    "matrixdynamic": {"rowCount": 1, "columns": [{"name": "n", "cellType": "checkbox", "choices": CHOICES}]},
    "multipletext": {"items": [{"name": "town"}, {"name": "street"}]},
    "paneldynamic": {
        "panelCount": 1,
        "templateElements": [{"type": "text", "name": "inner", "title": "Inner"}],
    },
    "radiogroup": {"choices": CHOICES},
    "ranking": {"choices": CHOICES},
    "rating": {},
    "signaturepad": {},
    "slider": {},
    "tagbox": {"choices": CHOICES},
    "text": {},
}
FORM = {
    "elements": [{"type": kind, "name": kind, "title": f"A {kind}", **more} for kind, more in TYPES.items()],
    "showQuestionNumbers": True,
    "showTOC": False,
}


def test_all_types_are_here() -> None:
    assert set(TYPES) == survey_core.QUESTIONS


@pytest.mark.parametrize("options", [PHONE, DESKTOP], ids=["phone", "desk"])
def test_they_are_drawn_and_answered(visit: Visit, cast: People, options: dict[str, Any]) -> None:
    form = published(cast.alice, FORM)
    visitor = visit(bypass_csp=False, **options)
    visitor.open(form.slug)
    for kind in TYPES:
        expect(visitor.question(kind)).to_be_visible()
    _answer(visitor)
    expect(visitor.question("expression")).to_contain_text("Ada!")
    visitor.press("Complete")
    expect(visitor.page.get_by_text("Thank you")).to_be_visible()
    [response] = responses(cast.alice, form)
    data = response["data"]
    assert data.pop("signaturepad").startswith("data:image/png;base64,")
    assert data.pop("file")[0]["name"] == "dot.png"
    assert data == {
        "boolean": True,
        "buttongroup": "two",
        "checkbox": ["one", "three"],
        "comment": "words",
        "dropdown": "two",
        "expression": "Ada!",
        "imagepicker": "dot",
        "matrix": {"r1": "c2"},
        "matrixdropdown": {"r1": {"n": "x"}},
        "matrixdynamic": [{"n": ["two"]}],
        "multipletext": {"town": "Oslo"},
        "paneldynamic": [{"inner": "y"}],
        "radiogroup": "one",
        "rating": 4,
        "tagbox": ["three"],
        "text": "Ada",
    }


def _answer(visitor: Visitor) -> None:
    question, page = visitor.question, visitor.page
    question("boolean").get_by_text("Yes").click()
    question("buttongroup").get_by_text("two").click()
    visitor.choose("checkbox", "one")
    visitor.choose("checkbox", "three")
    question("comment").get_by_role("textbox").fill("words")
    question("dropdown").locator(".sd-formbox").click()
    page.get_by_role("option", name="two").click()
    visitor.attach("file", "dot.png", "image/png", PNG)
    question("imagepicker").locator("img").click()
    question("matrix").get_by_role("radio", name="c2").first.check(force=True)
    question("matrixdropdown").get_by_role("textbox").fill("x")
    question("matrixdynamic").get_by_text("two").click()
    question("multipletext").get_by_text("town").click()  # on a phone it makes room only then
    page.keyboard.type("Oslo")
    visitor.fill("Inner", "y")
    visitor.choose("radiogroup", "one")
    question("rating").get_by_text("4").click()
    _sign(visitor)
    question("tagbox").locator(".sd-formbox").click()
    page.get_by_role("option", name="three").click()
    page.keyboard.press("Escape")
    question("text").get_by_role("textbox").fill("Ada")


def _sign(visitor: Visitor) -> None:
    pad = visitor.question("signaturepad").locator("canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    mouse = visitor.page.mouse
    mouse.move(box["x"] + 20, box["y"] + 20)
    mouse.down()
    mouse.move(box["x"] + 80, box["y"] + 60, steps=5)
    mouse.up()
