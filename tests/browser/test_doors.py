"""How one gets to a form: links, PINs, frames, languages, themes, closed doors."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import expect

from appliance.settings import HOME
from appliance.web import built
from tests.browser.conftest import Visit
from tests.browser.forms import VISIT, Published, published, responses
from tests.browser.visitor import DESKTOP
from tests.people import People

NAME = {
    "elements": [
        {"type": "text", "name": "name", "title": {"default": "Your name", "de": "Ihr Name", "ar": "اسمك"}}
    ]
}


def link_to(cast: People, form: Published) -> str:
    answer = cast.alice.post(f"/api/v1/forms/{form.form_id}/links", json={"single_use": True})
    assert answer.status_code == 201
    token: str = answer.json()["token"]
    return token


def test_a_link_leaves_the_address_and_outlives_a_reload(visit: Visit, cast: People) -> None:
    form = published(cast.alice, NAME, public=False)
    token = link_to(cast, form)
    visitor = visit()
    visitor.statuses = {404}
    visitor.open(form.slug, f"?link={token}")
    assert token not in visitor.page.url
    visitor.page.reload()
    expect(visitor.page.get_by_role("textbox", name="Your name")).to_be_visible()
    assert token not in visitor.page.url
    visitor.fill("Your name", "Ada")
    visitor.press("Complete")
    expect(visitor.page.get_by_text("Thank you")).to_be_visible()
    assert len(responses(cast.alice, form)) == 1
    again = visit()
    again.statuses = {409}
    again.page.goto(f"{again.url}/f/{form.slug}?link={token}")
    expect(again.page.get_by_role("heading", name="This link was used already")).to_be_visible()


def test_a_pin_is_asked_for_before_anything_is_shown(visit: Visit, cast: People) -> None:
    form = published(cast.alice, NAME, pin="4711", consent="Secret terms")
    visitor = visit()
    visitor.statuses = {403}
    visitor.page.goto(f"{visitor.url}/f/{form.slug}")
    expect(visitor.page.get_by_role("heading", name="This form needs a PIN")).to_be_visible()
    assert "Secret terms" not in visitor.page.content()
    assert "Your name" not in visitor.page.content()
    visitor.page.get_by_label("PIN").fill("0000")
    visitor.press("Open")
    expect(visitor.page.get_by_text("That is not the PIN of this form.")).to_be_visible()
    visitor.page.get_by_label("PIN").fill("4711")
    visitor.page.keyboard.press("Enter")
    visitor.fill("Your name", "Ada")
    visitor.page.get_by_label("Secret terms").check()
    visitor.press("Complete")
    expect(visitor.page.get_by_text("Thank you")).to_be_visible()
    assert [one["data"] for one in responses(cast.alice, form)] == [{"name": "Ada"}]


@pytest.mark.parametrize(
    "accepted, suffix, label, code, direction",
    [
        ("en-GB", "", "Your name", "en", "ltr"),
        ("de-AT", "", "Ihr Name", "de", "ltr"),
        ("ar", "", "اسمك", "ar", "rtl"),
        ("sv", "", "Your name", "en", "ltr"),
        ("de", "?lang=ar", "اسمك", "ar", "rtl"),
    ],
)
def test_the_language_is_the_visitors_where_the_form_has_it(
    visit: Visit, cast: People, accepted: str, suffix: str, label: str, code: str, direction: str
) -> None:
    form = published(cast.alice, NAME)
    visitor = visit(locale=accepted)
    visitor.open(form.slug, suffix)
    expect(visitor.page.get_by_role("textbox", name=label)).to_be_visible()
    root = visitor.page.locator("html")
    assert (root.get_attribute("lang"), root.get_attribute("dir")) == (code, direction)
    loaded = {url.rpartition("/")[2] for url in visitor.asked}
    assert len([name for name in loaded if name.startswith("part-")]) <= 5, "one language, one theme"


def test_another_language_can_be_chosen_and_the_answers_stay(visit: Visit, cast: People) -> None:
    form = published(cast.alice, NAME)
    visitor = visit(locale="en")
    visitor.open(form.slug)
    visitor.fill("Your name", "Ada")
    visitor.page.get_by_label("Language").select_option("de")
    expect(visitor.page.get_by_role("textbox", name="Ihr Name")).to_have_value("Ada")
    expect(visitor.page.get_by_role("button", name="Neu beginnen")).to_be_visible()


@pytest.mark.parametrize("theme", built.manifest().themes)
@pytest.mark.parametrize("shade", ["light", "dark"])
def test_every_theme_can_be_read(visit: Visit, cast: People, theme: str, shade: str) -> None:
    form = published(cast.alice, VISIT, theme=theme, consent="I agree.")
    visitor = visit(color_scheme=shade, bypass_csp=True)
    visitor.open(form.slug)
    assert visitor.accessible() == []
    visitor.press("Next")
    expect(visitor.question("name")).to_contain_text("Response required.")
    assert visitor.accessible() == []
    visitor.fill("Your name", "Ada")
    visitor.press("Next")
    expect(visitor.page.get_by_role("button", name="Complete")).to_be_visible()
    assert visitor.accessible() == []


def test_appearance_overrules_the_preference(visit: Visit, cast: People) -> None:
    form = published(cast.alice, NAME, appearance="light")
    visitor = visit(color_scheme="dark")
    visitor.open(form.slug)
    assert visitor.page.evaluate("document.documentElement.style.colorScheme") == "light"


def test_closed_while_it_is_filled_in(visit: Visit, cast: People) -> None:
    form = published(cast.alice, NAME)
    visitor = visit()
    visitor.statuses = {410}
    visitor.open(form.slug)
    visitor.fill("Your name", "Ada")
    assert cast.alice.post(f"/api/v1/forms/{form.form_id}/close").status_code == 200
    visitor.press("Complete")
    expect(visitor.page.get_by_role("heading", name="This form is closed")).to_be_visible()
    expect(visitor.page.get_by_text("Your answers are still in this browser.")).to_be_visible()


def test_the_end_is_where_the_owner_wants_it(visit: Visit, cast: People) -> None:
    landing = published(cast.alice, NAME)
    visitor = visit()
    onward = f"{visitor.url}/f/{landing.slug}?utm_source=form"
    form = published(cast.alice, NAME, redirect_url=onward)
    visitor.open(form.slug)
    visitor.fill("Your name", "Ada")
    visitor.press("Complete")
    visitor.page.wait_for_url(onward)
    assert len(responses(cast.alice, form)) == 1


@contextlib.contextmanager
def elsewhere(url: str) -> Iterator[str]:
    """The origin of a page of somebody else's that shows the form in a frame."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (
                f'<!doctype html><title>Elsewhere</title><iframe src="{url}?by={self.path[1:]}"></iframe>'
                "<script>addEventListener('message', ({data}) => { document.title = data.type; "
                "if (data.height) document.querySelector('iframe').height = data.height; })</script>"
            ).encode()
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_it_is_framed_by_whom_the_owner_lets(visit: Visit, cast: People) -> None:
    visitor = visit(**DESKTOP)
    form = published(cast.alice, NAME)
    with elsewhere(f"{visitor.url}/f/{form.slug}") as origin:
        visitor.page.goto(origin)
        expect(visitor.page.frame_locator("iframe").get_by_role("textbox", name="Your name")).to_have_count(0)
        assert any("frame-ancestors" in each for each in visitor.complaints)
        settings = {"settings": {"frame_ancestors": [origin]}}
        assert cast.alice.patch(f"/api/v1/forms/{form.form_id}", json=settings).status_code == 200
        visitor.complaints.clear()
        # By another name: nginx keeps a page for a second.
        visitor.page.goto(f"{origin}/again")
        frame = visitor.page.frame_locator("iframe")
        frame.get_by_role("textbox", name="Your name").fill("Ada")
        expect(visitor.page.locator("iframe")).to_have_attribute("height", re.compile("[0-9]{3}"))
        frame.get_by_role("button", name="Complete").click()
        expect(frame.get_by_text("Thank you")).to_be_visible()
        visitor.asked = [url for url in visitor.asked if not url.startswith(origin)]
    assert len(responses(cast.alice, form)) == 1


def test_the_plain_form_of_the_documentation_works_without_scripts(visit: Visit, cast: People) -> None:
    document = (HOME / "docs/page.md").read_text()
    found = re.search(r"```html\n(<form.*?)```", document, re.DOTALL)
    assert found is not None
    elements = [
        {"type": "text", "name": "name"},
        {"type": "radiogroup", "name": "dish", "choices": ["soup", "salad"]},
    ]
    form = published(cast.alice, {"elements": elements})
    visitor = visit(java_script_enabled=False)
    action = f'action="{visitor.url}/f/{form.slug}"'
    html = re.sub(r'action="[^"]+"', action, found[1])
    visitor.page.goto(f"{visitor.url}/f/{form.slug}")
    expect(visitor.page.locator("noscript .notice")).to_be_visible()
    visitor.page.goto("about:blank")
    visitor.page.set_content(html)
    visitor.page.get_by_label("Name").fill("Ada")
    visitor.page.get_by_label("Soup").check()
    visitor.press("Send")
    expect(visitor.page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert [one["data"] for one in responses(cast.alice, form)] == [{"name": "Ada", "dish": "soup"}]


def test_the_html_of_an_owner_runs_nothing_and_asks_nobody(visit: Visit, cast: People) -> None:
    evil = (
        "<p id='shown'>Words</p><img src='/static/nothing.png' onerror='window.ran = 1'>"
        "<script>window.ran = 2</script>"
        "<a id='trap' href='javascript:window.ran = 3'>here</a><img src='https://elsewhere.example.org/x.png'>"
        "<iframe src='https://elsewhere.example.org/'></iframe><svg onload='window.ran = 4'></svg>"
    )
    definition = {
        "elements": [*NAME["elements"], {"type": "html", "name": "h", "html": evil}],
        "completedHtml": evil,
        "surveyPostId": "00000000-0000-0000-0000-000000000000",
        "surveyShowDataSaving": True,
        "cookieName": "seen",
    }
    form = published(cast.alice, definition)
    visitor = visit()
    visitor.statuses = {404}
    visitor.open(form.slug)
    expect(visitor.page.locator("#shown")).to_be_visible()
    visitor.page.locator("#trap").click()
    visitor.fill("Your name", "Ada")
    visitor.press("Complete")
    visitor.told("Sent")
    expect(visitor.page.locator("#shown")).to_be_visible()
    assert visitor.page.evaluate("window.ran") is None
    assert visitor.context.cookies() == []
    assert visitor.complaints and all("Content Security Policy" in each for each in visitor.complaints)
    visitor.complaints.clear()
    assert len(responses(cast.alice, form)) == 1
