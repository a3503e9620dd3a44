"""E-mail to the people who watch a form, through a real mail server."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.queue.engine import PREFIX
from tests.api.forms import create, errors, publish, submit
from tests.faults.steering import open_redis
from tests.mailbox import BUSY, REFUSED, Mailbox
from tests.people import PASSWORD, People
from tests.running import Running, unique
from tests.runtime.servers import until

WATCHERS = ["one@example.org", "two@example.org"]


def test_each_watcher_hears_once_of_each_response(cast: People, mailbox: Mailbox) -> None:
    form_id = publish(cast.alice, public=True, notify=WATCHERS)
    answers = [submit(cast.nobody, form_id, age=number, likes=["tea"]).json() for number in range(3)]
    until(lambda: len(mailbox.about(form_id)) == 6, 20, "three letters each")
    assert sorted(letter.to[0] for letter in mailbox.about(form_id)) == sorted(WATCHERS * 3)
    for letter in mailbox.about(form_id):
        assert letter.to == [letter.message["To"]], "they do not learn of each other"
        assert letter.message["From"] == "forms@localhost"
        assert letter.message["Subject"].startswith("New response: Feedback-")
        assert 'likes: ["tea"]' in letter.message.get_content()
    assert sorted(mailbox.told(form_id)) == sorted(answer["response_id"] for answer in answers * 2)
    ids = {str(letter.message["Message-ID"]) for letter in mailbox.about(form_id)}
    assert ids == {f"<{task_id}@appliance>" for answer in answers for task_id in answer["task_ids"]}


def test_what_is_refused_for_good_is_not_tried_again(
    appliance: Running, cast: People, mailbox: Mailbox
) -> None:
    form_id = publish(cast.alice, public=True, notify=[REFUSED])
    (task_id,) = submit(cast.nobody, form_id).json()["task_ids"]
    until(lambda: _states(appliance, form_id) == ["dead"], 20, "given up at once")
    assert mailbox.about(form_id) == []
    letter = cast.alice.get(f"/api/v1/dead-letters/{task_id}").json()
    (attempt,) = letter["attempts"]
    assert "550" in attempt["error"]
    assert REFUSED not in attempt["error"], "addresses are for those who manage the form, as an argument"
    assert letter["arguments"]["to"] == REFUSED


def test_one_address_out_of_order_holds_up_no_other(
    appliance: Running, cast: People, mailbox: Mailbox
) -> None:
    form_id = publish(cast.alice, public=True, notify=[REFUSED, BUSY, WATCHERS[0]])
    tasks = submit(cast.nobody, form_id).json()["task_ids"]
    until(lambda: _states(appliance, form_id) == ["dead", "pending", "done"], 20, "each by itself")
    assert [letter.to for letter in mailbox.about(form_id)] == [WATCHERS[:1]]
    until(lambda: _task(appliance, tasks[1]).get("state") == "retrying", 10, "the second is tried again")
    assert "450" in _task(appliance, tasks[1])["error"]


def test_what_never_works_becomes_a_dead_letter(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True, notify=[BUSY])
    (task_id,) = submit(cast.nobody, form_id).json()["task_ids"]
    until(lambda: _task(appliance, task_id).get("state") == "retrying", 20, "tried once")
    with open_redis(appliance) as client:  # as if it had been tried nine times more, and the wait were over
        client.hset(f"{PREFIX}task:{task_id}", "retries", "10")
        client.zadd(f"{PREFIX}due", {task_id: 0})
    until(lambda: _states(appliance, form_id) == ["dead"], 20, "given up")
    with appliance.database() as database:
        db = database.get_default_database("appliance")
        letter = db.dead_letters.find_one({"_id": task_id})
        alert = db.outbox.find_one({"_id": f"dead-letter:{task_id}:0"})
    assert letter is not None and alert is not None
    assert (letter["task"], letter["arguments"]["to"], len(letter["attempts"])) == (
        "notify_watchers",
        BUSY,
        2,
    )
    assert all("450" in attempt["error"] for attempt in letter["attempts"])
    assert (alert["type"], alert["state"], alert["data"]["task_id"]) == ("alert.fired", "waiting", task_id)
    with open_redis(appliance) as client:
        until(lambda: client.ttl(f"{PREFIX}task:{task_id}") > 3000, 10, "forgotten in an hour")


@pytest.mark.parametrize("address", ["a,b@c", "<x>@y", "a;b@c", "(@c", '"@c', "é@ü.org", "a@b c", "a@-b"])
def test_what_is_no_address_is_refused_at_once(cast: People, address: str) -> None:
    answer = cast.alice.post(
        "/api/v1/forms",
        json={"title": "T", "definition": {"elements": []}, "settings": {"notify": ["a@b.org", address]}},
    )
    assert (answer.status_code, list(errors(answer))) == (400, ["/settings/notify/1"])


def test_a_hostile_title_stays_one_line(cast: People, mailbox: Mailbox) -> None:
    form_id = publish(cast.alice, public=True, notify=WATCHERS[:1])
    title = "Ünïcode \u2028 Bcc: everybody@example.org"
    cast.alice.patch(f"/api/v1/forms/{form_id}", json={"title": title}).raise_for_status()
    submit(cast.nobody, form_id, words="a\r\nBcc: x@example.org\r\n.\r\nMAIL FROM:<x@example.org>")
    until(lambda: len(mailbox.about(form_id)) == 1, 20, "one letter")
    (letter,) = mailbox.about(form_id)
    assert letter.message["Subject"] == "New response: Ünïcode Bcc: everybody@example.org"
    assert letter.message["Bcc"] is None
    assert letter.to == letter.message["To"].split() == WATCHERS[:1]
    assert "MAIL FROM:<x@example.org>" in letter.message.get_content()


MAIL_FORM = {
    "elements": [
        {"type": "text", "name": "name"},
        {"type": "text", "name": "email"},
        {"type": "checkbox", "name": "likes", "choices": ["tea", "coffee"]},
    ]
}


def _mail_form(cast: People, **settings: Any) -> str:
    form_id = str(create(cast.alice, definition=MAIL_FORM, settings={"public": True, **settings})["form_id"])
    assert cast.alice.post(f"/api/v1/forms/{form_id}/publish").status_code == 200
    return form_id


def test_a_form_has_words_of_its_own(cast: People, mailbox: Mailbox) -> None:
    words = {
        "subject": "{NAME} wrote to {form.title}",
        "text": "Likes {likes}, {unknown} {response.id}\n{response.answers}",
    }
    form_id = _mail_form(cast, notify=WATCHERS[:1], notify_template=words)
    submit(cast.nobody, form_id, name="{email} \nBcc: x@example.org", email="e@example.org", likes=["tea"])
    until(lambda: len(mailbox.about(form_id)) == 1, 20, "one letter")
    message = mailbox.about(form_id)[0].message
    title = cast.alice.get(f"/api/v1/forms/{form_id}").json()["title"]
    assert message["Subject"] == f"{{email}} Bcc: x@example.org wrote to {title}", "filled once, in one line"
    assert message["Bcc"] is None
    first, second, *_ = message.get_content().splitlines()
    assert first == f'Likes ["tea"], {{unknown}} {message["X-Response-Id"]}'
    assert second == "name: {email} "


def test_a_receipt_goes_where_the_answer_says(cast: People, mailbox: Mailbox) -> None:
    form_id = _mail_form(
        cast, receipt={"question": "email", "text": "Dear {name}, it is number {response.number}."}
    )
    answer = submit(cast.nobody, form_id, email="ada@example.org").json()
    until(lambda: len(mailbox.about(form_id)) == 1, 20, "one letter")
    (letter,) = mailbox.about(form_id)
    assert (letter.to, letter.message["To"]) == (["ada@example.org"], "ada@example.org")
    assert letter.message["Auto-Submitted"] == "auto-generated"
    assert letter.message["Message-ID"] == f"<{answer['task_ids'][0]}@appliance>"
    assert letter.message.get_content().splitlines() == ["Dear Ada, it is number 1."]
    for no_address in (
        "ada",
        "a@b, c@d",
        "x@example.org\r\nBcc: y@example.org",
        "<a@b.org>",
        "a" * 300 + "@b.org",
    ):
        assert submit(cast.nobody, form_id, email=no_address).json()["task_ids"] == []
    assert submit(cast.nobody, form_id).json()["task_ids"] == [], "not answered"


def test_a_receipt_goes_to_the_account_of_whoever_is_signed_in(
    appliance: Running, cast: People, mailbox: Mailbox
) -> None:
    form_id = _mail_form(cast, receipt={})
    name, address = unique("reader"), f"{unique('reader')}@example.org"
    body = {"username": name, "password": PASSWORD, "roles": ["editor"], "email": address}
    assert cast.admin.post("/api/v1/users", json=body).status_code == 201
    assert submit(cast.nobody, form_id).json()["task_ids"] == []
    with appliance.client(appliance.login(name, PASSWORD)) as client:
        submit(client, form_id)
    until(lambda: len(mailbox.about(form_id)) == 1, 20, "one letter")
    (letter,) = mailbox.about(form_id)
    assert letter.to == [address]
    assert "Your response: " in letter.message["Subject"]
    assert "Ada" not in letter.message.get_content(), "no answers unless the form says so"


@pytest.mark.parametrize(
    "settings, path",
    [
        ({"receipt": {"question": ""}}, "/settings/receipt/question"),
        ({"receipt": {"to": "a@example.org"}}, "/settings/receipt/to"),
        ({"notify_template": {"subject": "two\nlines"}}, "/settings/notify_template/subject"),
        ({"notify_template": {"text": "x" * 10_001}}, "/settings/notify_template/text"),
    ],
)
def test_words_that_cannot_be_are_refused(cast: People, settings: dict[str, Any], path: str) -> None:
    body = {"title": "T", "definition": MAIL_FORM, "settings": settings}
    answer = cast.alice.post("/api/v1/forms", json=body)
    assert (answer.status_code, list(errors(answer))) == (400, [path])
    form_id = _mail_form(cast)
    changed = cast.alice.patch(f"/api/v1/forms/{form_id}", json={"settings": settings})
    assert (changed.status_code, list(errors(changed))) == (400, [path])


def _task(appliance: Running, task_id: str) -> dict[str, str]:
    with open_redis(appliance) as client:
        return dict(client.hgetall(f"{PREFIX}task:{task_id}"))


def _states(appliance: Running, form_id: str) -> list[str]:
    with appliance.database() as client:
        rows = client.get_default_database("appliance").responses.find({"form_id": form_id})
        return [event["state"] for row in rows for event in row["events"]]
