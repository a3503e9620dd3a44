"""What the server refuses is told beside the question, wherever that stands."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.forms import published, published_schema, responses
from tests.browser.visitor import Visitor
from tests.people import People

NESTED: dict[str, Any] = {
    "pages": [
        {"name": "one", "elements": [{"type": "text", "name": "first", "title": "First"}]},
        {
            "name": "two",
            "elements": [
                {
                    "type": "paneldynamic",
                    "name": "guests",
                    "panelCount": 2,
                    "templateElements": [{"type": "text", "name": "mail", "title": "Mail"}],
                },
                {
                    "type": "matrixdynamic",
                    "name": "items",
                    "rowCount": 2,
                    "columns": [{"name": "what", "cellType": "text"}],
                },
                {
                    "type": "matrixdropdown",
                    "name": "days",
                    "rows": ["mon", "tue"],
                    "columns": [{"name": "who", "cellType": "text"}],
                },
                {"type": "multipletext", "name": "address", "items": [{"name": "town"}]},
                {
                    "type": "panel",
                    "name": "p",
                    "elements": [{"type": "text", "name": "inside", "title": "Inside"}],
                },
            ],
        },
    ]
}
FAULTS = {
    "/data/first": "fault of the first",
    "/data/guests/1/mail": "fault of the second guest",
    "/data/items/1/what": "fault of the second row",
    "/data/days/tue/who": "fault of Tuesday",
    "/data/address/town": "fault of the town",
    "/data/inside": "fault in a panel",
    "/data/nowhere": "fault of nothing here",
}


def answer_with(visitor: Visitor, errors: dict[str, str]) -> None:
    """The server's refusal, written here: of each kind of place there is."""
    body = {"type": "/problems/invalid", "title": "Invalid input", "status": 422, "detail": "…"}
    told = [{"path": path, "message": message} for path, message in errors.items()]
    visitor.page.route(
        "**/responses",
        lambda route: route.fulfill(
            status=422, json={**body, "errors": told}, content_type="application/problem+json"
        ),
    )


def test_a_real_refusal_is_shown_where_it_belongs_and_can_be_mended(visit: Visit, cast: People) -> None:
    elements = [
        {"type": "text", "name": "code", "title": "Code"},
        {"type": "text", "name": "other", "title": "Other"},
    ]
    form = published(cast.alice, {"elements": elements})
    visitor = visit()
    visitor.statuses = {422}
    # survey-core would not send such an answer: it is changed on its way.
    visitor.open(form.slug)
    visitor.fill("Code", "x")
    visitor.page.route(
        "**/responses",
        lambda route: route.continue_(
            post_data=(route.request.post_data or "").replace('"code":"x"', '"code":5')
        ),
    )
    visitor.press("Complete")
    visitor.told("Not sent yet: one answer has to be changed.")
    expect(visitor.question("code")).to_contain_text("string")
    expect(visitor.page.get_by_role("textbox", name="Code")).to_be_focused()
    visitor.page.unroute("**/responses")
    visitor.fill("Code", "y")
    expect(visitor.question("code")).not_to_contain_text("string")
    visitor.press("Complete")
    expect(visitor.page.get_by_text("Thank you")).to_be_visible()
    assert [one["data"] for one in responses(cast.alice, form)] == [{"code": "y"}]


def test_faults_within_panels_rows_and_items(visit: Visit, cast: People) -> None:
    form = published(cast.alice, NESTED)
    visitor = visit()
    visitor.statuses = {422}
    answer_with(visitor, FAULTS)
    visitor.open(form.slug)
    visitor.press("Next")
    visitor.press("Complete")
    visitor.told("Not sent yet: 7 answers have to be changed. fault of nothing here")
    # The first fault is on the first page: there it goes.
    expect(visitor.question("first")).to_contain_text("fault of the first")
    expect(visitor.page.get_by_role("textbox", name="First")).to_be_focused()
    visitor.press("Next")
    for path, message in FAULTS.items():
        if path not in ("/data/first", "/data/nowhere"):
            expect(visitor.page.get_by_text(message)).to_be_visible()
    assert visitor.page.get_by_text("fault of the second guest").count() == 1
    expect(visitor.question("guests").locator('[data-name="mail"]').nth(1)).to_contain_text("second guest")


def test_a_form_by_schema_is_asked_and_answered(visit: Visit, cast: People) -> None:
    schema = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "title": "Name", "minLength": 3},
            "age": {"type": "integer", "title": "Age"},
            "likes": {"type": "array", "title": "Likes", "items": {"enum": ["tea", "cake"]}},
            "home": {
                "type": "object",
                "title": "Home",
                "properties": {"town": {"type": "string", "title": "Town", "pattern": "^[A-Z]"}},
            },
        },
    }
    form = published_schema(cast.alice, schema)
    visitor = visit()
    visitor.statuses = {422}
    visitor.open(form.slug)
    visitor.fill("Name", "Ada")
    visitor.page.get_by_role("spinbutton", name="Age").fill("36")
    visitor.page.get_by_text("cake").click()
    visitor.fill("Town", "oslo")
    visitor.press("Complete")
    visitor.told("Not sent yet: one answer has to be changed.")
    expect(visitor.page.get_by_role("textbox", name="Town")).to_be_focused()
    visitor.fill("Town", "Oslo")
    visitor.press("Complete")
    expect(visitor.page.get_by_text("Thank you")).to_be_visible()
    [response] = responses(cast.alice, form)
    assert response["data"] == {"name": "Ada", "age": 36, "likes": ["cake"], "home": {"town": "Oslo"}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"any": {"oneOf": [{"type": "string"}, {"type": "number"}]}}},
        {"type": "object", "properties": {"list": {"type": "array", "items": {"type": "string"}}}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "minProperties": 1},
        {"type": "object"},
    ],
)
def test_a_schema_that_cannot_be_asked_honestly_says_so(
    visit: Visit, cast: People, schema: dict[str, Any]
) -> None:
    form = published_schema(cast.alice, schema)
    visitor = visit()
    visitor.page.goto(f"{visitor.url}/f/{form.slug}")
    expect(visitor.page.get_by_text("are sent by programs")).to_be_visible()
