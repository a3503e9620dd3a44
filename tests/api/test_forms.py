from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.api import forms
from tests.api.forms import FEEDBACK, create, errors, publish, submit, walk
from tests.people import People, share
from tests.running import Running, unique


def test_a_form_lives(cast: People) -> None:
    form = create(cast.alice)
    path = f"/api/v1/forms/{form['form_id']}"
    assert (form["status"], form["version"]) == ("draft", 0)
    assert form["definition"] == FEEDBACK
    published = cast.alice.post(f"{path}/publish").json()
    assert (published["status"], published["version"]) == ("published", 1)
    assert cast.alice.post(f"{path}/publish").json()["version"] == 1, "nothing has changed"

    changed = {"elements": [{"type": "text", "name": "other"}]}
    assert cast.alice.patch(path, json={"definition": changed}).json()["version"] == 1
    assert cast.alice.get(f"{path}/versions/1").json()["definition"] == FEEDBACK
    assert cast.alice.post(f"{path}/publish").json()["version"] == 2
    assert cast.alice.get(f"{path}/versions/1").json()["definition"] == FEEDBACK, "a version never changes"
    assert [row["version"] for row in cast.alice.get(f"{path}/versions").json()["versions"]] == [2, 1]
    assert cast.alice.post(f"{path}/close").json()["status"] == "closed"
    assert cast.alice.post(f"{path}/reopen").json()["status"] == "published"


def test_create_answers_with_the_place(cast: People) -> None:
    answer = cast.alice.post("/api/v1/forms", json={"title": "T", "definition": FEEDBACK})
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/forms/{answer.json()['form_id']}"
    assert cast.alice.get(answer.headers["location"]).json()["title"] == "T"


def test_a_definition_that_is_not_valid_leaves_nothing_behind(cast: People) -> None:
    title = unique("broken")
    definition = {
        "pages": [{"elements": [{"type": "text", "name": "a"}, {"type": "teleport", "name": "b"}]}],
        "colour": "red",
    }
    answer = cast.alice.post("/api/v1/forms", json={"title": title, "definition": definition})
    assert answer.status_code == 422
    assert set(errors(answer)) == {"/definition/colour", "/definition/pages/0/elements/1/type"}
    assert walk(cast.alice, "/api/v1/forms", "forms", q=title) == []


@pytest.mark.parametrize(
    "body, path",
    [
        ({"definition": FEEDBACK}, "/title"),
        ({"title": "", "definition": FEEDBACK}, "/title"),
        ({"title": 5, "definition": FEEDBACK}, "/title"),
        ({"title": "x", "definition": "FEEDBACK"}, "/definition"),
        ({"title": "x", "definition": FEEDBACK, "owner": "me"}, "/owner"),
        ({"title": "x", "definition": FEEDBACK, "settings": {"pubic": True}}, "/settings/pubic"),
        ({"title": "x", "definition": FEEDBACK, "settings": {"public": "yes"}}, "/settings/public"),
        ({"title": "x", "definition": FEEDBACK, "settings": {"max_responses": 0}}, "/settings/max_responses"),
        ({"title": "x", "definition": FEEDBACK, "settings": {"opens_at": "tomorrow"}}, "/settings/opens_at"),
        (
            {"title": "x", "definition": FEEDBACK, "settings": {"opens_at": "2026-01-01T00:00:00"}},
            "/settings/opens_at",
        ),
        (
            {"title": "x", "definition": FEEDBACK, "settings": {"time_zone": "Mars/Olympus"}},
            "/settings/time_zone",
        ),
        ({"title": "x", "definition": FEEDBACK, "settings": {"pin": "пинкод"}}, "/settings/pin"),
        ({"title": "x", "definition": FEEDBACK, "settings": {"language": "en\n"}}, "/settings/language"),
        (
            {"title": "x", "definition": FEEDBACK, "settings": {"origins": ["https://a.org\n"]}},
            "/settings/origins/0",
        ),
        (
            {
                "title": "x",
                "definition": FEEDBACK,
                "settings": {"closes_at": "9999-12-31T23:59:59-14:00"},
            },
            "/settings/closes_at",
        ),
        (
            {
                "title": "x",
                "definition": FEEDBACK,
                "settings": {"opens_at": "2026-02-01T00:00:00Z", "closes_at": "2026-01-01T00:00:00Z"},
            },
            "/settings/closes_at",
        ),
    ],
)
def test_what_is_not_the_contract_is_a_400_that_says_where(cast: People, body: Any, path: str) -> None:
    answer = cast.alice.post("/api/v1/forms", json=body)
    assert answer.status_code == 400, answer.text
    assert list(errors(answer)) == [path]


def test_settings_are_merged_and_null_resets(cast: People) -> None:
    form = create(cast.alice, settings={"public": True, "pin": "12345", "language": "de"})
    path = f"/api/v1/forms/{form['form_id']}"
    changed = cast.alice.patch(path, json={"settings": {"max_responses": 5, "language": None}})
    assert changed.json()["settings"] == {"public": True, "max_responses": 5}
    assert changed.json()["pin_required"] and "12345" not in changed.text, "write-only"
    wrong = cast.alice.patch(path, json={"settings": {"max_responses": -1, "nonsense": 1}})
    assert wrong.status_code == 400
    assert cast.alice.get(path).json()["settings"]["max_responses"] == 5


def test_a_stale_change_is_refused(cast: People) -> None:
    form_id = create(cast.alice)["form_id"]
    path = f"/api/v1/forms/{form_id}"
    tag = cast.alice.get(path).headers["etag"]
    assert cast.alice.get(path, headers={"if-none-match": tag}).status_code == 304
    first = cast.alice.patch(path, json={"title": "one"}, headers={"if-match": tag})
    second = cast.alice.patch(path, json={"title": "two"}, headers={"if-match": tag})
    assert (first.status_code, second.status_code) == (200, 412)
    assert cast.alice.get(path).json()["title"] == "one"
    assert cast.alice.get(path, headers={"if-none-match": tag}).status_code == 200


def test_who_does_not_say_what_they_read_is_never_stale(appliance: Running, cast: People) -> None:
    """Twelve at once: each change is made on top of the others, and none of them is lost."""
    form_id, token = publish(cast.alice), cast.alice.headers["authorization"].split()[1]
    path, names = f"/api/v1/forms/{form_id}", ["max_responses", "retention_days", "language", "redirect_url"]
    values: list[Any] = [5, 6, "de", "https://example.org/"]
    response = submit(cast.alice, form_id).headers["location"]
    hook = cast.alice.post(
        "/api/v1/webhooks", json={"url": "https://example.org/", "events": ["form.published"]}
    ).json()["webhook_id"]
    asked: list[tuple[str, str, Any]] = [
        *(("PATCH", path, {"settings": {name: value}}) for name, value in zip(names, values, strict=True)),
        ("PATCH", path, {"title": "one"}),
        ("POST", f"{path}/close", None),
        ("POST", f"{path}/reopen", None),
        ("PUT", f"{path}/shares", {"shares": [{"username": "bob", "level": "view"}]}),
        *(("PATCH", response, {"tags": [tag]}) for tag in ("a", "b")),
        *(("PATCH", f"/api/v1/webhooks/{hook}", {"url": f"https://example.org/{n}"}) for n in range(2)),
    ]

    def ask(each: tuple[str, str, Any]) -> httpx.Response:
        method, where, body = each
        with appliance.client(token) as client:
            return client.request(method, where, json=body) if body else client.request(method, where)

    for _ in range(3):
        with ThreadPoolExecutor(len(asked)) as pool:
            answers = list(pool.map(ask, asked))
        assert [answer.status_code for answer in answers] == [200] * len(asked), [a.text for a in answers]
    settings = cast.alice.get(path).json()["settings"]
    assert [settings[name] for name in names] == values


def test_a_key_makes_one_form(cast: People) -> None:
    title, key = unique("once"), unique("key")
    body = {"title": title, "definition": FEEDBACK}
    answers: list[Any] = []

    def post() -> None:
        answers.append(cast.alice.post("/api/v1/forms", json=body, headers={"idempotency-key": key}))

    threads = [threading.Thread(target=post) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = {answer.status_code for answer in answers}
    assert codes <= {201, 409}
    ids = {answer.json()["form_id"] for answer in answers if answer.status_code == 201}
    assert len(ids) == 1
    again = cast.alice.post("/api/v1/forms", json=body, headers={"idempotency-key": f'"{key}"'})
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["form_id"] in ids
    other = cast.alice.post("/api/v1/forms", json=body | {"title": "x"}, headers={"idempotency-key": key})
    assert other.status_code == 422
    assert len(walk(cast.alice, "/api/v1/forms", "forms", q=title)) == 1
    theirs = cast.charlie.post("/api/v1/forms", json=body, headers={"idempotency-key": key})
    assert theirs.json()["form_id"] not in ids, "keys belong to their caller"


def test_the_list_holds_mine_newest_first(cast: People) -> None:
    word = unique("list")
    mine = [create(cast.alice, title=f"{word} number-{number}")["form_id"] for number in range(5)]
    create(cast.charlie, title=f"{word} other")
    listed = walk(cast.alice, "/api/v1/forms", "forms", q=word, limit=2)
    assert [form["form_id"] for form in listed] == mine[::-1]
    assert all("definition" not in form for form in listed)
    turned = f"NUMBER-3 {word}"  # the words in any order, in any case
    assert [form["form_id"] for form in walk(cast.alice, "/api/v1/forms", "forms", q=turned)] == [mine[3]]
    cast.alice.post(f"/api/v1/forms/{mine[0]}/publish")
    published = walk(cast.alice, "/api/v1/forms", "forms", q=word, status="published")
    assert [form["form_id"] for form in published] == [mine[0]]
    assert cast.alice.get("/api/v1/forms", params={"limit": 0}).status_code == 400
    assert cast.alice.get("/api/v1/forms", params={"limit": 201}).status_code == 400
    assert cast.alice.get("/api/v1/forms", params={"cursor": "made-up"}).status_code == 400


WRITES = ("publish", "close", "reopen")
READS = ("", "/versions", "/versions/1", "/versions/1/schema.json", "/responses", "/responses/x")


def test_charlie_sees_nothing(cast: People) -> None:
    form_id = publish(cast.alice)
    path = f"/api/v1/forms/{form_id}"
    answers = {read: cast.charlie.get(path + read) for read in READS}
    answers |= {write: cast.charlie.post(f"{path}/{write}") for write in WRITES}
    answers["patch"] = cast.charlie.patch(path, json={"title": "mine"})
    answers["submit"] = submit(cast.charlie, form_id)
    absent = cast.charlie.get("/api/v1/forms/0197-absent")
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 404)
    assert answers[""].json()["detail"] == absent.json()["detail"], "not even the text tells"


def test_bob_sees_what_is_shared_to_him(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    path = f"/api/v1/forms/{form_id}"
    assert cast.bob.get(path).status_code == 404
    share(appliance, form_id, "bob", "view")
    assert cast.bob.get(path).status_code == 200
    assert form_id in [form["form_id"] for form in walk(cast.bob, "/api/v1/forms", "forms")]
    refused = [cast.bob.post(f"{path}/{write}") for write in WRITES]
    refused += [cast.bob.patch(path, json={"title": "x"}), submit(cast.bob, form_id)]
    assert [answer.status_code for answer in refused] == [403] * 5
    assert cast.bob.post("/api/v1/forms", json={"title": "x", "definition": FEEDBACK}).status_code == 403


def test_a_stranger_sees_the_published_questions_of_a_public_form(cast: People) -> None:
    settings = {
        "public": True,
        "language": "en",
        "notify": ["a@example.org"],
        "pin": "secret-pin",
        "max_responses": 9,
    }
    form = create(cast.alice, settings=settings)
    path = f"/api/v1/forms/{form['form_id']}"
    assert cast.nobody.get(path).status_code == 401, "a draft is nobody's business"
    cast.alice.post(f"{path}/publish")
    cast.alice.patch(path, json={"definition": {"elements": [{"type": "text", "name": "draft_only"}]}})
    with_pin = {"x-form-pin": "secret-pin"}
    seen = cast.nobody.get(path, headers=with_pin)
    assert seen.json() == {
        "form_id": form["form_id"],
        "slug": form["slug"],
        "title": form["title"],
        "version": 1,
        "pin_required": True,
        "definition": FEEDBACK,
        "settings": {"language": "en"},
    }
    assert cast.charlie.get(path, headers=with_pin).json() == seen.json()


def test_the_schema_of_a_version_is_a_json_schema(cast: People) -> None:
    import jsonschema_rs

    form_id = publish(cast.alice)
    schema = cast.alice.get(f"/api/v1/forms/{form_id}/versions/1/schema.json").json()
    validator = jsonschema_rs.Draft202012Validator(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert validator.is_valid({"name": "Ada", "age": 36})
    assert not validator.is_valid({"age": 36})
    assert not validator.is_valid({"name": "Ada", "age": "old"})


def test_publish_and_submit_race_without_a_wrong_version(cast: People) -> None:
    """Every stored response satisfies the version that it names, whatever was published meanwhile."""
    form_id = publish(cast.alice, public=True)
    path = f"/api/v1/forms/{form_id}"
    one = {
        "elements": [{"type": "text", "name": "name"}, {"type": "text", "name": "one", "isRequired": True}]
    }
    two = {
        "elements": [{"type": "text", "name": "name"}, {"type": "text", "name": "two", "isRequired": True}]
    }
    stop = threading.Event()

    def republish() -> None:
        for number in range(12):
            cast.alice.patch(path, json={"definition": (one, two)[number % 2]})
            cast.alice.post(f"{path}/publish")
        stop.set()

    publisher = threading.Thread(target=republish)
    publisher.start()
    accepted = 0
    while not stop.is_set():
        for field in ("one", "two"):
            accepted += submit(cast.nobody, form_id, **{field: "x"}).status_code == 201
    publisher.join()
    versions = {
        row["version"]: forms.FEEDBACK
        if row["version"] == 1
        else cast.alice.get(f"{path}/versions/{row['version']}").json()["definition"]
        for row in cast.alice.get(f"{path}/versions").json()["versions"]
    }
    stored = walk(cast.alice, f"{path}/responses", "responses")
    assert len(versions) == 13
    assert len(stored) == accepted > 0
    for response in stored:
        names = {question["name"] for question in versions[response["form_version"]]["elements"]}
        assert set(response["data"]) <= names, response


def test_a_change_of_the_type_alone_is_published(cast: People) -> None:
    """To Python, 1 == True."""
    question = {"type": "boolean", "name": "b", "valueTrue": 1, "valueFalse": 0}
    form_id = create(cast.alice, definition={"elements": [question]})["form_id"]
    path = f"/api/v1/forms/{form_id}"
    assert cast.alice.post(f"{path}/publish").json()["version"] == 1
    changed = {"elements": [question | {"valueTrue": True, "valueFalse": False}]}
    cast.alice.patch(path, json={"definition": changed}).raise_for_status()
    assert cast.alice.post(f"{path}/publish").json()["version"] == 2
    assert cast.alice.post(f"{path}/responses", json={"data": {"b": True}}).status_code == 201
