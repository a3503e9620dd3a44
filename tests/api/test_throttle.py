"""Limits on signing in, in an appliance that has them on; with Redis, and without."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from redis import Redis

from appliance import addresses
from appliance.ops import supervisor
from tests import people
from tests.api.accounts import add, add_key, command, statuses, token_of
from tests.api.forms import publish, submit
from tests.api.tasks import until_status
from tests.api.uploads import form_with_files, new_token
from tests.mailbox import Mailbox
from tests.people import PASSWORD, People
from tests.running import Running, running, unique
from tests.runtime.servers import until
from tests.tasks.test_exporter import scrape


@pytest.fixture(scope="module")
def limited(mailbox: Mailbox) -> Iterator[Running]:
    proxies = {"APPLIANCE_TRUSTED_PROXIES": "127.0.0.1/32"}
    with running(RATE_LIMIT="on", SMTP_URL=mailbox.url, **proxies) as started:
        yield started


@pytest.fixture(scope="module")
def few(limited: Running) -> Iterator[People]:
    with people.gather(limited) as gathered:
        yield gathered


def test_one_address_gets_few_receipts(limited: Running, few: People, mailbox: Mailbox) -> None:
    dropped = scrape(limited)["appliance_receipts_dropped_total",]
    form_id = publish(few.alice, public=True, receipt={"question": "words"})
    victim, other = f"{unique('v')}@example.org", f"{unique('o')}@example.org"
    tasks = [submit(few.alice, form_id, words=victim).json()["task_ids"][0] for _ in range(7)]
    tasks += submit(few.alice, form_id, words=other).json()["task_ids"]
    for task_id in tasks:
        until_status(few.alice, task_id, "completed")
    told = [letter.to for letter in mailbox.about(form_id)]
    assert (told.count([victim]), told.count([other])) == (5, 1)
    assert scrape(limited)["appliance_receipts_dropped_total",] - dropped == 2


def login(client: httpx.Client, username: str, password: str, address: str) -> httpx.Response:
    """As from `address`: the tests are a proxy that is trusted."""
    body = {"username": username, "password": password}
    headers = {"x-forwarded-for": address, "x-forwarded-proto": "https"}
    return client.post("/auth/login", json=body, headers=headers)


def until_allowed_by_nginx() -> None:
    time.sleep(1.0)  # its own limit is 20/s with a burst of 40, for this one address


def test_of_many_at_once_five_an_account_pass_known_or_not(limited: Running, few: People) -> None:
    for number, name in enumerate((add(few.admin)["username"], unique("nobody"))):
        with ThreadPoolExecutor(10) as pool:
            tries = range(10)
            answers = list(
                pool.map(lambda n: login(few.nobody, name, "wrong", f"192.0.2.{10 * number + n}"), tries)  # noqa: B023
            )
        assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 5
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.headers["content-type"] == "application/problem+json"
        assert 1 <= int(refused.headers["retry-after"]) <= 12
        assert refused.headers["ratelimit-limit"] == "5"
        assert refused.headers["ratelimit-remaining"] == "0"
        assert refused.headers["ratelimit-reset"] == refused.headers["retry-after"]
        tried = {int(a.headers["ratelimit-remaining"]) for a in answers if a.status_code == 401}
        assert tried == {0, 1, 2, 3, 4}
        until_allowed_by_nginx()


def test_twenty_an_address_pass(limited: Running, few: People) -> None:
    answers = [login(few.nobody, unique("nobody"), "wrong", "198.51.100.1").status_code for _ in range(22)]
    assert answers == [401] * 20 + [429] * 2
    until_allowed_by_nginx()
    assert login(few.nobody, unique("nobody"), "wrong", "198.51.100.2").status_code == 401


def test_what_an_ipv6_customer_has_counts_as_one(limited: Running, few: People) -> None:
    found = [
        login(few.nobody, unique("nobody"), "wrong", f"2001:db8:0:1::{n:x}").status_code for n in range(22)
    ]
    assert found == [401] * 20 + [429] * 2
    until_allowed_by_nginx()


def test_failures_in_a_row_cost_a_wait_and_a_success_forgets_them(limited: Running, few: People) -> None:
    name, address = add(few.admin)["username"], "203.0.113.7"
    key = f"appliance:failures:login:{name}:{address}"
    for _ in range(4):
        assert login(few.nobody, name, "wrong", address).status_code == 401
    good = login(few.nobody, name, PASSWORD, address)
    assert good.status_code == 200
    assert (good.headers["ratelimit-limit"], good.headers["ratelimit-remaining"]) == ("5", "0")
    assert redis(limited, "EXISTS", key) == "0"
    redis(limited, "DEL", f"appliance:bucket:login:{name}")
    for _ in range(5):
        assert login(few.nobody, name, "wrong", address).status_code == 401
    redis(limited, "DEL", f"appliance:bucket:login:{name}")
    blocked = login(few.nobody, name, PASSWORD, address)
    assert blocked.status_code == 429, "even the right password waits"
    assert 12 <= int(blocked.headers["retry-after"]) <= 15
    assert login(few.nobody, name, PASSWORD, "203.0.113.8").status_code == 200, (
        "the owner, elsewhere, does not"
    )
    redis(limited, "HSET", key, "failures", "30")
    redis(limited, "HSET", key, "until", "0")
    assert login(few.nobody, name, "wrong", address).status_code == 401
    assert 880 < int(login(few.nobody, name, PASSWORD, address).headers["retry-after"]) <= 900


def test_a_stolen_session_cannot_guess_the_password(limited: Running, few: People) -> None:
    body = {"current_password": "wrong", "new_password": "another good one"}
    answers = [few.bob.post("/auth/password", json=body).status_code for _ in range(7)]
    assert answers == [403] * 5 + [429] * 2


def from_address(address: str, **more: str) -> dict[str, str]:
    return {"x-forwarded-for": address, "x-forwarded-proto": "https", **more}


def test_strangers_answers_files_and_drafts_count_by_form_and_address(limited: Running, few: People) -> None:
    """Each by itself, and nobody pays for another form or another address."""
    form_id, other_id = form_with_files(few.alice), form_with_files(few.alice)
    until_allowed_by_nginx()

    def submit_to(form: str, address: str) -> httpx.Response:
        body: dict[str, Any] = {"data": {}}
        path = f"/api/v1/forms/{form}/responses"
        return few.nobody.post(path, json=body, headers=from_address(address))

    def upload_to(form: str, address: str) -> httpx.Response:
        headers = from_address(address, **{"content-type": "text/plain"})
        path = f"/api/v1/forms/{form}/files?question=photos"
        return few.nobody.post(path, content=b"x", headers=headers)

    def save_to(form: str, address: str) -> httpx.Response:
        body: dict[str, Any] = {"data": {}}
        path = f"/api/v1/forms/{form}/partial/{new_token()}"
        return few.nobody.put(path, json=body, headers=from_address(address))

    for what, call, limit, window in (
        ("submit", submit_to, 60, 60),
        ("upload", upload_to, 60, 60),
        ("partial", save_to, 120, 60),
    ):
        first = call(form_id, "192.0.2.61")
        assert first.status_code == 201
        assert first.headers["ratelimit-limit"] == str(limit)
        full = str(time.time_ns() // 1000 + window * 1_000_000)
        redis(limited, "SET", f"appliance:bucket:{what}:{form_id}:192.0.2.61", full)
        refused = call(form_id, "192.0.2.61")
        assert refused.status_code == 429 and 1 <= int(refused.headers["retry-after"]) <= 1
        assert call(form_id, "192.0.2.62").status_code == 201
        assert call(other_id, "192.0.2.61").status_code == 201
        until_allowed_by_nginx()


def test_answers_by_the_page_count_as_others_do(limited: Running, few: People) -> None:
    form_id = publish(few.alice, public=True)
    slug = few.alice.get(f"/api/v1/forms/{form_id}").json()["slug"]
    until_allowed_by_nginx()
    headers = from_address("192.0.2.65")
    first = few.nobody.post(f"/f/{slug}", data={"name": "Ada"}, headers=headers)
    assert (first.status_code, first.headers["ratelimit-limit"]) == (303, "60")
    full = str(time.time_ns() // 1000 + 60_000_000)
    redis(limited, "SET", f"appliance:bucket:submit:{form_id}:192.0.2.65", full)
    plain = few.nobody.post(f"/f/{slug}", data={"name": "Ada"}, headers=headers)
    as_json = few.nobody.post(f"/f/{slug}", json={"data": {"name": "Ada"}}, headers=headers)
    for answer, kind in ((plain, "text/html; charset=utf-8"), (as_json, "application/problem+json")):
        assert (answer.status_code, answer.headers["content-type"]) == (429, kind)
        assert int(answer.headers["retry-after"]) >= 1


def test_a_pin_cannot_be_guessed(limited: Running, few: People) -> None:
    """By no way in; the others are let in meanwhile, also those who come from there with the right one."""
    form_id = form_with_files(few.alice, pin="4711")
    path = f"/api/v1/forms/{form_id}"

    def read(pin: str, address: str) -> int:
        return few.nobody.get(path, headers=from_address(address, **{"x-form-pin": pin})).status_code

    until_allowed_by_nginx()
    with ThreadPoolExecutor(12) as pool:
        codes = list(pool.map(lambda n: read(f"{n:04}", "192.0.2.71"), range(20)))
    assert codes.count(403) <= 10 and set(codes) == {403, 429}
    until_allowed_by_nginx()
    guess = from_address("192.0.2.71", **{"x-form-pin": "0815"})
    body: dict[str, Any] = {"data": {}}
    for answer in (
        few.nobody.get(path, headers=guess),
        few.nobody.post(f"{path}/responses", json=body, headers=guess),
        few.nobody.put(f"{path}/partial/{new_token()}", json=body, headers=guess),
        few.nobody.post(f"{path}/files?question=photos", content=b"x", headers=guess),
    ):
        assert answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1
    assert [read(f"900{n}", "192.0.2.72") for n in range(5)] == [403] * 5
    redis(limited, "DEL", f"appliance:bucket:pin:{form_id}:192.0.2.72")
    assert read("9005", "192.0.2.72") == 429, "five in a row cost a wait"
    assert {read("4711", "192.0.2.73") for _ in range(24)} == {200}


def test_without_redis_all_still_holds(limited: Running, few: People) -> None:
    """Limits per process; sessions and keys that end are out at once, and so it stays after 30 s."""
    until_allowed_by_nginx()
    user = add(few.admin)
    tokens = [
        login(few.nobody, user["username"], PASSWORD, f"192.0.2.{200 + n}").json()["token"] for n in range(3)
    ]
    with limited.client(tokens[0]) as client:
        key = add_key(client, "forms:read")
    assert command(limited, "supervisorctl", "stop", "redis").returncode == 0
    try:
        until(lambda: few.nobody.get("/readyz").json()["status"] == "degraded", what="without redis")
        processes = sum(program.name.startswith("api-") for program in supervisor.ask(limited.paths))
        answers = [
            login(few.nobody, "alice", "wrong", "192.0.2.250").status_code for _ in range(5 * processes + 3)
        ]
        assert 5 <= answers.count(401) <= 5 * processes
        assert set(answers) == {401, 429}
        until_allowed_by_nginx()
        started = time.monotonic()
        with limited.client(tokens[0]) as client:
            assert client.post("/auth/logout").status_code == 204
            assert statuses(limited, tokens[0], count=8) == {401}
        assert few.admin.delete(f"/api/v1/api-keys/{key['key_id']}").status_code == 204
        assert statuses(limited, key["key"], count=8) == {401}
        assert statuses(limited, tokens[1], count=8) == {200}
        until_allowed_by_nginx()
        path = f"/api/v1/users/{user['user_id']}"
        assert few.admin.patch(path, json={"status": "disabled"}).status_code == 200
        assert statuses(limited, tokens[1], count=8) == {401}
        while time.monotonic() - started < 30:
            assert statuses(limited, tokens[1], count=3) == {401}
            time.sleep(2)
        assert statuses(limited, token_of(few.alice), count=4) == {200}
    finally:
        command(limited, "supervisorctl", "start", "redis")
    until(lambda: few.nobody.get("/readyz").json()["status"] == "ready", what="with redis")


def redis(appliance: Running, *words: str) -> str:
    with Redis.from_url(addresses.redis_url(appliance.settings), decode_responses=True) as client:
        return str(client.execute_command(*words))
