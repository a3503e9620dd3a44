"""Limits on signing in, in an appliance that has them on; with Redis, and without."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from redis import Redis

from appliance import addresses
from appliance.ops import supervisor
from tests import people
from tests.api.accounts import add, add_key, command, statuses, token_of
from tests.people import PASSWORD, People
from tests.running import Running, running, unique
from tests.runtime.servers import until


@pytest.fixture(scope="module")
def limited() -> Iterator[Running]:
    with running(RATE_LIMIT="on", APPLIANCE_TRUSTED_PROXIES="127.0.0.1/32") as started:
        yield started


@pytest.fixture(scope="module")
def few(limited: Running) -> Iterator[People]:
    gathered = people.gather(limited)
    yield gathered
    gathered.close()


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
