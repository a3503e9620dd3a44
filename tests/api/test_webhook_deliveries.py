"""Receivers that mean it ill, servers that die, and what becomes of the deliveries."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
import standardwebhooks

from appliance.clock import new_id, parse_rfc3339, rfc3339, utc_now
from appliance.queue.scripts import Job
from appliance.stores import deliveries, mongo, outbox
from tests.api.accounts import command
from tests.api.forms import publish, submit
from tests.api.tasks import PREFIX, fail_for_good, paused, until_status, waiting
from tests.api.webhooks import OK, PATH, Hook, clear, create, hook, make_due
from tests.faults.steering import open_redis, stopped
from tests.mailbox import BUSY, Mailbox
from tests.people import People, share
from tests.running import Running
from tests.runtime.servers import until
from tests.security import receivers
from tests.security.receivers import receiver, says, status

FAILS = says(status(500, b"not today"))


@pytest.fixture(autouse=True)
def _cleared(cast: People) -> Iterator[None]:
    yield
    clear(cast.alice, cast.charlie, cast.admin)


def test_what_fails_five_times_gets_through_the_sixth(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, *[FAILS] * 5, OK, form_id=form_id) as subscribed:
        submit(cast.nobody, form_id)
        waits = [5, 60, 300, 1800, 7200]
        for number, wait in enumerate(waits, 1):
            row = subscribed.until_state("pending", attempts=number)
            attempt = row["attempts"][-1]
            assert (attempt["status"], attempt["answer"]) == (500, "not today")
            due = parse_rfc3339(row["next_attempt_at"]) - parse_rfc3339(attempt["at"])
            assert wait <= due.total_seconds() <= wait * 1.1 + attempt["seconds"] + 2
            make_due(appliance, row["delivery_id"])
        subscribed.until_state("delivered", attempts=6)
        messages = subscribed.messages()
        assert len(messages) == 6 and len({(message.id, message.text) for message in messages}) == 1


def test_the_tenth_failure_is_the_last(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, FAILS, form_id=form_id) as subscribed:
        submit(cast.nobody, form_id)
        for number in range(1, 10):
            make_due(appliance, subscribed.until_state("pending", attempts=number)["delivery_id"])
        row = subscribed.until_state("failed", attempts=10)
        assert (row["next_attempt_at"], row["reason"]) == (None, "answered 500")
        letters = cast.admin.get(f"/api/v1/dead-letters/{row['delivery_id']}")
        assert letters.status_code == 404, "it is in the log of deliveries"


@pytest.mark.parametrize(
    "manner, told",
    [
        (receivers.drops, "disconnected"),
        (receivers.no_http, "disconnected"),
        (says(status(307, location="http://127.0.0.1/")), "not followed"),
        (says(b"HTTP/1.1 200 OK\r\n" + b"x-a: " + b"b" * 1_000_000), ""),
    ],
    ids=["drops", "no_http", "redirects", "headers"],
)
def test_what_is_no_delivery(cast: People, manner: receivers.Manner, told: str) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, manner, form_id=form_id) as subscribed:
        submit(cast.nobody, form_id)
        row = subscribed.until_state("pending", attempts=1)
        assert told in row["attempts"][0]["error"]
        assert not 200 <= (row["attempts"][0]["status"] or 0) < 300


@pytest.mark.parametrize("manner", [receivers.hangs, receivers.drips], ids=lambda manner: manner.__name__)
def test_who_takes_his_time_is_left_after_ten_seconds(cast: People, manner: receivers.Manner) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, manner, form_id=form_id) as subscribed:
        submit(cast.nobody, form_id)
        (attempt,) = subscribed.until_state("pending", attempts=1)["attempts"]
        assert (attempt["status"], "within 10 s" in attempt["error"]) == (None, True)
        assert 10 <= attempt["seconds"] < 20


def test_a_flood_and_a_bomb_are_delivered_and_not_read(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    flood = receivers.Flood()
    with hook(cast.alice, flood, says(receivers.bomb()), form_id=form_id) as subscribed:
        for number, answer in enumerate(("a" * 1000, "[gzip]"), 1):
            submit(cast.nobody, form_id)
            subscribed.until_messages(number)
            assert subscribed.until_state("delivered", attempts=1)["attempts"][0]["answer"] == answer
    assert flood.sent < 20_000_000


def test_what_is_not_public_gets_nothing(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with receiver(OK, host="127.0.0.2") as inside:
        made = create(cast.alice, inside.url(), form_id=form_id)
        submit(cast.nobody, form_id)
        path = f"{PATH}/{made['webhook_id']}/deliveries"

        def attempts() -> list[dict[str, Any]]:
            rows = cast.alice.get(path).json()["deliveries"]
            return [attempt for row in rows for attempt in row["attempts"]]

        until(lambda: len(attempts()) == 1, 20, "tried")
        assert "not public" in attempts()[0]["error"]
        assert inside.connections == 0


def test_410_ends_the_subscription(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, says(status(410)), form_id=form_id) as subscribed:
        with paused(cast.admin, "default"):
            for _ in range(3):
                submit(cast.nobody, form_id)
        until(lambda: len(subscribed.there.requests) >= 1, 20)

        def shown() -> dict[str, Any]:
            found: dict[str, Any] = cast.alice.get(subscribed.path).json()
            return found

        until(lambda: shown()["status"] == "disabled", 20, "disabled")
        assert "410" in shown()["disabled_reason"]
        assert submit(cast.nobody, form_id).json()["task_ids"] == []
        until(lambda: not _pending(subscribed.deliveries(), appliance), 30, "nothing waits")
        states = sorted(row["state"] for row in subscribed.deliveries())
        assert set(states) == {"cancelled", "failed"}
        assert len(subscribed.there.requests) == states.count("failed") <= 2
        again = cast.alice.patch(subscribed.path, json={"status": "active"}).json()
        assert (again["status"], again["disabled_reason"]) == ("active", None)
        assert len(submit(cast.nobody, form_id).json()["task_ids"]) == 1


def _pending(rows: list[dict[str, Any]], appliance: Running) -> bool:
    """Makes due what rests."""
    waits = [row["delivery_id"] for row in rows if row["state"] == "pending"]
    for delivery_id in waits:
        with open_redis(appliance) as redis:
            redis.zadd("appliance:queue:due", {delivery_id: 0}, xx=True)
            redis.delete(*redis.keys("appliance:webhooks:rest:*") or ["none"])
    return bool(waits)


@pytest.mark.parametrize("asked, seconds", [("100", 100), ("date", 100), ("1", 5), ("999999999", 86_400)])
def test_a_receiver_may_ask_for_more_time_and_not_for_less(cast: People, asked: str, seconds: float) -> None:
    form_id = publish(cast.alice, public=True)
    value = format_datetime(utc_now() + dt.timedelta(seconds=100), usegmt=True) if asked == "date" else asked
    with hook(cast.alice, says(status(503, retry_after=value)), form_id=form_id) as subscribed:
        submit(cast.nobody, form_id)
        row = subscribed.until_state("pending", attempts=1)
        due = parse_rfc3339(row["next_attempt_at"]) - parse_rfc3339(row["attempts"][0]["at"])
        assert seconds - 2 <= due.total_seconds() <= seconds * 1.1 + 2


def test_one_that_hangs_holds_up_no_other(cast: People) -> None:
    """A hundred wait for a receiver that hangs; another one, new as well, hears of its events at once."""
    dead_form, form_id = publish(cast.alice, public=True), publish(cast.alice, public=True)
    with (
        hook(cast.alice, receivers.hangs, form_id=dead_form) as dead,
        hook(cast.alice, form_id=form_id) as healthy,
    ):
        for _ in range(100):
            submit(cast.nobody, dead_form)
        until(lambda: len(dead.there.requests) == 1, 20, "it hangs")
        took = _heard(cast, form_id, healthy, 15)
        assert max(took) < 8, "one that hangs takes 10 s"
        assert len(dead.there.requests) < 5


def test_many_that_hang_leave_room_for_who_is_known_to_answer(cast: People) -> None:
    dead_forms, form_id = (
        [publish(cast.alice, public=True) for _ in range(5)],
        publish(cast.alice, public=True),
    )
    with ExitStack() as stack:
        healthy = stack.enter_context(hook(cast.alice, form_id=form_id))
        assert cast.alice.post(f"{healthy.path}/test").json()["delivered"]
        dead = [stack.enter_context(hook(cast.alice, receivers.hangs, form_id=each)) for each in dead_forms]
        for each in dead_forms * 10:
            submit(cast.nobody, each)
        until(lambda: sum(len(each.there.requests) for each in dead) == 2, 20, "two hang")
        took = _heard(cast, form_id, healthy, 10, first=2)
        assert max(took) < 8, "one that hangs takes 10 s"


def _heard(cast: People, form_id: str, healthy: Hook, times: int, first: int = 1) -> list[float]:
    """Seconds from each submit to its message, across the ends of what hangs and of rests."""
    took = []
    for number in range(first, first + times):
        started = time.monotonic()
        submit(cast.nobody, form_id)
        healthy.until_messages(number, 10)
        took.append(time.monotonic() - started)
        time.sleep(0.7)
    return took


def test_many_for_one_that_is_quick_go_through_quickly(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, form_id=form_id) as subscribed:
        started = time.monotonic()
        ids = [submit(cast.nobody, form_id).json()["response_id"] for _ in range(100)]
        messages = subscribed.until_messages(100, 20)
        print(f"100 deliveries in {time.monotonic() - started:.1f} s")
        assert sorted(message.body["data"]["response_id"] for message in messages) == sorted(ids)


def test_a_worker_that_dies_midway_leaves_it_to_the_next(appliance: Running, cast: People) -> None:
    """Killed between the request and its recording: the receiver hears of it again, under the same id."""
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, receivers.hangs, OK, form_id=form_id) as subscribed:
        submit(cast.nobody, form_id)
        subscribed.until_messages(1)
        appliance.signal("worker-default", signal.SIGKILL)
        subscribed.until_state("delivered", 60)
        messages = subscribed.messages()
        assert len(messages) == 2 and len({(message.id, message.text) for message in messages}) == 1


def test_a_redis_that_was_emptied_loses_none(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, FAILS, OK, form_id=form_id) as subscribed:
        submit(cast.nobody, form_id)
        row = subscribed.until_state("pending", attempts=1)
        with appliance.database() as client:
            due = {"$set": {"next_attempt_at": utc_now() - dt.timedelta(seconds=60)}}
            rows = client.get_default_database("appliance").webhook_deliveries
            rows.update_one({"_id": row["delivery_id"]}, due)
        with open_redis(appliance) as redis:
            redis.flushall()
        subscribed.until_state("delivered", 40, attempts=2)


def test_what_redis_never_knew_is_sent_by_the_relay(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, form_id=form_id) as subscribed:
        with stopped(appliance, "redis"):
            submit(cast.nobody, form_id)
        (message,) = subscribed.until_messages(1, 60)
        assert message.body["type"] == "response.created"


def test_an_event_that_was_opened_and_not_taken_out_is_taken_out(appliance: Running, cast: People) -> None:
    """As a worker leaves it that dies right after it has written the delivery."""
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, form_id=form_id) as subscribed:
        response_id = submit(cast.nobody, form_id).json()["response_id"]
        delivery_id = subscribed.until_state("delivered")["delivery_id"]
        event = {
            "id": delivery_id,
            "type": "response.created",
            "task": "deliver_webhook",
            "to": subscribed.id,
            "revision": 1,
            "state": "pending",
        }
        with appliance.database() as client:
            rows = client.get_default_database("appliance").responses
            assert rows.find_one({"_id": response_id}, {"events": 1}) == {"_id": response_id, "events": []}
            rows.update_one({"_id": response_id}, {"$set": {"events": [event]}})
            with open_redis(appliance) as redis:
                redis.delete(f"{PREFIX}task:{delivery_id}")
            until(lambda: rows.count_documents({"_id": response_id, "events": []}) == 1, 40, "taken out")
        assert len(subscribed.there.requests) == 1


def test_what_was_put_off_for_four_days_is_given_up(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, FAILS, form_id=form_id) as subscribed:
        submit(cast.nobody, form_id)
        row = subscribed.until_state("pending", attempts=1)
        with appliance.database() as client:
            rows = client.get_default_database("appliance").webhook_deliveries
            old = {"$set": {"created_at": utc_now() - dt.timedelta(days=5)}}
            rows.update_one({"_id": row["delivery_id"]}, old)
        make_due(appliance, row["delivery_id"])
        assert "four days" in subscribed.until_state("failed")["reason"]
        assert len(subscribed.there.requests) == 1


def test_a_dead_letter_is_told_to_admins(appliance: Running, cast: People) -> None:
    with hook(cast.admin, events=["alert.fired"]) as subscribed:
        _, _, task_id = waiting(cast.alice)
        fail_for_good(appliance, cast.alice, task_id)
        (message,) = subscribed.until_messages(1)
        assert message.body["type"] == "alert.fired"
        assert (message.body["data"]["alert"], message.body["data"]["task_id"]) == ("dead_letter", task_id)


def test_only_what_has_ended_is_pruned(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, OK, FAILS, form_id=form_id) as subscribed:
        submit(cast.nobody, form_id)
        subscribed.until_state("delivered")
        submit(cast.nobody, form_id)
        subscribed.until_state("pending", attempts=1)

        async def prune(before: dt.datetime) -> int:
            async with mongo.connect(appliance.settings) as client:
                return await deliveries.prune(mongo.database(client), before, 10_000)

        asyncio.run(prune(utc_now() - dt.timedelta(days=1)))
        assert [row["state"] for row in subscribed.deliveries()] == ["pending", "delivered"]
        asyncio.run(prune(utc_now() + dt.timedelta(days=1)))
        assert [row["state"] for row in subscribed.deliveries()] == ["pending"]


def test_the_end_of_a_task_is_told_to_who_started_it(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    events = ["task.completed", "task.failed"]
    with (
        hook(cast.alice, events=events) as subscribed,
        hook(cast.charlie, events=events) as other,
        receiver(OK) as asked,
    ):
        secret = cast.alice.post(f"{PATH}/default/rotate").json()["secret"]
        task_id = _start(appliance, cast.alice, form_id, "nobody@example.org", webhook_url=asked.url())
        (message,) = subscribed.until_messages(1, 30)
        body = message.body
        assert (body["type"], body["task_id"], body["status"]) == ("task.completed", task_id, "completed")
        assert body["data"] | {"finished_at": None, "execution_time": None} == cast.alice.get(
            f"/api/v1/tasks/{task_id}"
        ).json() | {"finished_at": None, "execution_time": None}
        until(lambda: len(asked.requests) == 1, 20, "the webhook_url of the request")
        headers, text = asked.requests[0]
        assert standardwebhooks.Webhook(secret).verify(text, headers)
        assert text == message.text and headers["webhook-id"] != message.id

        def row() -> Any:
            rows = cast.alice.get(f"{PATH}/default/deliveries").json()["deliveries"]
            (found,) = [one for one in rows if one["delivery_id"] == headers["webhook-id"]]
            return found

        until(lambda: row()["state"] == "delivered", 20, "the answer is heard")
        assert row()["type"] == "task.completed"
        cast.alice.patch(f"/api/v1/forms/{form_id}", json={"settings": {"notify": [BUSY]}}).raise_for_status()
        failing = _start(appliance, cast.alice, form_id, BUSY)
        until_status(cast.alice, failing, "retrying", seconds=30)
        fail_for_good(appliance, cast.alice, failing)
        subscribed.until_messages(2)
        (message,) = subscribed.messages("task.failed")
        assert (message.body["task_id"], message.body["result"]) == (failing, None)
        assert "450" in message.body["data"]["error"]
        assert other.there.requests == []


def _start(appliance: Running, client: httpx.Client, form_id: str, to: str, **more: Any) -> str:
    """A task of one's own about a response, as a route that answers 202 promises it; the relay sends it."""
    response_id = submit(client, form_id).json()["response_id"]
    arguments = {"form_id": form_id, "response_id": response_id, "to": to}
    owner = client.get("/auth/me").json()["user_id"]
    job = Job(new_id(), "notify_watchers", arguments, owner=owner)

    async def promise() -> None:
        async with mongo.connect(appliance.settings) as connected:
            before = utc_now() - dt.timedelta(minutes=1)
            await outbox.promise(mongo.database(connected), None, job, now=before, **more)

    asyncio.run(promise())
    return job.id


def test_a_purged_event_is_in_the_log(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, form_id=form_id) as made:
        with paused(cast.admin, "default"):
            submit(cast.nobody, form_id)
            assert made.deliveries() == []
            purged = command(appliance, "queue", "purge", "default", "--yes")
            assert purged.returncode == 0, purged.stderr
        row = made.until_state("cancelled")
        assert (row["type"], row["reason"]) == ("response.created", "its task was cancelled")
        assert made.there.requests == []
        answer = cast.alice.post(f"{made.path}/deliveries/{row['delivery_id']}/redeliver")
        assert answer.status_code == 202
        (message,) = made.until_messages(1)
        assert message.id == row["delivery_id"]


@pytest.mark.parametrize("mend", ["test", "change"])
def test_what_was_put_off_goes_when_the_receiver_is_mended(
    appliance: Running, cast: People, mend: str
) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, FAILS, OK, form_id=form_id) as made:
        submit(cast.nobody, form_id)
        made.until_state("pending", attempts=1)
        _rest_for_an_hour(appliance, made)
        (task_id,) = submit(cast.nobody, form_id).json()["task_ids"]
        put_off = until_status(cast.alice, task_id, "retrying")
        assert put_off["due_at"] > rfc3339(utc_now() + dt.timedelta(minutes=50))
        if mend == "test":
            assert cast.alice.post(f"{made.path}/test").json()["delivered"] is True
        else:
            events = ["response.created", "response.updated"]
            assert cast.alice.patch(made.path, json={"events": events}).status_code == 200
        until_status(cast.alice, task_id, "completed", seconds=10)
        assert task_id in {message.id for message in made.messages("response.created")}


def _rest_for_an_hour(appliance: Running, made: Hook) -> None:
    """As after many failures."""
    key, hour = f"appliance:webhooks:rest:{made.id}", 3_600_000
    with open_redis(appliance) as redis:
        redis.hset(key, mapping={"until": int(time.time() * 1000) + hour, "span": hour})
        redis.pexpire(key, 2 * hour)


def test_a_disabled_webhook_gets_nothing_again(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, form_id=form_id) as made:
        submit(cast.nobody, form_id)
        row = made.until_state("delivered")
        assert cast.alice.patch(made.path, json={"status": "disabled"}).status_code == 200
        answer = cast.alice.post(f"{made.path}/deliveries/{row['delivery_id']}/redeliver")
        assert (answer.status_code, "disabled" in answer.json()["detail"]) == (409, True)


def test_what_was_cancelled_stays_so_when_redis_is_emptied(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, FAILS, OK, form_id=form_id) as made:
        (task_id,) = submit(cast.nobody, form_id).json()["task_ids"]
        made.until_state("pending", attempts=1)
        until_status(cast.alice, task_id, "retrying")
        share(appliance, form_id, "charlie", "edit")
        cast.alice.patch(f"/api/v1/forms/{form_id}", json={"title": "Read anew"})
        assert cast.charlie.delete(f"/api/v1/tasks/{task_id}").status_code == 403, "not charlie's webhook"
        assert cast.alice.delete(f"/api/v1/tasks/{task_id}").status_code == 204
        with open_redis(appliance) as redis:
            redis.flushall()
        row = made.until_state("cancelled", attempts=1)
        assert row["next_attempt_at"] is None


def test_a_delivery_whose_task_gives_up_has_failed(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with hook(cast.alice, FAILS, form_id=form_id) as made:
        (task_id,) = submit(cast.nobody, form_id).json()["task_ids"]
        made.until_state("pending", attempts=1)
        until_status(cast.alice, task_id, "retrying")
        with open_redis(appliance) as redis:  # as the engine leaves it after its fourth crash
            redis.hset(f"{PREFIX}task:{task_id}", mapping={"state": "failed", "error": "the worker died"})
            redis.zrem(f"{PREFIX}due", task_id)
            redis.rpush(f"{PREFIX}unsettled", task_id)
        assert made.until_state("failed", attempts=1)["reason"] == "the worker died"
        assert cast.alice.get(f"/api/v1/dead-letters/{task_id}").status_code == 404


@pytest.mark.parametrize("asked", [b"9" * 400, b"-1", b"1e9", b"Wed, 99 Foo 99999999999", b"\xb2"])
def test_whatever_a_receiver_asks_for(cast: People, asked: bytes) -> None:
    form_id = publish(cast.alice, public=True)
    manner = says(b"HTTP/1.1 503 No\r\nretry-after: " + asked + b"\r\ncontent-length: 0\r\n\r\n")
    with hook(cast.alice, manner, form_id=form_id) as made:
        answer = cast.alice.post(f"{made.path}/test")
        assert (answer.status_code, answer.json()["status"]) == (200, 503)
        submit(cast.nobody, form_id)
        row = made.until_state("pending", attempts=1)
        latest = utc_now() + dt.timedelta(hours=24, minutes=1)
        assert parse_rfc3339(row["next_attempt_at"]) <= latest


def _slow(connection: socket.socket) -> None:
    """Takes its time, and takes it well."""
    connection.settimeout(4)
    with suppress(TimeoutError):
        connection.recv(1)
    connection.sendall(receivers.OK)


def test_slow_receivers_that_answer_hold_up_nobody(cast: People, mailbox: Mailbox) -> None:
    slow_form, quick_form = publish(cast.alice, public=True), publish(cast.alice, public=True)
    mail_form = publish(cast.alice, public=True, notify=["watcher@example.org"])
    with ExitStack() as stack:
        slow = [stack.enter_context(hook(cast.alice, OK, _slow, form_id=slow_form)) for _ in range(3)]
        quick = stack.enter_context(hook(cast.alice, form_id=quick_form))
        submit(cast.nobody, quick_form)
        submit(cast.nobody, slow_form)
        for each in (*slow, quick):
            each.until_state("delivered")
        for _ in range(20):  # without a gate they would take the four processes for a minute
            submit(cast.nobody, slow_form)
        until(lambda: sum(len(each.there.requests) for each in slow) > 3, 20, "the slow ones are at work")
        for number in range(2, 5):
            submit(cast.nobody, quick_form)
            submit(cast.nobody, mail_form)
            quick.until_messages(number, seconds=20)
            until(lambda: len(mailbox.about(mail_form)) == number - 1, 20, "mail")  # noqa: B023
        assert sum(len(each.there.requests) for each in slow) < 60, "the slow ones are still at it"


def test_who_may_only_look_hears_of_no_deletion(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    share(appliance, form_id, "charlie", "manage")
    cast.alice.patch(f"/api/v1/forms/{form_id}", json={"title": "Read anew"})
    with hook(cast.charlie, form_id=form_id, events=["response.deleted"]) as made:
        user_id = cast.charlie.get("/auth/me").json()["user_id"]
        shares = [{"user_id": user_id, "level": "view"}]
        assert cast.alice.put(f"/api/v1/forms/{form_id}/shares", json={"shares": shares}).status_code == 200
        response_id = submit(cast.nobody, form_id).json()["response_id"]
        path = f"/api/v1/forms/{form_id}/responses/{response_id}"
        assert cast.alice.delete(path).status_code == 204
        row = made.until_state("cancelled")
        assert "deleted responses" in row["reason"]
        assert made.there.requests == []
