from __future__ import annotations

from typing import Any

import httpx

from tests.api.forms import create, publish, submit
from tests.people import People
from tests.running import Running
from tests.runtime.servers import until


def _state(answer: httpx.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.headers.get("x-cache")


def _until_hit(client: httpx.Client, path: str) -> httpx.Response:
    """Processes keep their own copies; the next of them finds Redis' one."""
    until(lambda: client.get(path).headers["x-cache"] == "HIT", 5, f"{path} is cached")
    return client.get(path)


def test_a_form_comes_from_the_cache_and_is_current(cast: People) -> None:
    path = f"/api/v1/forms/{create(cast.alice)['form_id']}"
    assert _state(cast.alice.get(path)) == (200, "MISS")
    kept = _until_hit(cast.alice, path)
    assert cast.alice.get(path, headers={"if-none-match": kept.headers["etag"]}).status_code == 304
    for number in range(20):
        assert cast.alice.patch(path, json={"title": f"title {number}"}).status_code == 200
        assert cast.alice.get(path).json()["title"] == f"title {number}"
    assert cast.alice.get(path, headers={"if-none-match": kept.headers["etag"]}).status_code == 200


def test_a_cached_body_is_only_for_those_who_may_see_it(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    path = f"/api/v1/forms/{form_id}"
    _until_hit(cast.alice, path)
    assert cast.charlie.get(path).status_code == 404
    assert cast.nobody.get(path).status_code == 401
    public = publish(cast.alice, public=True)
    _until_hit(cast.alice, f"/api/v1/forms/{public}")
    seen = cast.nobody.get(f"/api/v1/forms/{public}").json()
    assert "owner" not in seen


def test_the_first_page_is_current(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    path = f"/api/v1/forms/{form_id}/responses"

    def rows() -> list[dict[str, Any]]:
        return list(cast.alice.get(path).json()["responses"])

    assert rows() == []
    _until_hit(cast.alice, path)
    for number in range(1, 16):
        made = submit(cast.nobody, form_id).json()["response_id"]
        assert rows()[0]["response_id"] == made
        assert len(rows()) == number
    assert cast.charlie.get(path).status_code == 404


def test_a_public_form_is_right_within_a_second_of_a_publish(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    path = f"/api/v1/forms/{form_id}"
    until(lambda: cast.nobody.get(path).headers["x-cache"] == "HIT", 5)
    answer = cast.nobody.get(path)
    assert "public" in answer.headers["cache-control"]
    assert "x-accel-expires" not in answer.headers
    cast.alice.patch(path, json={"definition": {"elements": [{"type": "text", "name": "new"}]}})
    cast.alice.post(f"{path}/publish")
    until(lambda: cast.nobody.get(path).json()["version"] == 2, 1.5, "the new version is seen")
    cast.alice.patch(path, json={"settings": {"public": False}})
    until(lambda: cast.nobody.get(path).status_code == 401, 1.5, "no longer public")
