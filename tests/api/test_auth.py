from __future__ import annotations

import base64
import json
import socket
import time

import httpx
import jwt
import pytest

from tests.people import PASSWORD, People
from tests.running import Running


def test_login_gives_a_token_that_works(appliance: Running, cast: People) -> None:
    answer = cast.nobody.post("/auth/login", json={"username": "Alice", "password": PASSWORD})
    session = answer.json()
    assert answer.status_code == 200
    assert session["token_type"] == "Bearer"
    assert session["expires_in"] == 24 * 3600
    assert session["user"]["username"] == "alice"
    assert "password" not in answer.text.lower()
    claims = jwt.decode(session["token"], options={"verify_signature": False})
    assert set(claims) == {"user_id", "roles", "iat", "exp", "jti", "sv"}
    with appliance.client(session["token"]) as client:
        assert client.get("/api/v1/forms").status_code == 200


@pytest.mark.parametrize(
    "credentials",
    [
        {"username": "alice", "password": "wrong"},
        {"username": "nobody-of-this-name", "password": PASSWORD},
    ],
)
def test_unknown_user_and_wrong_password_look_the_same(cast: People, credentials: dict[str, str]) -> None:
    answer = cast.nobody.post("/auth/login", json=credentials)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "The username or the password is wrong."


@pytest.mark.parametrize(
    "body, path",
    [
        ({"username": {"$gt": ""}, "password": "x"}, "/username"),
        ({"username": "alice", "password": {"$gt": ""}}, "/password"),
        ({"username": "alice"}, "/password"),
        ({"username": "alice", "password": "x", "admin": True}, "/admin"),
        ({"username": 5, "password": "x"}, "/username"),
        (["alice"], ""),
    ],
)
def test_login_takes_two_strings(cast: People, body: object, path: str) -> None:
    answer = cast.nobody.post("/auth/login", json=body)
    assert answer.status_code == 400
    assert [error["path"] for error in answer.json()["errors"]] == [path]


def _key(appliance: Running, state: str) -> dict[str, str]:
    """A signing key of the ring."""
    ring = json.loads(appliance.paths.jwt_keys.read_text())
    found: dict[str, str] = next(key for key in ring if key["state"] == state)
    return found


def _token(
    appliance: Running,
    *,
    key: str | None = None,
    algorithm: str = "HS256",
    headers: dict[str, object] | None = None,
    **claims: object,
) -> str:
    """A token as the appliance makes it, but for what is given."""
    active = _key(appliance, "active")
    real = jwt.decode(appliance.login(), options={"verify_signature": False})
    told = {"kid": active["kid"], **(headers or {})}
    return jwt.encode({**real, **claims}, key or active["secret"], algorithm=algorithm, headers=told)


def _relabelled(token: str, **changes: object) -> str:
    """With another header over the same claims and signature."""
    head, body, signature = token.split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    changed = base64.urlsafe_b64encode(json.dumps({**header, **changes}).encode()).rstrip(b"=").decode()
    return f"{changed}.{body}.{signature}"


def _unsigned(token: str) -> str:
    _, body, _ = token.split(".")
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return f"{header}.{body}."


def test_forged_tokens_are_refused(appliance: Running) -> None:
    good = _token(appliance)
    with appliance.client(good) as client:
        assert client.get("/api/v1/forms").status_code == 200, "the corpus below must fail for its own reason"
    head, body, signature = good.split(".")
    forged = {
        "no signature": _unsigned(good),
        "another key": _token(appliance, key="k" * 48),
        "another kid": _token(appliance, headers={"kid": "0" * 16}),
        "no kid": _relabelled(good, kid=None),
        "a kid that is no text": _relabelled(good, kid=["x"]),
        "a kid that is a path": _token(appliance, headers={"kid": "../../dev/null"}, key="\0" * 32),
        "the kid of the next key": _token(appliance, headers={"kid": _key(appliance, "next")["kid"]}),
        "a kid of another key, relabelled": _relabelled(good, kid=_key(appliance, "next")["kid"]),
        "HS384": _token(appliance, algorithm="HS384", key=_key(appliance, "active")["secret"]),
        "HS512": _token(appliance, algorithm="HS512", key=_key(appliance, "active")["secret"]),
        "RS256 in name": _relabelled(good, alg="RS256"),
        "HS384 in name": _relabelled(good, alg="HS384"),
        "none in name, signed": _relabelled(good, alg="none"),
        "an algorithm that is no text": _relabelled(good, alg=["HS256"]),
        "crit that nobody knows": _token(appliance, headers={"crit": ["exp"], "exp": 1}),
        "a key of its own": _token(
            appliance,
            key="k" * 48,
            headers={"jku": "https://evil.example/k", "x5u": "https://evil.example/c"},
        ),
        "a key inside": _token(
            appliance,
            key="k" * 48,
            headers={"jwk": {"kty": "oct", "k": "a2tra2tra2tra2tra2tra2tra2tra2trawa"}},
        ),
        "expired": _token(appliance, exp=int(time.time()) - 120),
        "another session version": _token(appliance, sv=99),
        "another user": _token(appliance, user_id="somebody"),
        "a body that was changed": f"{head}.{body[:-2]}AA.{signature}",
        "a missing claim": jwt.encode({"user_id": "x"}, "k" * 48, algorithm="HS256"),
        "not a token": "abc",
        "not ASCII": "ü.ü.ü",
        "long": "a" * 6000,
    }
    statuses = {}
    for name, token in forged.items():
        with appliance.client() as client:
            headers = [(b"authorization", f"Bearer {token}".encode())]
            answer = client.get("/api/v1/forms", headers=httpx.Headers(headers))
            statuses[name] = (answer.status_code, answer.headers.get("www-authenticate"))
    assert statuses == dict.fromkeys(forged, (401, "Bearer"))


def test_a_key_address_in_a_header_is_not_followed(appliance: Running) -> None:
    """Ours are found by `kid` alone: a token that is right stays right, whatever addresses it names."""
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.3)
        address = f"http://127.0.0.1:{trap.getsockname()[1]}/keys"
        with appliance.client(_token(appliance, headers={"jku": address, "x5u": address})) as client:
            assert client.get("/api/v1/forms").status_code == 200
        with pytest.raises(TimeoutError):
            trap.accept()


def test_without_a_token_nothing_is_told(cast: People) -> None:
    for path in ("/api/v1/forms", "/api/v1/forms/whatever", "/api/v1/forms/whatever/responses"):
        assert cast.nobody.get(path).status_code == 401
    wrong_scheme = cast.nobody.get("/api/v1/forms", headers={"authorization": "Basic YTpi"})
    assert wrong_scheme.status_code == 401
