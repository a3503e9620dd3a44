"""From the first question to the stored response."""

from __future__ import annotations

import httpx
from playwright.sync_api import Route, expect

from tests.browser.conftest import Visit
from tests.browser.forms import PNG, VISIT, published, republish, responses
from tests.browser.visitor import DESKTOP, Visitor
from tests.people import People
from tests.runtime.servers import until


def first_page(visitor: Visitor) -> None:
    visitor.fill("Your name", "Ada")
    visitor.choose("came", "train")
    visitor.fill("Which line?", "7")
    visitor.choose("likes", "cake")


def test_begun_on_a_phone_finished_elsewhere(visit: Visit, cast: People) -> None:
    form = published(cast.alice)
    phone = visit()
    phone.open(form.slug)
    first_page(phone)
    phone.press("Next")
    phone.press("Add new")
    phone.fill("Guest's name", "Bob")
    phone.attach("photo", "face.png", "image/png", PNG)
    expect(phone.question("photo").locator("img")).to_be_visible()
    phone.told("Saved")
    phone.page.get_by_text("Continue on another device").click()
    link = phone.page.locator("#resume-link").input_value()
    assert "#resume=" in link
    phone.context.close()

    desk = visit(**DESKTOP)
    desk.page.goto(link)
    expect(desk.page.get_by_role("textbox", name="Guest's name")).to_have_value("Bob")
    desk.told("Your earlier answers are here again.")
    assert "resume" not in desk.page.url, "the token leaves the address"
    expect(desk.question("photo").locator("img")).to_be_visible()
    desk.fill("Anything else?", "No")
    desk.press("Complete")
    expect(desk.page.get_by_text("Thank you")).to_be_visible()

    [response] = responses(cast.alice, form)
    [photo] = response["data"].pop("photo")
    assert response["data"] == {
        "name": "Ada",
        "came": "train",
        "line": "7",
        "likes": ["cake"],
        "guests": [{"who": "Bob"}],
        "words": "No",
    }
    assert (photo["name"], photo["type"]) == ("face.png", "image/png")
    assert cast.alice.get(photo["content"]).content == PNG
    meta = response["meta"]
    assert meta["language"] == "en"
    assert [page["name"] for page in meta["pages"]] == ["you", "more"]
    assert (response["form_version"], response["status"]) == (1, "accepted")


def test_keyboard_alone_is_enough(visit: Visit, cast: People) -> None:
    form = published(cast.alice)
    visitor = visit(**DESKTOP)
    visitor.open(form.slug)
    keys = visitor.page.keyboard

    def tab_to(name: str) -> None:
        for _ in range(40):
            keys.press("Tab")
            if visitor.page.evaluate("document.activeElement.matches(':focus-visible')") and name in _named(
                visitor
            ):
                return
        raise AssertionError(f"{name} is not reached by Tab")

    tab_to("Your name")
    keys.type("Ada")
    tab_to("train")
    keys.press("Space")
    tab_to("Which line?")
    keys.type("7")
    tab_to("Next")
    keys.press("Enter")
    expect(visitor.question("words")).to_be_visible()
    tab_to("Complete")
    keys.press("Enter")
    expect(visitor.page.get_by_text("Thank you")).to_be_visible()
    assert [one["data"] for one in responses(cast.alice, form)] == [
        {"name": "Ada", "came": "train", "line": "7"}
    ]


def _named(visitor: Visitor) -> str:
    """What assistive technology reads of the focused element."""
    snapshot: str = visitor.page.locator(":focus").aria_snapshot()
    return snapshot


def test_what_is_missing_is_told_and_focused_before_anything_is_sent(visit: Visit, cast: People) -> None:
    form = published(cast.alice)
    visitor = visit()
    visitor.open(form.slug)
    visitor.press("Next")
    expect(visitor.question("name")).to_contain_text("Response required.")
    expect(visitor.page.get_by_role("textbox", name="Your name")).to_be_focused()
    assert not [url for url in visitor.asked if url.endswith("/responses")]
    visitor.fill("Your name", "A")
    expect(visitor.question("name")).not_to_contain_text("Response required.")


def test_a_lost_answer_makes_no_second_response(visit: Visit, cast: People) -> None:
    form = published(cast.alice)
    visitor = visit()
    sent = []

    def lose_the_first(route: Route) -> None:
        # The server has it; the browser never hears of that.
        request = route.request
        sent.append((request.headers["idempotency-key"], request.post_data))
        if len(sent) == 1:
            headers = {name: request.headers[name] for name in ("content-type", "idempotency-key")}
            done = httpx.post(request.url, content=request.post_data, headers=headers, trust_env=False)
            assert done.status_code == 201
            route.abort()
        else:
            route.continue_()

    visitor.page.route("**/responses", lose_the_first)
    visitor.open(form.slug)
    first_page(visitor)
    visitor.press("Next")
    visitor.press("Complete")
    visitor.told("next try in")
    visitor.press("Try now")
    expect(visitor.page.get_by_text("Thank you")).to_be_visible()
    assert len(sent) == 2 and sent[0] == sent[1]
    assert len(responses(cast.alice, form)) == 1
    visitor.complaints = [each for each in visitor.complaints if "net::ERR_FAILED" not in each]


def test_a_reload_while_sending_sends_the_same_again(visit: Visit, cast: People) -> None:
    form = published(cast.alice, consent="I agree.")
    visitor = visit()
    visitor.page.route("**/responses", lambda route: route.abort())
    visitor.open(form.slug)
    first_page(visitor)
    visitor.press("Next")
    visitor.page.get_by_label("I agree.").check()
    visitor.press("Complete")
    visitor.told("next try in")
    visitor.page.unroute("**/responses")
    visitor.page.reload()
    expect(visitor.page.get_by_text("Thank you")).to_be_visible()
    assert [one["data"]["line"] for one in responses(cast.alice, form)] == ["7"]
    visitor.complaints = [each for each in visitor.complaints if "net::ERR_FAILED" not in each]


def test_a_form_that_changes_meanwhile_keeps_the_answers(visit: Visit, cast: People) -> None:
    form = published(cast.alice)
    visitor = visit()
    visitor.statuses = {409}
    visitor.open(form.slug)
    first_page(visitor)
    visitor.press("Next")
    changed = {
        "elements": [*VISIT["pages"][0]["elements"], {"type": "text", "name": "mail", "title": "Mail"}]
    }
    republish(cast.alice, form, changed)
    visitor.press("Complete")
    visitor.told("The form was changed meanwhile.")
    visitor.fill("Mail", "ada@example.org")
    visitor.press("Complete")
    expect(visitor.page.get_by_text("Thank you")).to_be_visible()
    [response] = responses(cast.alice, form)
    assert (response["form_version"], response["data"]["name"], response["data"]["mail"]) == (
        2,
        "Ada",
        "ada@example.org",
    )


def test_answers_changed_in_two_places_are_chosen_between(visit: Visit, cast: People) -> None:
    form = published(cast.alice)
    here, there = visit(), visit()
    here.statuses = {412}
    here.open(form.slug)
    here.fill("Your name", "Ada")
    here.told("Saved")
    here.page.get_by_text("Continue on another device").click()
    there.page.goto(here.page.locator("#resume-link").input_value())
    there.told("Your earlier answers")
    there.fill("Your name", "Ada Lovelace")
    there.told("Saved")
    here.fill("Your name", "Countess")
    expect(here.page.get_by_role("dialog", name="Changed elsewhere")).to_be_visible()
    here.press("Take what is there")
    expect(here.page.get_by_role("textbox", name="Your name")).to_have_value("Ada Lovelace")


def test_what_was_just_typed_is_saved_when_the_page_goes_away(visit: Visit, cast: People) -> None:
    form = published(cast.alice)
    visitor = visit()
    visitor.open(form.slug)
    link = visitor.page.locator("#resume-link").input_value()
    visitor.fill("Your name", "Ada")
    visitor.page.goto("about:blank")
    path = f"/api/v1/forms/{form.form_id}/partial/{link.partition('=')[2]}"
    until(lambda: cast.nobody.get(path).status_code == 200, 5, "saved")
    other = visit()
    other.page.goto(link)
    expect(other.page.get_by_role("textbox", name="Your name")).to_have_value("Ada")


def test_a_link_to_what_was_sent_begins_anew(visit: Visit, cast: People) -> None:
    form = published(cast.alice, {"elements": [{"type": "text", "name": "name", "title": "Your name"}]})
    visitor, late = visit(), visit()
    late.statuses = {404}
    visitor.open(form.slug)
    link = visitor.page.locator("#resume-link").input_value()
    visitor.fill("Your name", "Ada")
    visitor.press("Complete")
    expect(visitor.page.get_by_text("Thank you")).to_be_visible()
    late.page.goto(link)
    late.told("What was filled in before is not there any more")
    late.fill("Your name", "Bob")
    late.press("Complete")
    expect(late.page.get_by_text("Thank you")).to_be_visible()
    assert {one["data"]["name"] for one in responses(cast.alice, form)} == {"Ada", "Bob"}


def test_starting_over_leaves_nothing(visit: Visit, cast: People) -> None:
    form = published(cast.alice)
    visitor = visit()
    visitor.open(form.slug)
    visitor.fill("Your name", "Ada")
    visitor.told("Saved")
    visitor.page.once("dialog", lambda dialog: dialog.accept())
    with visitor.page.expect_navigation():
        visitor.press("Start over")
    expect(visitor.page.get_by_role("textbox", name="Your name")).to_have_value("")
    assert visitor.page.evaluate("localStorage.length") == 0


def test_consent_is_asked_for_where_the_form_says_so(visit: Visit, cast: People) -> None:
    elements = [{"type": "text", "name": "name", "title": "Your name"}]
    form = published(cast.alice, {"elements": elements}, consent="I agree to the terms.")
    visitor = visit()
    visitor.open(form.slug)
    visitor.press("Complete")
    expect(visitor.page.get_by_text("Please tick the box to send the form.")).to_be_visible()
    expect(visitor.page.locator("#consent")).to_be_focused()
    visitor.fill("Your name", "Ada")
    visitor.page.get_by_label("I agree to the terms.").check()
    visitor.press("Complete")
    expect(visitor.page.get_by_text("Thank you")).to_be_visible()
    assert [one["data"] for one in responses(cast.alice, form)] == [{"name": "Ada"}]


def test_a_program_that_fills_in_everything_is_flagged(visit: Visit, cast: People) -> None:
    form = published(cast.alice, {"elements": [{"type": "text", "name": "name", "title": "Your name"}]})
    visitor = visit()
    visitor.open(form.slug)
    assert visitor.page.get_by_role("textbox").count() == 1, "people do not meet the trap"
    visitor.fill("Your name", "Robot")
    visitor.page.evaluate("document.getElementById('website').value = 'https://spam.example'")
    visitor.press("Complete")
    expect(visitor.page.get_by_text("Thank you")).to_be_visible()
    assert [one["status"] for one in responses(cast.alice, form)] == ["flagged"]
