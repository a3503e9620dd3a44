"""/f/{slug} as HTTP: who gets which page, under which headers; plain HTML forms. tests/browser fills it."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from appliance.clock import rfc3339, utc_now
from tests.api.forms import FEEDBACK, create, submit
from tests.people import People
from tests.running import Running, unique

PLAIN = {"content-type": "application/x-www-form-urlencoded"}


def published(client: httpx.Client, **settings: Any) -> dict[str, Any]:
    form = create(client, settings={"public": True, **settings})
    assert client.post(f"/api/v1/forms/{form['form_id']}/publish").status_code == 200
    return form


def page(client: httpx.Client, form: dict[str, Any], **parameters: str) -> httpx.Response:
    answer = client.get(f"/f/{form['slug']}", params=parameters)
    assert answer.headers["content-type"].startswith("text/html")
    return answer


def block(answer: httpx.Response) -> dict[str, Any]:
    """What the page's script starts with."""
    found = re.search(r'<script type="application/json" id="page">(.*?)</script>', answer.text, re.DOTALL)
    assert found is not None
    read: dict[str, Any] = json.loads(found[1])
    return read


def heading(answer: httpx.Response) -> str:
    found = re.search(r"<h1>(.*?)</h1>", answer.text)
    assert found is not None
    return found[1]


def link(client: httpx.Client, form: dict[str, Any], **body: Any) -> str:
    answer = client.post(f"/api/v1/forms/{form['form_id']}/links", json=body)
    assert answer.status_code == 201
    token: str = answer.json()["token"]
    return token


def count(client: httpx.Client, form: dict[str, Any]) -> int:
    return len(client.get(f"/api/v1/forms/{form['form_id']}/responses").json()["responses"])


def test_everybody_gets_the_same_page_of_a_public_form(cast: People) -> None:
    form = published(cast.alice, notify=["alice@example.org"], theme="soft", appearance="dark")
    for client in (cast.nobody, cast.alice, cast.charlie, cast.admin):
        answer = page(client, form, utm_source="letter")
        assert answer.status_code == 200
        read = block(answer)
        assert read["form"]["definition"] == FEEDBACK
        assert (read["theme"], read["appearance"], read["slug"]) == ("soft", "dark", form["slug"])
        assert "alice@example.org" not in answer.text, "an owner's settings are not for the page"
        assert "set-cookie" not in answer.headers


def test_its_policy_lets_nothing_in_from_elsewhere(cast: People) -> None:
    origin = "https://town.example.org"
    for form, ancestors in (
        (published(cast.alice), "'self'"),
        (published(cast.alice, frame_ancestors=[origin]), f"'self' {origin}"),
    ):
        answer = page(cast.nobody, form)
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == ancestors
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"(?:src|href)=\"(?!/)", answer.text), "everything is ours"


def test_a_page_is_kept_for_a_second_unless_it_came_by_a_link(cast: People) -> None:
    form = published(cast.alice)
    hits = {page(cast.nobody, form).headers.get("x-cache") for _ in range(20)}
    assert "HIT" in hits
    token = link(cast.alice, form)
    for _ in range(5):
        answer = page(cast.nobody, form, link=token)
        assert answer.headers.get("x-cache") != "HIT"
        assert answer.headers["cache-control"] == "private, no-store"


def test_each_language_has_a_page_of_its_own(cast: People) -> None:
    form = published(cast.alice)
    for accepted, language, direction in (("de", "de", "ltr"), ("ar", "ar", "rtl"), ("en", "en", "ltr")):
        answer = cast.nobody.get(f"/f/{form['slug']}", headers={"accept-language": accepted})
        assert f'<html lang="{language}" dir="{direction}"' in answer.text
        assert "Accept-Language" in answer.headers["vary"]
        assert block(answer)["texts"]["startOver"]


def raw(appliance: Running, target: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """As it stands: browsers and httpx encode what no address may have."""
    connection = http.client.HTTPConnection(f"127.0.0.1:{appliance.settings.http_port}", timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()


def test_characters_that_no_address_has_get_a_page_too(appliance: Running, cast: People) -> None:
    open_form, closed = published(cast.alice), published(cast.alice, public=False)
    token, slug = link(cast.alice, closed), closed["slug"]
    for target, status, words in (
        (f"/f/{slug}?link=<script>", 403, "Ce lien n’ouvre pas"),
        (f"/f/{slug}?link={token}&utm=<x>", 200, '"form":{'),
        (f'/f/{open_form["slug"]}?utm="x"', 200, '"form":{'),
        ("/f/<script>", 404, "<h1>"),
    ):
        found, headers, text = raw(appliance, target, **{"accept-language": "fr"})
        assert (found, headers["content-type"].partition(";")[0]) == (status, "text/html"), target
        assert 'lang="fr"' in text and words in text and "<script>" not in text
    for target in ("/api/v1/forms?q=<x>", "/api/v1/forms/<x>", '/f/x/thanks?y="z"', "/`"):
        found, headers, text = raw(appliance, target)
        assert (found, headers["content-type"]) == (400, "application/problem+json"), target
        assert json.loads(text)["status"] == 400


def test_one_language_never_goes_to_another(appliance: Running, cast: People) -> None:
    """From the micro-cache, which keeps pages for a second; and other caches are told (Vary)."""
    slug = published(cast.alice)["slug"]
    accepted = ["de", "fr", "de-AT,fr;q=0.5", "", "ar"] * 8

    def one(language: str) -> tuple[str, str, str]:
        headers = {"accept-language": language} if language else {}
        _, told, text = raw(appliance, f"/f/{slug}", **headers)
        return language, text.partition('lang="')[2].partition('"')[0], told.get("x-cache", "")

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, accepted))
    shown = {"de": "de", "fr": "fr", "de-AT,fr;q=0.5": "de", "": "en", "ar": "ar"}
    assert all(language == shown[asked] for asked, language, _ in found)
    assert "HIT" in {cached for *_, cached in found}


def test_built_files_are_compressed_once_and_kept_for_good(cast: People) -> None:
    html = page(cast.nobody, published(cast.alice)).text
    paths = re.findall(r"/static/form/[\w.-]+", html)
    assert len(paths) >= 4
    for path in paths:
        answer = cast.nobody.get(path, headers={"accept-encoding": "gzip"})
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        if int(answer.headers.get("content-length", 0)) > 50_000:
            assert answer.headers["content-encoding"] == "gzip"


def test_the_title_and_the_questions_cannot_break_out_of_the_page(cast: People) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)> $title ${x} \"' &amp; \u2028"
    definition = {
        "title": evil,
        "elements": [{"type": "html", "name": "h", "html": evil}, {"type": "text", "name": "n"}],
    }
    form = create(cast.alice, title=evil, definition=definition, settings={"public": True})
    cast.alice.post(f"/api/v1/forms/{form['form_id']}/publish")
    answer = page(cast.nobody, form)
    assert block(answer)["form"]["definition"]["title"] == evil
    assert "<img" not in answer.text
    assert answer.text.count("<script") == 2, "the module and the data"
    assert "&lt;/script&gt;" in heading(answer)


class TestRefused:
    """Each with its status, in words, in the visitor's language."""

    def test_what_is_not_there_or_not_for_strangers(self, cast: People) -> None:
        draft = create(cast.alice, settings={"public": True})
        private = published(cast.alice, public=False)
        gone = published(cast.alice)
        assert cast.alice.delete(f"/api/v1/forms/{gone['form_id']}").status_code == 204
        for form in (draft, private, gone, {"slug": "nothing"}, {"slug": "%F0%9F%92%A9"}, {"slug": "x" * 90}):
            for client in (cast.nobody, cast.charlie, cast.alice):
                answer = page(client, form)
                assert (answer.status_code, heading(answer)) == (404, "There is no such form")
                assert "Feedback" not in answer.text
        german = cast.nobody.get("/f/nothing", params={"lang": "de"})
        assert heading(german) == "Ein solches Formular gibt es nicht"

    def test_closed_not_open_yet_and_full(self, cast: People) -> None:
        closed = published(cast.alice)
        assert cast.alice.post(f"/api/v1/forms/{closed['form_id']}/close").status_code == 200
        opens = utc_now() + dt.timedelta(days=1)
        early = published(cast.alice, opens_at=rfc3339(opens), time_zone="Europe/Oslo")
        over = published(cast.alice, closes_at=rfc3339(utc_now() - dt.timedelta(seconds=1)))
        full = published(cast.alice, max_responses=1)
        assert submit(cast.nobody, full["form_id"]).status_code == 201
        for form, title in (
            (closed, "This form is closed"),
            (over, "This form is closed"),
            (early, "This form is not open yet"),
            (full, "This form is full"),
        ):
            answer = page(cast.nobody, form)
            assert (answer.status_code, heading(answer)) == (410, title)
            assert answer.headers["cache-control"] == "no-store"
        assert "(Europe/Oslo)" in page(cast.nobody, early).text

    def test_links_that_do_not_open_it(self, cast: People) -> None:
        form, other = published(cast.alice, public=False), published(cast.alice, public=False)
        token = link(cast.alice, form, single_use=True)
        assert page(cast.nobody, form, link=token).status_code == 200
        for slug, wrong in ((form, "x" * 43), (other, token), ({"slug": "nothing"}, token)):
            answer = page(cast.nobody, slug, link=wrong)
            assert (answer.status_code, heading(answer)) == (403, "This link does not open the form")
        sent = cast.nobody.post(
            f"/api/v1/forms/{form['form_id']}/responses",
            json={"data": {"name": "Ada"}},
            headers={"x-form-link": token},
        )
        assert sent.status_code == 201
        answer = page(cast.nobody, form, link=token)
        assert (answer.status_code, heading(answer)) == (409, "This link was used already")

    def test_one_answer_a_person_needs_a_personal_link(self, cast: People) -> None:
        form = published(cast.alice, one_per_person=True)
        answer = page(cast.nobody, form)
        assert (answer.status_code, heading(answer)) == (401, "This form needs a personal link")
        assert page(cast.nobody, form, link=link(cast.alice, form, single_use=True)).status_code == 200

    def test_a_form_with_a_pin_shows_nothing_before_it(self, cast: People) -> None:
        form = published(cast.alice, pin="4711", consent="Terms")
        answer = page(cast.nobody, form)
        assert answer.status_code == 403
        assert block(answer)["form"] is None
        assert "likes" not in answer.text and "Terms" not in answer.text
        assert answer.headers["cache-control"] == "private, no-store"


class TestPlainForms:
    """HTML forms without JavaScript, on any site."""

    def post(self, client: httpx.Client, form: dict[str, Any], body: Any, **more: Any) -> httpx.Response:
        return client.post(f"/f/{form['slug']}", data=body, **more)

    def test_they_are_answers_and_end_with_thanks(self, cast: People) -> None:
        form = published(cast.alice)
        body = {"name": "Ada", "age": "36", "likes": ["tea", "coffee"], "city": "", "$website": ""}
        answer = self.post(cast.nobody, form, body, headers={"accept-language": "de"})
        assert answer.status_code == 303
        thanks = cast.nobody.get(answer.headers["location"])
        assert (thanks.status_code, heading(thanks)) == (200, "Vielen Dank")
        [response] = cast.alice.get(f"/api/v1/forms/{form['form_id']}/responses").json()["responses"]
        assert response["data"] == {"name": "Ada", "age": 36, "likes": ["tea", "coffee"]}

    def test_multipart_too_but_for_files(self, cast: People) -> None:
        form = published(cast.alice)
        assert self.post(cast.nobody, form, {}, files={"name": (None, "Ada")}).status_code == 303
        answer = self.post(cast.nobody, form, {"name": "Ada"}, files={"photo": ("a.png", b"x", "image/png")})
        assert (answer.status_code, heading(answer)) == (415, "Files cannot be sent from here")
        assert count(cast.alice, form) == 1

    def test_they_go_where_the_owner_wants(self, cast: People) -> None:
        form = published(cast.alice, redirect_url="https://town.example.org/grüße?a=%20b#c")
        answer = self.post(cast.nobody, form, {"name": "Ada"})
        assert answer.status_code == 303
        assert answer.headers["location"] == "https://town.example.org/gr%C3%BC%C3%9Fe?a=%20b#c"

    def test_what_is_wrong_is_a_page_and_leaves_nothing(self, cast: People) -> None:
        form = published(cast.alice)
        answer = self.post(cast.nobody, form, {"age": "old", "city": "<b>", "nobody": "x"})
        assert (answer.status_code, heading(answer)) == (422, "Please correct your answers")
        assert "<b>" not in answer.text
        for name in ("name", "age", "city", "nobody"):
            assert f"<li>{name}: " in answer.text
        german = self.post(cast.nobody, form, {"age": ""}, headers={"accept-language": "de"})
        assert heading(german) == "Bitte berichtigen Sie Ihre Antworten"
        assert "<li>name: Bitte" in german.text, "survey-core's own words, in German"
        assert count(cast.alice, form) == 0

    def test_pin_key_and_link_come_in_fields_of_their_own(self, cast: People) -> None:
        form = published(cast.alice, pin="4711")
        wrong = self.post(cast.nobody, form, {"name": "Ada", "$pin": "0000"})
        assert (wrong.status_code, heading(wrong)) == (403, "This form needs a PIN")
        key = unique("key")
        for _ in range(2):
            assert (
                self.post(cast.nobody, form, {"name": "Ada", "$pin": "4711", "$key": key}).status_code == 303
            )
        assert count(cast.alice, form) == 1
        private = published(cast.alice, public=False)
        token = link(cast.alice, private, single_use=True)
        assert self.post(cast.nobody, private, {"name": "Ada", "$link": token}).status_code == 303
        again = self.post(cast.nobody, private, {"name": "Bob", "$link": token})
        assert (again.status_code, heading(again)) == (409, "This link was used already")
        assert self.post(cast.nobody, private, {"name": "Eve"}).status_code == 404
        other = self.post(cast.nobody, private, {"name": "Eve", "$link": "x" * 43})
        assert (other.status_code, heading(other)) == (403, "This link does not open the form")

    def test_what_fills_in_everything_is_flagged(self, cast: People) -> None:
        form = published(cast.alice)
        assert self.post(cast.nobody, form, {"name": "Robot", "$website": "spam.example"}).status_code == 303
        [response] = cast.alice.get(f"/api/v1/forms/{form['form_id']}/responses").json()["responses"]
        assert response["status"] == "flagged"

    @pytest.mark.parametrize(
        "body, kind",
        [
            (b"\xff\xfe=%ff%fe", "application/x-www-form-urlencoded"),
            (b"name=" + b"a" * 900_000, "application/x-www-form-urlencoded"),
            (b"&".join(b"a%d=b" % n for n in range(20_000)), "application/x-www-form-urlencoded"),
            (b"name=a&name[x]=b&name[[]]=c&[=d", "application/x-www-form-urlencoded"),
            (b"--x\r\nrubbish", "multipart/form-data; boundary=x"),
            (b"rubbish", "multipart/form-data"),
            (b"", "multipart/form-data; boundary="),
            (b"name=Ada", "text/plain"),
            (b"name=Ada&%24key=" + b"k" * 300, "application/x-www-form-urlencoded"),
            (b"name=Ada&%24pin=%00&%24link=%00&name=", "application/x-www-form-urlencoded"),
        ],
        ids=[
            "bytes",
            "long",
            "many",
            "nested",
            "broken",
            "no boundary",
            "empty boundary",
            "plain text",
            "key",
            "NUL",
        ],
    )
    def test_hostile_bodies_are_refused(self, cast: People, body: bytes, kind: str) -> None:
        form = published(cast.alice)
        answer = cast.nobody.post(f"/f/{form['slug']}", content=body, headers={"content-type": kind})
        assert 400 <= answer.status_code < 500, answer.text
        assert count(cast.alice, form) == 0


def test_json_is_taken_as_by_the_responses_route(cast: People) -> None:
    form, private = published(cast.alice), published(cast.alice, public=False)
    body = {"data": {"name": "Ada"}}
    key = {"idempotency-key": unique("key")}
    first, again = (cast.nobody.post(f"/f/{form['slug']}", json=body, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert (
        first.headers["location"]
        == f"/api/v1/forms/{form['form_id']}/responses/{first.json()['response_id']}"
    )
    assert again.headers["idempotency-replayed"] == "true"
    wrong = cast.nobody.post(f"/f/{form['slug']}", json={"data": {}})
    assert (wrong.status_code, wrong.headers["content-type"]) == (422, "application/problem+json")
    assert wrong.json()["errors"][0]["path"] == "/data/name"
    by_route = {"slug": private["slug"], "nothing": "nothing"}
    for client, status in ((cast.nobody, 401), (cast.charlie, 404)):
        for slug in by_route.values():
            assert client.post(f"/f/{slug}", json=body).status_code == status
    assert cast.alice.post(f"/f/{private['slug']}", json=body).status_code == 201
    revoked = {"authorization": "Bearer nothing"}
    assert cast.nobody.post(f"/f/{form['slug']}", json=body, headers=revoked).status_code == 401


def test_the_thanks_tell_nothing_of_forms_that_are_not_public(cast: People) -> None:
    private = published(cast.alice, public=False)
    answers = [cast.nobody.get(f"/f/{slug}/thanks") for slug in (private["slug"], "nothing")]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].text == answers[1].text
