"""A form with a PIN, the field that people do not see."""

from __future__ import annotations

from typing import Any

from tests.api.forms import publish, submit, walk
from tests.api.test_links import make
from tests.people import People
from tests.running import Running

RIGHT = {"x-form-pin": "1234-abcd"}


def test_without_its_pin_a_form_shows_that_it_has_one(cast: People) -> None:
    form_id = publish(cast.alice, public=True, pin="1234-abcd", language="de", consent="secret words")
    path = f"/api/v1/forms/{form_id}"
    whole = cast.alice.get(path).json()
    for client in (cast.nobody, cast.charlie):
        locked = client.get(path)
        assert (locked.status_code, locked.json()) == (
            200,
            {"form_id": form_id, "slug": whole["slug"], "pin_required": True, "settings": {"language": "de"}},
        )
        assert locked.headers["cache-control"] == "private, no-cache"
        assert client.get(path, headers={"x-form-pin": "4321"}).status_code == 403
        opened = client.get(path, headers=RIGHT)
        assert opened.status_code == 200
        assert opened.json()["definition"] == whole["definition"]
        assert opened.json()["pin_required"] is True
        assert opened.headers["cache-control"] == "private, no-cache"
        assert client.get(path).json() == locked.json(), "nobody keeps what the PIN opened"
        again = client.get(path, headers={"if-none-match": opened.headers["etag"]})
        assert again.json() == locked.json()
    assert "definition" in cast.alice.get(path).json()
    plain = cast.nobody.get(f"/api/v1/forms/{publish(cast.alice, public=True)}").json()
    assert plain["pin_required"] is False


def test_a_pin_that_comes_and_goes_holds_at_once(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    path = f"/api/v1/forms/{form_id}"
    assert "definition" in cast.nobody.get(path).json()
    cast.alice.patch(path, json={"settings": {"pin": "1234-abcd"}})
    assert submit(cast.nobody, form_id).status_code == 403
    assert "definition" in cast.nobody.get(path, headers=RIGHT).json()
    cast.alice.patch(path, json={"settings": {"pin": "other"}})
    assert cast.nobody.get(path, headers=RIGHT).status_code == 403
    cast.alice.patch(path, json={"settings": {"pin": None}})
    assert "definition" in cast.nobody.get(path, headers={"x-form-pin": "any"}).json()


def test_a_link_does_not_replace_the_pin(cast: People) -> None:
    form_id = publish(cast.alice, pin="1234-abcd")
    path, link = f"/api/v1/forms/{form_id}", {"x-form-link": make(cast.alice, form_id)["token"]}
    assert cast.nobody.get(path).status_code == 401
    assert "definition" not in cast.nobody.get(path, headers=link).json()
    assert "definition" in cast.nobody.get(path, headers=link | RIGHT).json()
    assert cast.nobody.get(path, headers=RIGHT).status_code == 401
    assert cast.charlie.get(path, headers=RIGHT).status_code == 404


def test_a_honeypot_flags_and_says_nothing_of_it(appliance: Running, cast: People) -> None:
    form_id = publish(
        cast.alice, public=True, notify=["w@example.org"], receipt={"question": "words"}, max_responses=3
    )
    path = f"/api/v1/forms/{form_id}/responses"

    def answer(**meta: Any) -> tuple[int, dict[str, Any]]:
        body = {"data": {"name": "Ada", "city": "Oslo", "words": "v@example.org"}, "meta": meta}
        sent = cast.nobody.post(path, json=body)
        return sent.status_code, sent.json()

    (status, robot), (_, human) = answer(honeypot="buy", source="s"), answer(honeypot="")
    assert status == 201 and robot.keys() == human.keys()
    assert robot["task_ids"] == [] and len(human["task_ids"]) == 2, "nobody gets an e-mail about a robot"
    kept = cast.alice.get(f"{path}/{robot['response_id']}").json()
    assert (kept["status"], kept["meta"]) == ("flagged", {"source": "s"})
    flagged = walk(cast.alice, path, "responses", status="flagged")
    assert [row["response_id"] for row in flagged] == [robot["response_id"]]
    both = walk(cast.alice, path, "responses", **{"filter.city": "Oslo"})
    assert len(both) == 2
    freed = cast.alice.patch(f"{path}/{robot['response_id']}", json={"status": "accepted"})
    assert freed.json()["status"] == "accepted"
    assert walk(cast.alice, path, "responses", status="flagged") == []
    line = b'{"data": {"name": "Ada"}, "meta": {"honeypot": "x"}}\n'
    batch = cast.nobody.post(f"{path}/batch", content=line, headers={"content-type": "application/x-ndjson"})
    assert batch.json()["status"] == 201
    assert len(walk(cast.alice, path, "responses", status="flagged")) == 1
    assert answer()[0] == 410, "it takes its place"
    assert cast.nobody.post(path, json={"data": {}, "meta": {"honeypot": 1}}).status_code == 400


def test_its_editors_see_that_a_form_has_a_pin_and_not_which(cast: People) -> None:
    form_id = publish(cast.alice)
    path = f"/api/v1/forms/{form_id}"
    assert cast.alice.get(path).json()["pin_required"] is False
    changed = cast.alice.patch(path, json={"settings": {"pin": "1234-abcd"}}).json()
    for form in (changed, cast.alice.get(path).json()):
        assert form["pin_required"] is True
        assert "pin" not in form["settings"]


def test_a_plain_form_is_told_whether_its_pin_is_missing_or_wrong(cast: People) -> None:
    form_id = publish(cast.alice, public=True, pin="1234-abcd")
    page = f"/f/{cast.alice.get(f'/api/v1/forms/{form_id}').json()['slug']}"
    wrong = "The PIN that was sent is not"
    for given, said in (({}, False), ({"$pin": ""}, False), ({"$pin": "4321"}, True)):
        refused = cast.nobody.post(page, data={"name": "Ada", **given}, headers={"accept-language": "en"})
        assert refused.status_code == 403
        assert "This form needs a PIN" in refused.text
        assert (wrong in refused.text) is said, given
    sent = cast.nobody.post(page, data={"name": "Ada", "$pin": "1234-abcd"}, follow_redirects=False)
    assert sent.status_code == 303
