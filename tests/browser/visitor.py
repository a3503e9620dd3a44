"""Somebody with a browser, and what that browser complains of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, expect

from appliance.settings import HOME

AXE = HOME / "tests/oracle/node_modules/axe-core/axe.min.js"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
_REFUSED = re.compile(r"Failed to load resource: .* status of (\d{3})")


class Visitor:
    """A browser profile of its own with one page. Contract: see `check`."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url = url
        self.context: BrowserContext = browser.new_context(**{**PHONE, **options})
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.statuses: set[int] = set()
        """Refusals that the test means to get."""
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.context.on("requestfailed", self._forget)
        self.page.on("console", lambda line: self._listen(line.type, line.text))
        self.page.on("pageerror", lambda error: self.complaints.append(error.stack or str(error)))

    def _forget(self, request: Request) -> None:
        """What the page's policy held back was asked of nobody."""
        if request.failure == "csp":
            self.asked.remove(request.url)

    def _listen(self, kind: str, text: str) -> None:
        refused = _REFUSED.match(text)
        if refused is not None and int(refused[1]) in self.statuses:
            return
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def open(self, slug: str, suffix: str = "") -> None:
        """Until the form is drawn."""
        self.page.goto(f"{self.url}/f/{slug}{suffix}")
        expect(self.page.locator(".sd-root-modern")).to_be_visible()

    def fill(self, name: str, text: str) -> None:
        self.page.get_by_role("textbox", name=name, exact=True).fill(text)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def choose(self, question: str, label: str) -> None:
        """Of radio buttons or boxes."""
        self.question(question).get_by_text(label, exact=True).click()

    def question(self, name: str) -> Locator:
        """The frame around the question of that name, with its title and errors."""
        return self.page.locator(f'[data-name="{name}"]')

    def attach(self, question: str, name: str, kind: str, content: bytes) -> None:
        with self.page.expect_file_chooser() as chosen:
            self.question(question).locator("span", has_text="Select File").click()
        chosen.value.set_files({"name": name, "mimeType": kind, "buffer": content})

    def told(self, text: str) -> None:
        """Waits until the line below the form says so."""
        expect(self.page.locator("#status")).to_contain_text(text)

    def accessible(self) -> list[str]:
        """What axe-core finds against WCAG 2.1 A and AA. Wants a profile with `bypass_csp`."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: list[dict[str, Any]] = self.page.evaluate(
            "rules => axe.run(document, {runOnly: rules}).then(found => found.violations)", _RULES
        )
        return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]

    def check(self) -> None:
        """No request left the origin, nothing broke a policy, no script failed."""
        foreign = [url for url in self.asked if not url.startswith((self.url + "/", "data:", "blob:"))]
        assert foreign == [], foreign
        assert self.complaints == [], self.complaints


@contextmanager
def visiting(browser: Browser, url: str, **options: Any) -> Iterator[Visitor]:
    visitor = Visitor(browser, url, **options)
    try:
        yield visitor
        visitor.check()
    finally:
        visitor.context.close()
