"""Sessions, passwords and accounts, and that what ends is out in every API process."""

from __future__ import annotations

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.api.accounts import add, add_key, command, signed_in, statuses, token_of
from tests.api.forms import errors
from tests.people import PASSWORD, People
from tests.running import Running, unique

NEW = "another good password"


def change_password(client: httpx.Client, current: str = PASSWORD, new: str = NEW) -> httpx.Response:
    return client.post("/auth/password", json={"current_password": current, "new_password": new})


def login_status(cast: People, username: str, password: str) -> int:
    return cast.nobody.post("/auth/login", json={"username": username, "password": password}).status_code


def test_me(appliance: Running, cast: People) -> None:
    me = cast.alice.get("/auth/me").json()
    assert (me["username"], me["roles"], me["status"]) == ("alice", ["editor"], "active")
    assert set(me) == {"user_id", "username", "roles", "status", "created_at", "last_login_at"}
    assert cast.nobody.get("/auth/me").status_code == 401


def test_logout_ends_this_session_everywhere_and_no_other(appliance: Running, cast: People) -> None:
    name = add(cast.admin)["username"]
    with signed_in(appliance, name) as gone, signed_in(appliance, name) as stays:
        assert statuses(appliance, token_of(gone)) == {200}
        answer = gone.post("/auth/logout")
        assert (answer.status_code, answer.content) == (204, b"")
        assert statuses(appliance, token_of(gone)) == {401}, "at once, in each process"
        assert gone.post("/auth/logout").status_code == 401
        assert statuses(appliance, token_of(stays)) == {200}


def test_sessions_that_end_at_once_all_end(appliance: Running, cast: People) -> None:
    name = add(cast.admin)["username"]
    clients = [appliance.client(appliance.login(name, PASSWORD)) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda client: client.post("/auth/logout"), clients))
    assert [answer.status_code for answer in answers] == [204] * 8
    for client in clients:
        assert client.get("/auth/me").status_code == 401
        client.close()


def test_a_new_password_ends_the_other_sessions(appliance: Running, cast: People) -> None:
    name = add(cast.admin)["username"]
    with signed_in(appliance, name) as here, signed_in(appliance, name) as there:
        answer = change_password(here)
        assert answer.status_code == 200
        assert answer.json()["username"] == name
        assert statuses(appliance, token_of(there)) == {401}
        assert statuses(appliance, token_of(here)) == {200}
        assert login_status(cast, name, PASSWORD) == 401
        assert login_status(cast, name, NEW) == 200
        assert change_password(here, NEW, PASSWORD).status_code == 200, "the spared session is spared again"
        assert here.post("/auth/logout").status_code == 204
        assert statuses(appliance, token_of(here)) == {401}, "spared, but it can be ended"


def test_a_password_needs_the_current_one_and_must_be_good(appliance: Running, cast: People) -> None:
    name = add(cast.admin)["username"]
    with signed_in(appliance, name) as client:
        assert change_password(client, current="wrong").status_code == 403
        assert change_password(client, new="short").status_code == 400
        for bad in (name, name.upper(), "qwertyuiop", "PASSWORD123", "zzzzzzzzzzzz"):
            answer = change_password(client, new=bad)
            assert answer.status_code == 422
            assert set(errors(answer)) == {"/new_password"}
        assert change_password(client, current="x" * 1025).status_code == 400
    assert login_status(cast, name, PASSWORD) == 200


def test_forgot_tells_nothing(cast: People) -> None:
    answers = [
        cast.nobody.post("/auth/forgot", json={"username": name}) for name in ("alice", "no-such-person")
    ]
    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[0].json()["detail"] == answers[1].json()["detail"]
    assert "appliance user reset" in answers[0].json()["detail"]


def test_an_invited_account_sets_its_password_once(appliance: Running, cast: People) -> None:
    body = {"username": unique("guest"), "roles": ["viewer"], "email": "guest@example.org"}
    made = cast.admin.post("/api/v1/users", json=body).json()
    assert made["status"] == "invited"
    assert login_status(cast, made["username"], PASSWORD) == 401
    reset = {"token": made["reset_token"], "new_password": NEW}
    bad = cast.nobody.post("/auth/reset", json={**reset, "new_password": "qwertyuiop"})
    assert bad.status_code == 422, "a bad password does not use the token up"
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: cast.nobody.post("/auth/reset", json=reset).status_code, range(6)))
    assert sorted(answers) == [200] + [403] * 5
    assert login_status(cast, made["username"], NEW) == 200
    assert "reset_token" not in cast.admin.get(f"/api/v1/users/{made['user_id']}").json()


@pytest.mark.parametrize("token", ["", "rt_", "rt_x_y", "abc", "rt__", "rt_\u0000_x", "ü" * 100])
def test_a_token_that_is_none(cast: People, token: str) -> None:
    answer = cast.nobody.post("/auth/reset", json={"token": token, "new_password": NEW})
    assert answer.status_code == (400 if token == "" else 403)


def test_a_token_expires_and_a_later_one_replaces_it(appliance: Running, cast: People) -> None:
    made = cast.admin.post("/api/v1/users", json={"username": unique("guest"), "roles": ["viewer"]}).json()
    newer = command(appliance, "user", "reset", made["username"])
    assert newer.returncode == 0, newer.stderr
    old = {"token": made["reset_token"], "new_password": NEW}
    assert cast.nobody.post("/auth/reset", json=old).status_code == 403
    token = newer.stdout.split("token  ")[1].split()[0]
    with appliance.database() as client:
        users = client.get_default_database("appliance").users
        row = users.find_one({"_id": made["user_id"]})
        secret = token.partition(f"{made['user_id']}_")[2]
        assert row is not None and secret and secret not in str(row), "only a hash is kept"
        past = {**row["reset"], "expires_at": row["created_at"]}
        users.update_one({"_id": made["user_id"]}, {"$set": {"reset": past}})
        assert cast.nobody.post("/auth/reset", json={**old, "token": token}).status_code == 403
        users.update_one({"_id": made["user_id"]}, {"$set": {"reset": row["reset"]}})
    assert cast.nobody.post("/auth/reset", json={**old, "token": token}).status_code == 200


def test_users_are_for_admins(cast: People) -> None:
    alice = cast.alice.get("/auth/me").json()["user_id"]
    body = {"username": unique("x"), "password": PASSWORD, "roles": ["admin"]}
    for client, status in ((cast.nobody, 401), (cast.charlie, 403), (cast.bob, 403)):
        assert client.get("/api/v1/users").status_code == status
        assert client.post("/api/v1/users", json=body).status_code == status
        assert client.get(f"/api/v1/users/{alice}").status_code == status
        assert client.patch(f"/api/v1/users/{alice}", json={"roles": ["admin"]}).status_code == status
    assert cast.admin.get("/api/v1/users/absent").status_code == 404
    assert cast.admin.patch("/api/v1/users/absent", json={"roles": ["viewer"]}).status_code == 404


@pytest.mark.parametrize(
    "change, status, path",
    [
        ({"username": {"$gt": ""}}, 400, "/username"),
        ({"username": "a b"}, 400, "/username"),
        ({"username": "anna\n"}, 400, "/username"),
        ({"username": "x"}, 400, "/username"),
        ({"password": "short"}, 400, "/password"),
        ({"password": "qwertyuiop"}, 422, "/password"),
        ({"roles": []}, 400, "/roles"),
        ({"roles": ["root"]}, 400, "/roles/0"),
        ({"email": "nowhere"}, 400, "/email"),
        ({"status": "active"}, 400, "/status"),
        ({"session_version": 5}, 400, "/session_version"),
    ],
)
def test_an_account_that_is_not_valid(cast: People, change: dict[str, Any], status: int, path: str) -> None:
    body = {"username": unique("user"), "password": PASSWORD, "roles": ["viewer"], **change}
    answer = cast.admin.post("/api/v1/users", json=body)
    assert answer.status_code == status
    assert set(errors(answer)) == {path}


def test_a_name_is_taken_once(cast: People) -> None:
    name = unique("Twin")
    body = {"username": name, "password": PASSWORD, "roles": ["viewer"]}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: cast.admin.post("/api/v1/users", json=body), range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    assert cast.admin.post("/api/v1/users", json={**body, "username": name.upper()}).status_code == 409
    made = next(answer for answer in answers if answer.status_code == 201)
    assert made.headers["location"] == f"/api/v1/users/{made.json()['user_id']}"
    assert PASSWORD not in made.text
    found = cast.admin.get("/api/v1/users", params={"q": name[2:].upper()}).json()["users"]
    assert [user["username"] for user in found] == [name.lower()]


def test_a_repeated_request_makes_one_account(appliance: Running, cast: People) -> None:
    body = {"username": unique("guest"), "roles": ["viewer"]}
    headers = {"idempotency-key": unique("key")}
    with ThreadPoolExecutor(4) as pool:
        send = lambda _: cast.admin.post("/api/v1/users", json=body, headers=headers)  # noqa: E731
        answers = list(pool.map(send, range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({(answer.json()["user_id"], answer.json()["reset_token"]) for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 3
    other = cast.admin.post("/api/v1/users", json={**body, "roles": ["editor"]}, headers=headers)
    assert other.status_code == 422
    with appliance.database() as client:
        kept = str(list(client.get_default_database("appliance").idempotency.find()))
    assert answers[0].json()["user_id"] in kept
    assert answers[0].json()["reset_token"] not in kept


def test_a_disabled_user_is_out_with_sessions_and_keys(appliance: Running, cast: People) -> None:
    user = add(cast.admin)
    path = f"/api/v1/users/{user['user_id']}"
    with signed_in(appliance, user["username"]) as client:
        key = add_key(client, "forms:read")["key"]
        assert statuses(appliance, key) == statuses(appliance, token_of(client)) == {200}
        answer = cast.admin.patch(path, json={"status": "disabled"})
        assert (answer.status_code, answer.json()["status"]) == (200, "disabled")
        assert statuses(appliance, token_of(client)) == statuses(appliance, key) == {401}
        refused = cast.nobody.post("/auth/login", json={"username": user["username"], "password": PASSWORD})
        assert refused.json()["detail"] == "The username or the password is wrong."
        assert command(appliance, "user", "reset", user["username"]).returncode == 2
        assert cast.admin.patch(path, json={"status": "active"}).json()["status"] == "active"
        assert login_status(cast, user["username"], PASSWORD) == 200
        assert statuses(appliance, token_of(client)) == statuses(appliance, key) == {401}, "ended for good"


def test_roles_hold_at_once(appliance: Running, cast: People) -> None:
    user = add(cast.admin, "viewer")
    path = f"/api/v1/users/{user['user_id']}"
    with signed_in(appliance, user["username"]) as client:
        assert client.get("/api/v1/users").status_code == 403
        assert cast.admin.patch(path, json={"roles": ["admin"]}).status_code == 200
        assert statuses(appliance, token_of(client), path="/api/v1/users") == {200}
        assert cast.admin.patch(path, json={"roles": ["viewer"]}).status_code == 200
        assert statuses(appliance, token_of(client), path="/api/v1/users") == {403}


def test_a_change_needs_the_revision_that_was_read(cast: People) -> None:
    path = f"/api/v1/users/{add(cast.admin)['user_id']}"
    tag = cast.admin.get(path).headers["etag"]
    headers = {"if-match": tag}
    changed = cast.admin.patch(path, json={"email": "a@example.org"}, headers=headers)
    assert changed.json()["email"] == "a@example.org"
    assert cast.admin.patch(path, json={"email": None}, headers=headers).status_code == 412
    assert "email" not in cast.admin.patch(path, json={"email": None}).json()


def test_one_admin_is_always_left(appliance: Running, cast: People) -> None:
    """Of all admins, who disable and demote each other at once, one stays."""
    with signed_in(appliance, "admin", appliance.admin_password) as admin:
        rows = admin.get("/api/v1/users", params={"limit": 200}).json()["users"]
        for row in rows:
            if "admin" in row["roles"] and row["username"] != "admin":
                admin.patch(f"/api/v1/users/{row['user_id']}", json={"roles": ["viewer"]})
        me = admin.get("/auth/me").json()["user_id"]
        for change in ({"status": "disabled"}, {"roles": ["editor"]}):
            assert admin.patch(f"/api/v1/users/{me}", json=change).status_code == 409
        for turn in range(4):
            other = add(admin, "admin", "editor")
            with signed_in(appliance, other["username"]) as second, ThreadPoolExecutor(2) as pool:
                change = {"roles": ["viewer"]} if turn % 2 else {"status": "disabled"}
                paths = (f"/api/v1/users/{other['user_id']}", f"/api/v1/users/{me}")
                start = threading.Barrier(2)

                def end(client: httpx.Client, path: str) -> int:
                    start.wait()  # noqa: B023
                    return client.patch(path, json=change).status_code  # noqa: B023

                # Each demotes the other one.
                done = [pool.submit(end, admin, paths[0]), pool.submit(end, second, paths[1])]
                answers = [each.result() for each in done]
            assert sorted(answers)[0] == 200, answers
            assert sorted(answers)[1] in (401, 403, 409), answers
            if answers[1] == 200:  # the first admin is out: by the operator's way back in
                with signed_in(appliance, other["username"]) as second:
                    back = {"roles": ["admin"]} if turn % 2 else {"status": "active"}
                    assert second.patch(paths[1], json=back).status_code == 200
                    assert second.patch(paths[0], json={"roles": ["viewer"]}).status_code == 200
                admin.headers["authorization"] = f"Bearer {appliance.login()}"
    cast.admin.headers["authorization"] = f"Bearer {appliance.login()}"  # the old session may have ended


def test_a_change_by_another_way_holds_within_5_seconds(appliance: Running, cast: People) -> None:
    """Straight in the database, as another machine would: no process is told of it."""
    user = add(cast.admin)
    with signed_in(appliance, user["username"]) as client, appliance.database() as database:
        token = token_of(client)
        assert statuses(appliance, token) == {200}
        users = database.get_default_database("appliance").users
        users.update_one({"_id": user["user_id"]}, {"$set": {"status": "disabled"}})
        started = time.monotonic()
        while 200 in statuses(appliance, token, count=6):
            assert time.monotonic() - started < 5
        time.sleep(0.5)
        assert statuses(appliance, token) == {401}


def test_unknown_wrong_and_disabled_take_the_same_time(appliance: Running, cast: People) -> None:
    disabled = add(cast.admin)
    cast.admin.patch(f"/api/v1/users/{disabled['user_id']}", json={"status": "disabled"})
    people = {"unknown": unique("nobody"), "wrong": "alice", "disabled": disabled["username"]}
    times: dict[str, list[float]] = {name: [] for name in people}
    bodies = set()
    for _ in range(25):
        for name, username in people.items():
            password = PASSWORD if name == "disabled" else "wrong password"
            started = time.perf_counter()
            answer = cast.nobody.post("/auth/login", json={"username": username, "password": password})
            times[name].append(time.perf_counter() - started)
            bodies.add((answer.status_code, answer.json()["detail"], answer.json()["type"]))
    assert len(bodies) == 1
    medians = [statistics.median(found) for found in times.values()]
    assert min(medians) > 0.005, "each does the work of a hash"
    assert max(medians) < 1.5 * min(medians), times


def test_many_sign_in_at_once(appliance: Running, cast: People) -> None:
    name = add(cast.admin)["username"]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: login_status(cast, name, PASSWORD), range(40)))
    assert answers == [200] * 40
