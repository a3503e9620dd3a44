"""Webhooks: made, changed, rotated, tested, and what their receivers get."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import standardwebhooks

from tests.api.accounts import add, add_key
from tests.api.forms import create as create_form
from tests.api.forms import errors, publish, submit, walk
from tests.api.tasks import paused, until_status
from tests.api.test_shares import give
from tests.api.webhooks import OK, PATH, Hook, clear, create, hook
from tests.people import PASSWORD, People, share
from tests.running import Running, unique
from tests.runtime.servers import free_port, until
from tests.security import receivers
from tests.security.receivers import receiver, says, status

URL = "https://example.org/hook"


@pytest.fixture(autouse=True)
def _cleared(cast: People) -> Iterator[None]:
    yield
    clear(cast.alice, cast.charlie, cast.admin)


# -- subscribing


def test_a_webhook_from_its_beginning_to_its_end(cast: People) -> None:
    form_id = publish(cast.alice)
    made = create(cast.alice, URL, form_id=form_id, events=["response.created", "response.created"])
    assert made["secret"].startswith("whsec_")
    assert (made["events"], made["form_id"], made["status"]) == (["response.created"], form_id, "active")
    path = f"{PATH}/{made['webhook_id']}"
    shown = {name: value for name, value in made.items() if name != "secret"}
    answer = cast.alice.get(path)
    assert (answer.json(), answer.headers["etag"]) == (shown, '"1"')
    assert shown in walk(cast.alice, PATH, "webhooks")
    assert shown in walk(cast.admin, PATH, "webhooks", user_id=made["owner"])
    assert shown not in walk(cast.charlie, PATH, "webhooks")
    assert cast.charlie.get(PATH, params={"user_id": made["owner"]}).status_code == 403
    changed = cast.alice.patch(path, json={"status": "disabled"}, headers={"if-match": '"1"'})
    assert (changed.json()["status"], changed.headers["etag"]) == ("disabled", '"2"')
    assert changed.json()["disabled_reason"] is not None
    assert cast.alice.patch(path, json={"status": "active"}, headers={"if-match": '"1"'}).status_code == 412
    active = cast.alice.patch(path, json={"status": "active", "url": f"{URL}/2"}).json()
    assert (active["status"], active["disabled_reason"], active["url"]) == ("active", None, f"{URL}/2")
    assert cast.charlie.delete(path).status_code == 404
    assert cast.alice.delete(path).status_code == 204
    assert cast.alice.get(path).status_code == 404


def test_its_deeds_are_in_the_audit_log_and_its_secrets_are_not(cast: People, appliance: Running) -> None:
    made = create(cast.alice, f"{URL}?token=very-secret")
    path = f"{PATH}/{made['webhook_id']}"
    cast.alice.patch(path, json={"events": ["form.published"]}).raise_for_status()
    second = cast.alice.post(f"{path}/rotate").json()["secret"]
    cast.alice.delete(path).raise_for_status()
    entries = cast.admin.get("/api/v1/audit", params={"subject": made["webhook_id"]}).json()["audit"]
    assert [entry["action"] for entry in entries] == [
        "webhook.deleted",
        "webhook.rotated",
        "webhook.changed",
        "webhook.created",
    ]
    told = "".join(log.read_text() for log in appliance.paths.logs.glob("*.log")) + str(entries)
    for secret in (made["secret"], second, "very-secret"):
        assert secret not in told
    with appliance.database() as client:
        names = client.get_default_database("appliance").webhooks.find({"owner": made["owner"]})
        assert all(b"whsec" not in row["secret"] for row in names)


def test_a_repeated_request_is_told_the_same_secret(cast: People) -> None:
    body, headers = {"url": URL, "events": ["response.created"]}, {"idempotency-key": unique("key")}
    first, again = (cast.alice.post(PATH, json=body, headers=headers) for _ in range(2))
    assert again.headers["idempotency-replayed"] == "true"
    assert first.json() == again.json() and first.json()["secret"]
    other = cast.alice.post(PATH, json=body | {"url": f"{URL}/2"}, headers=headers)
    assert other.status_code == 422


@pytest.mark.parametrize(
    "body, path",
    [
        ({"url": "example.org"}, "/url"),
        ({"url": "ftp://example.org/"}, "/url"),
        ({"url": "https://me:word@example.org/"}, "/url"),
        ({"url": "http://0x7f.1/"}, "/url"),
        ({"url": "http://2130706433/"}, "/url"),
        ({"url": "https://example.org/\r\nx: y"}, "/url"),
        ({"url": "https://example.org:99999/"}, "/url"),
        ({"url": {"$gt": ""}}, "/url"),
        ({"events": []}, "/events"),
        ({"events": ["response.eaten"]}, "/events/0"),
        ({"form_id": 5}, "/form_id"),
        ({"secret": "whsec_mine"}, "/secret"),
    ],
)
def test_what_is_refused_at_once(cast: People, body: dict[str, Any], path: str) -> None:
    whole = {"url": URL, "events": ["response.created"], **body}
    answer = cast.alice.post(PATH, json=whole)
    assert (answer.status_code, list(errors(answer))) == (400, [path])


def test_an_address_that_is_not_public_is_no_fault_yet(cast: People) -> None:
    for url in ("https://127.0.0.2/", "http://10.0.0.1/", "https://[::1]/", "https://localhost/"):
        create(cast.charlie, url)


def test_whose_form_it_is(cast: People, appliance: Running) -> None:
    form_id = publish(cast.alice)
    share(appliance, form_id, "bob", "view")
    body = {"url": URL, "events": ["response.created"], "form_id": form_id}
    assert cast.charlie.post(PATH, json=body).status_code == 404
    assert cast.bob.post(PATH, json=body).status_code == 403
    assert cast.alice.post(PATH, json=body | {"form_id": "none"}).status_code == 404
    alerts = {"url": URL, "events": ["alert.fired"]}
    assert cast.alice.post(PATH, json=alerts).status_code == 403
    made = create(cast.admin, URL, events=["alert.fired"])
    assert cast.admin.delete(f"{PATH}/{made['webhook_id']}").status_code == 204


def test_there_are_only_so_many(cast: People, appliance: Running) -> None:
    name = add(cast.admin, "editor")["username"]
    with appliance.client(appliance.login(name, PASSWORD)) as client:
        form_id = publish(client)
        for _ in range(20):
            create(client, URL, form_id=form_id)
        body: dict[str, Any] = {"url": URL, "events": ["response.created"], "form_id": form_id}
        assert client.post(PATH, json=body).status_code == 409
        for _ in range(30):
            create(client, URL)
        assert client.post(PATH, json=body | {"form_id": None}).status_code == 409
        assert len(walk(client, PATH, "webhooks", limit=7)) == 50


def test_those_of_people_who_lost_the_form_neither_count_nor_fire(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    give(cast.alice, form_id, ("charlie", "manage"))
    lost = [create(cast.charlie, URL, form_id=form_id)["webhook_id"] for _ in range(20)]
    body = {"url": URL, "events": ["response.created"], "form_id": form_id}
    assert cast.alice.post(PATH, json=body).status_code == 409
    give(cast.alice, form_id)
    with hook(cast.alice, form_id=form_id) as subscribed:
        answer = submit(cast.nobody, form_id).json()
        subscribed.until_messages(1)
    assert len(answer["task_ids"]) == 1, "nothing is begun for those who would not be told"
    assert all(cast.charlie.get(f"{PATH}/{each}/deliveries").json()["deliveries"] == [] for each in lost)


def test_a_repeated_request_shows_no_secret_that_was_replaced(cast: People) -> None:
    body, headers = {"url": URL, "events": ["form.published"]}, {"idempotency-key": unique("hook")}

    def make() -> dict[str, Any]:
        answer = cast.alice.post(PATH, json=body, headers=headers)
        assert answer.status_code == 201
        made: dict[str, Any] = answer.json()
        return made

    first = make()
    assert first["secret"] and make() == first
    path = f"{PATH}/{first['webhook_id']}"
    assert cast.alice.post(f"{path}/rotate").status_code == 200
    assert make() == {**first, "secret": ""}
    assert cast.alice.delete(path).status_code == 204
    assert make() == {**first, "secret": ""}


def test_a_key_needs_the_scope(cast: People, appliance: Running) -> None:
    for scope, expected in (("webhooks", 200), ("forms:read", 403)):
        with appliance.client(add_key(cast.alice, scope)["key"]) as client:
            assert client.get(PATH).status_code == expected


def test_a_key_hears_of_what_it_may_read_only(cast: People, appliance: Running) -> None:
    form_id = publish(cast.charlie, public=True)
    body = {"url": "https://example.org/hook", "events": ["response.created"]}
    with appliance.client(add_key(cast.admin, "webhooks")["key"]) as client:
        assert client.post(PATH, json=body).status_code == 403
        assert client.post(PATH, json=body | {"events": ["form.published"]}).status_code == 403
    with receivers.receiver(says(receivers.OK)) as there:
        with appliance.client(add_key(cast.admin, "webhooks", "responses:read")["key"]) as client:
            made = client.post(PATH, json=body | {"url": there.url()})
            assert made.status_code == 201
            submit(cast.nobody, form_id)
            mine = publish(cast.admin, public=True)
            submit(cast.nobody, mine)
            until(lambda: there.requests, 20, "of the owner's own form")
            told = [json.loads(sent)["data"]["form_id"] for _, sent in there.requests]
            assert told == [mine], "to a key without the scope admin, its owner is an editor"
        path = f"{PATH}/{made.json()['webhook_id']}"
        with appliance.client(add_key(cast.admin, "webhooks")["key"]) as client:
            elsewhere = {"url": "https://example.org/elsewhere"}
            assert client.patch(path, json=elsewhere).status_code == 403, "not what a better key made"


# -- what is sent


def test_the_first_response_after_the_201_is_told(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, form_id=form_id) as subscribed:
        response = submit(cast.nobody, form_id, age=36, words="ü").json()
        (message,) = subscribed.until_messages(1)
        whole = cast.alice.get(f"/api/v1/forms/{form_id}/responses/{response['response_id']}").json()
        assert message.body == {
            "type": "response.created",
            "timestamp": whole["created_at"],
            "data": whole,
        }
        assert message.id in response["task_ids"]
        assert message.headers["content-type"] == "application/json"
        assert abs(int(message.headers["webhook-timestamp"]) - time.time()) < 30
        done = subscribed.until_state("delivered")
        assert (done["delivery_id"], done["type"], done["reason"]) == (message.id, "response.created", None)
        (attempt,) = done["attempts"]
        assert (attempt["status"], attempt["answer"], attempt["error"]) == (200, "ok", None)
        assert 0 < attempt["seconds"] < 10


def test_each_event_of_a_response_tells_it_as_it_was_then(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    events = ["response.created", "response.updated", "response.deleted", "response.restored"]
    with hook(cast.alice, form_id=form_id, events=events) as subscribed:
        response_id = submit(cast.nobody, form_id, age=1).json()["response_id"]
        path = f"/api/v1/forms/{form_id}/responses/{response_id}"
        cast.alice.patch(path, json={"data": {"name": "Ada", "age": 2}}).raise_for_status()
        cast.alice.patch(path, json={"data": {"name": "Ada", "age": 3}}).raise_for_status()
        cast.alice.delete(path).raise_for_status()
        cast.alice.post(f"{path}/restore").raise_for_status()
        bulk = {"response_ids": [response_id], "action": "tag", "value": "seen"}
        cast.alice.post(f"/api/v1/forms/{form_id}/responses/bulk", json=bulk).raise_for_status()
        messages = subscribed.until_messages(6)
        messages.sort(key=lambda message: int(message.body["data"]["revision"]))
        assert [message.body["type"] for message in messages] == [
            events[0], events[1], events[1], events[2], events[3], events[1],
        ]  # fmt: skip
        told = [message.body["data"] for message in messages]
        assert [data["data"].get("age") for data in told] == [1, 2, 3, 3, 3, 3]
        assert [data["status"] for data in told] == ["accepted"] * 3 + ["deleted"] + ["accepted"] * 2
        assert told[-1]["tags"] == ["seen"] and told[-2]["tags"] == []
        stamps = [message.body["timestamp"] for message in messages]
        assert stamps == sorted(stamps) == [data["updated_at"] for data in told]
        until(lambda: {row["state"] for row in subscribed.deliveries()} == {"delivered"}, 20)


def test_a_publish_is_told_to_the_one_who_manages(cast: People) -> None:
    form_id = create_form(cast.alice)["form_id"]
    with (
        hook(cast.alice, events=["form.published"]) as of_all,
        hook(cast.charlie, events=["form.published"]) as of_charlie,
    ):
        form = cast.alice.post(f"/api/v1/forms/{form_id}/publish").json()
        (message,) = of_all.until_messages(1)
        assert message.body["data"] == form
        assert message.body["timestamp"] == form["updated_at"]
        cast.alice.post(f"/api/v1/forms/{form_id}/publish").raise_for_status()  # nothing has changed
        of_all.until_state("delivered")
        assert len(of_all.deliveries()) == 1
        assert of_charlie.there.requests == [] and of_charlie.deliveries() == []


def test_nothing_is_written_where_nobody_asked(cast: People, appliance: Running) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, form_id=form_id, events=["response.deleted"]):
        assert submit(cast.nobody, form_id).json()["task_ids"] == []


def test_rights_are_those_of_the_moment_of_sending(cast: People, appliance: Running) -> None:
    form_id = publish(cast.alice, public=True)
    who = add(cast.admin, "editor")
    path = f"/api/v1/forms/{form_id}/shares"
    given = {"shares": [{"user_id": who["user_id"], "level": "manage"}]}
    cast.alice.put(path, json=given).raise_for_status()
    with (
        appliance.client(appliance.login(who["username"], PASSWORD)) as client,
        hook(client, form_id=form_id) as subscribed,
    ):
        with paused(cast.admin, "default"):
            assert submit(cast.nobody, form_id).json()["task_ids"]
            cast.alice.put(path, json={"shares": []}).raise_for_status()
        row = subscribed.until_state("cancelled")
        assert row["attempts"] == [] and "may not see" in row["reason"]
        cast.alice.put(path, json=given).raise_for_status()
        with paused(cast.admin, "default"):
            submit(cast.nobody, form_id)
            off = cast.admin.patch(f"/api/v1/users/{who['user_id']}", json={"status": "disabled"})
            off.raise_for_status()
        as_admin = Hook(cast.admin, subscribed.there, subscribed.created)
        until(lambda: len(as_admin.deliveries()) == 2, 20, "the second")
        assert "disabled" in as_admin.until_state("cancelled")["reason"]
        assert subscribed.there.requests == []


# -- secrets


def test_while_a_secret_is_replaced_both_hold(cast: People, appliance: Running) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, form_id=form_id) as subscribed:
        first = subscribed.secret
        rotated = cast.alice.post(f"{subscribed.path}/rotate").json()
        assert rotated["secret"] != first and rotated["previous_valid_until"]
        submit(cast.nobody, form_id)
        subscribed.until_messages(1)
        headers, body = subscribed.there.requests[0]
        for secret in (first, rotated["secret"]):
            assert standardwebhooks.Webhook(secret).verify(body, headers)
        assert headers["webhook-signature"].count("v1,") == 2
        with appliance.database() as client:  # as if a day had passed
            rows = client.get_default_database("appliance").webhooks
            rows.update_one({"_id": subscribed.id}, [{"$set": {"previous_until": "$created_at"}}])
        submit(cast.nobody, form_id)
        subscribed.secret = rotated["secret"]
        until(lambda: len(subscribed.there.requests) == 2, 20)
        headers, body = subscribed.there.requests[1]
        assert standardwebhooks.Webhook(rotated["secret"]).verify(body, headers)
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(first).verify(body, headers)


def test_everybody_has_a_default_secret(cast: People) -> None:
    first = cast.charlie.post(f"{PATH}/default/rotate").json()
    second = cast.charlie.post(f"{PATH}/default/rotate").json()
    assert first["secret"].startswith("whsec_") and first["secret"] != second["secret"]
    assert first["previous_valid_until"] is None and second["previous_valid_until"] is not None
    assert cast.charlie.get(f"{PATH}/default/deliveries").json() == {"deliveries": [], "next_cursor": None}
    assert all(row["url"] for row in walk(cast.charlie, PATH, "webhooks"))
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test")):
        assert cast.charlie.request(method, f"{PATH}/default{path}", json={}).status_code == 404


# -- the test delivery


def test_a_test_tells_the_truth(cast: People) -> None:
    answers = (OK, says(status(500, b"no")), receivers.drops, says(status(302, location="http://127.0.0.1/")))
    with hook(cast.alice, *answers) as subscribed:
        found = [cast.alice.post(f"{subscribed.path}/test").json() for _ in answers]
        assert [(each["delivered"], each["status"], each["answer"]) for each in found] == [
            (True, 200, "ok"),
            (False, 500, "no"),
            (False, None, ""),
            (False, 302, ""),
        ]
        assert [bool(each["error"]) for each in found] == [False, True, True, True]
        assert {message.body["type"] for message in subscribed.messages()} == {"webhook.test"}
        assert [row["state"] for row in subscribed.deliveries()] == ["failed"] * 3 + ["delivered"]
        assert len({message.id for message in subscribed.messages()}) == 4


def test_what_is_not_public_is_refused_and_said(cast: People) -> None:
    with receiver(OK, host="127.0.0.2") as inside:
        made = create(cast.alice, inside.url())
        found = cast.alice.post(f"{PATH}/{made['webhook_id']}/test").json()
        assert (found["delivered"], found["status"]) == (False, None)
        assert "not public" in found["error"]
        assert inside.connections == 0


def test_nobody_there(cast: People) -> None:
    made = create(cast.alice, f"http://127.0.0.1:{free_port()}/")
    found = cast.alice.post(f"{PATH}/{made['webhook_id']}/test").json()
    assert (found["delivered"], found["status"]) == (False, None) and found["error"]


# -- once more


def test_redelivering_is_the_same_message_again(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, form_id=form_id) as subscribed:
        submit(cast.nobody, form_id)
        row = subscribed.until_state("delivered")
        for path in (f"{subscribed.path}/deliveries", f"{PATH}/deliveries"):
            answer = cast.alice.post(f"{path}/{row['delivery_id']}/redeliver")
            assert answer.status_code == 202
            assert answer.headers["location"] == answer.json()["status_url"]
            done = until_status(cast.alice, answer.json()["task_id"], "completed")
            assert (done["result"]["delivered"], done["result"]["status"]) == (True, 200)
        messages = subscribed.messages()
        assert len({(message.id, message.text) for message in messages}) == 1 and len(messages) == 3
        assert len(subscribed.until_state("delivered")["attempts"]) == 3
        with hook(cast.alice) as other:
            wrong = f"{other.path}/deliveries/{row['delivery_id']}/redeliver"
            assert cast.alice.post(wrong).status_code == 404
