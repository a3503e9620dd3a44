from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from appliance.clock import rfc3339, utc_now
from tests.api.forms import create, errors, publish, walk
from tests.people import People
from tests.running import Running, unique


def make(client: httpx.Client, form_id: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/api/v1/forms/{form_id}/links", json=body)
    assert answer.status_code == 201, answer.text
    link: dict[str, Any] = answer.json()
    return link


def through(client: httpx.Client, form_id: str, token: str, key: str | None = None) -> httpx.Response:
    headers = {"x-form-link": token} | ({"idempotency-key": key} if key else {})
    body = {"data": {"name": "Ada"}}
    return client.post(f"/api/v1/forms/{form_id}/responses", json=body, headers=headers)


def test_a_link_opens_a_form_that_is_not_public(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    link = make(cast.alice, form_id, note="for the council")
    assert len(link["token"]) >= 43, "256 bits"
    slug = cast.alice.get(f"/api/v1/forms/{form_id}").json()["slug"]
    assert link["url"] == f"/f/{slug}?link={link['token']}"
    for client in (cast.nobody, cast.charlie):
        assert through(client, form_id, link["token"]).status_code == 201
        assert through(client, form_id, "x" * 43).status_code == 403
    by_query = cast.nobody.post(
        f"/api/v1/forms/{form_id}/responses", params={"link": link["token"]}, json={"data": {"name": "B"}}
    )
    assert by_query.status_code == 201
    assert through(cast.nobody, publish(cast.alice), link["token"]).status_code == 403, "another form"
    with appliance.database() as database:
        rows = list(database.get_default_database("appliance").links.find({"form_id": form_id}))
    assert link["token"] not in str(rows), "only its hash is kept"


def test_a_link_shows_the_questions_it_lets_answer(cast: People) -> None:
    form_id = publish(cast.alice)
    path, token = f"/api/v1/forms/{form_id}", make(cast.alice, form_id)["token"]
    for client in (cast.nobody, cast.charlie):
        by_header = client.get(path, headers={"x-form-link": token})
        by_query = client.get(path, params={"link": token})
        assert by_header.status_code == by_query.status_code == 200
        assert by_header.json() == by_query.json()
        assert by_header.json().keys() == {
            *"form_id slug title version definition settings pin_required".split()
        }
        assert "x-accel-expires" not in by_header.headers
        assert by_header.headers["cache-control"] == "private, no-cache"
        assert client.get(path, params={"link": "x" * 43}).status_code == 403
        assert client.get(path).status_code in (401, 404), "without it, it is as before"
    other = create(cast.alice)["form_id"]
    draft = cast.nobody.get(f"/api/v1/forms/{other}", params={"link": make(cast.alice, other)["token"]})
    assert draft.status_code == 401


def test_a_link_that_is_none_does_not_tell_what_exists(cast: People) -> None:
    body = {"data": {"name": "Ada"}}
    for client in (cast.nobody, cast.charlie):
        for form_id in (publish(cast.alice), "01890000-0000-7000-8000-000000000000"):
            path = f"/api/v1/forms/{form_id}"
            for answer in (
                client.post(f"{path}/responses", params={"link": "x"}, json=body),
                client.get(path, params={"link": "x"}),
            ):
                assert (answer.status_code, answer.json()["detail"]) == (
                    403,
                    "This link does not open the form, or not any more.",
                )


def test_a_draft_stays_closed_to_links(cast: People) -> None:
    form_id = create(cast.alice)["form_id"]
    link = make(cast.alice, form_id)
    assert through(cast.nobody, form_id, link["token"]).status_code == 404


def test_a_single_use_link_takes_one_response_of_twenty(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, one_per_person=True)
    token = make(cast.alice, form_id, single_use=True)["token"]

    def one(_: int) -> int:
        with appliance.client() as client:
            return through(client, form_id, token).status_code

    with ThreadPoolExecutor(20) as pool:
        codes = sorted(pool.map(one, range(20)))
    assert codes == [201] + [409] * 19
    other = make(cast.alice, form_id, single_use=True)["token"]
    assert through(cast.nobody, form_id, other).status_code == 201, "another link is another person"
    stored = walk(cast.alice, f"/api/v1/forms/{form_id}/responses", "responses")
    assert len(stored) == 2
    cast.alice.delete(f"/api/v1/forms/{form_id}/responses/{stored[0]['response_id']}")
    assert through(cast.nobody, form_id, other).status_code == 409, "a deleted response does not free it"


def test_a_used_link_answers_its_key_again(cast: People) -> None:
    form_id, key = publish(cast.alice), unique("key")
    token = make(cast.alice, form_id, single_use=True)["token"]
    first, again = (through(cast.nobody, form_id, token, key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert through(cast.nobody, form_id, token, unique("key")).status_code == 409


def test_expired_and_withdrawn_links_are_refused(cast: People) -> None:
    form_id = publish(cast.alice)
    path = f"/api/v1/forms/{form_id}/links"
    past = rfc3339(utc_now() - dt.timedelta(seconds=1))
    assert (
        through(cast.nobody, form_id, make(cast.alice, form_id, expires_at=past)["token"]).status_code == 403
    )
    link = make(cast.alice, form_id, expires_at=rfc3339(utc_now() + dt.timedelta(hours=1)))
    assert through(cast.nobody, form_id, link["token"]).status_code == 201
    assert cast.alice.delete(f"{path}/{link['link_id']}").status_code == 204
    assert through(cast.nobody, form_id, link["token"]).status_code == 403
    assert cast.alice.delete(f"{path}/{link['link_id']}").status_code == 404
    assert link["link_id"] not in [row["link_id"] for row in walk(cast.alice, path, "links")]


def test_links_are_listed_without_their_tokens(cast: People) -> None:
    form_id = publish(cast.alice)
    path = f"/api/v1/forms/{form_id}/links"
    made = [make(cast.alice, form_id, note=str(number)) for number in range(5)]
    listed = walk(cast.alice, path, "links", limit=2)
    assert [link["link_id"] for link in listed] == [link["link_id"] for link in made][::-1]
    assert all("token" not in link and "url" not in link for link in listed)
    for client, status in ((cast.nobody, 401), (cast.charlie, 404)):
        assert client.get(path).status_code == status
        assert client.post(path, json={}).status_code == status
        assert client.delete(f"{path}/{made[0]['link_id']}").status_code == status


def test_a_key_makes_one_link_and_shows_it_again(cast: People) -> None:
    form_id = publish(cast.alice)
    path, headers = f"/api/v1/forms/{form_id}/links", {"idempotency-key": unique("key")}
    first, again = (cast.alice.post(path, json={"note": "n"}, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert len(walk(cast.alice, path, "links")) == 1


def test_a_link_takes_what_the_contract_says(cast: People) -> None:
    path = f"/api/v1/forms/{publish(cast.alice)}/links"
    for body, place in (
        ({"expires_at": "tomorrow"}, "/expires_at"),
        ({"single_use": "yes"}, "/single_use"),
        ({"uses": 3}, "/uses"),
    ):
        answer = cast.alice.post(path, json=body)
        assert (answer.status_code, list(errors(answer))) == (400, [place])
    for moment in ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"):
        answer = cast.alice.post(path, json={"expires_at": moment})
        assert (answer.status_code, list(errors(answer))) == (422, ["/expires_at"])


def test_a_link_needs_a_body_but_nothing_in_it(cast: People) -> None:
    form_id = publish(cast.alice)
    path = f"/api/v1/forms/{form_id}/links"
    refused = cast.alice.post(path)
    assert (refused.status_code, refused.json()["detail"]) == (400, "A JSON body is needed.")
    made = cast.alice.post(path, json={})
    assert made.status_code == 201, made.text
    link = made.json()
    assert (link["single_use"], link["expires_at"], link["note"]) == (False, None, None)
    assert len(walk(cast.alice, path, "links")) == 1
