from __future__ import annotations

from tests.api.forms import publish, submit
from tests.api.uploads import PNG, form_with_files, new_token, upload
from tests.people import People

HERE, THERE = "https://here.example.org", "https://there.example.org"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}


def test_by_default_no_other_origin_is_let_in(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    for path in (f"/api/v1/forms/{form_id}", "/api/v1/forms", "/healthz"):
        answer = cast.alice.get(path, headers={"origin": HERE})
        assert "access-control-allow-origin" not in answer.headers
    preflight = cast.nobody.options("/auth/login", headers={"origin": HERE, **PREFLIGHT})
    assert "access-control-allow-origin" not in preflight.headers


def test_a_public_form_opens_its_routes_to_its_origins(cast: People) -> None:
    form_id = form_with_files(cast.alice, origins=[HERE])
    path = f"/api/v1/forms/{form_id}"
    for _ in range(2):  # the second may come from nginx
        seen = cast.nobody.get(path, headers={"origin": HERE})
        assert seen.headers["access-control-allow-origin"] == HERE
        assert "Origin" in seen.headers["vary"]
        other = cast.nobody.get(path, headers={"origin": THERE})
        assert "access-control-allow-origin" not in other.headers
        assert "access-control-allow-origin" not in cast.nobody.get(path).headers
    preflight = cast.nobody.options(f"{path}/responses", headers={"origin": HERE, **PREFLIGHT})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == HERE
    assert "content-type" in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in preflight.headers
    body = {"data": {"name": "Ada"}}
    answered = cast.nobody.post(f"{path}/responses", json=body, headers={"origin": HERE})
    assert (answered.status_code, answered.headers["access-control-allow-origin"]) == (201, HERE)
    file = upload(cast.nobody, form_id, origin=HERE)
    assert (file.status_code, file.headers["access-control-allow-origin"]) == (201, HERE)
    token = new_token()
    half = {"data": {"photos": [{"content": file.json()["content"]}]}}
    kept = cast.nobody.put(f"{path}/partial/{token}", json=half, headers={"origin": HERE})
    assert (kept.status_code, kept.headers["access-control-allow-origin"]) == (201, HERE)
    shown = {"x-partial-token": token, "origin": HERE}
    got = cast.nobody.get(file.json()["content"], headers=shown)
    assert (got.content, got.headers["access-control-allow-origin"]) == (PNG, HERE)
    assert "x-partial-token" in preflight.headers["access-control-allow-headers"]
    versions = cast.alice.get(f"{path}/versions", headers={"origin": HERE})
    assert "access-control-allow-origin" not in versions.headers, "only the public routes"


def test_origins_of_a_form_that_is_not_public_open_nothing(cast: People) -> None:
    form_id = publish(cast.alice, origins=[HERE])
    answer = cast.alice.get(f"/api/v1/forms/{form_id}", headers={"origin": HERE})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
    assert submit(cast.alice, form_id).status_code == 201
