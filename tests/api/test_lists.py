from __future__ import annotations

import threading
from random import Random

import pytest

from tests.api.forms import errors, publish, submit, walk
from tests.people import People
from tests.running import Running


@pytest.fixture(scope="module")
def form_id(cast: People) -> str:
    """240 responses: age 0 … 239 % 100, Oslo each third, tea each tenth."""
    form_id = publish(cast.alice, public=True)
    for number in range(240):
        likes = ["tea", "water"] if number % 10 == 0 else ["water"]
        answer = submit(
            cast.nobody, form_id, age=number % 100, city=("Oslo", "Rome", "Lima")[number % 3], likes=likes
        )
        assert answer.status_code == 201
    return form_id


def _path(form_id: str) -> str:
    return f"/api/v1/forms/{form_id}/responses"


def test_newest_first_each_once(cast: People, form_id: str) -> None:
    rows = walk(cast.alice, _path(form_id), "responses", limit=7)
    assert len({row["response_id"] for row in rows}) == len(rows) == 240
    assert [row["data"]["age"] for row in rows] == [number % 100 for number in range(239, -1, -1)]


def test_a_full_page_is_full(cast: People, form_id: str) -> None:
    page = cast.alice.get(_path(form_id)).json()
    assert len(page["responses"]) == 50
    assert page["next_cursor"] is not None


@pytest.mark.parametrize("limit", [1, 10, 200])
def test_filters(cast: People, form_id: str, limit: int) -> None:
    def filtered(**filters: str) -> int:
        names = {f"filter.{name}": value for name, value in filters.items()}
        return len(walk(cast.alice, _path(form_id), "responses", limit=limit, **names))

    assert filtered(city="Oslo") == 80
    assert filtered(age="7") == 3
    assert filtered(likes="tea") == 24
    assert filtered(city="Oslo", likes="tea") == 8
    assert filtered(city="Paris") == 0


def test_a_filter_that_is_none_is_refused(cast: People, form_id: str) -> None:
    answer = cast.alice.get(_path(form_id), params={"filter.nonsense": "x"})
    assert answer.status_code == 400
    for unknown in (
        {"form": "x"},
        {"filter.city": "Oslo", "limits": "5"},
        {"status": "new"},
        {"from": "monday"},
    ):
        assert cast.alice.get(_path(form_id), params=unknown).status_code == 400
    assert cast.alice.get(f"{_path(form_id)}?filter.city=Oslo&filter.city=Rome").status_code == 400


def test_time_bounds_include_their_ends(cast: People, form_id: str) -> None:
    rows = walk(cast.alice, _path(form_id), "responses")[::-1]
    times = [row["created_at"] for row in rows]
    assert times == sorted(times)
    for first, last in ((0, 239), (10, 20), (100, 100), (0, 0), (239, 239)):
        wanted = [row["response_id"] for row in rows if times[first] <= row["created_at"] <= times[last]]
        bounds = {"from": times[first], "to": times[last]}
        found = walk(cast.alice, _path(form_id), "responses", limit=9, **bounds)
        assert [row["response_id"] for row in found[::-1]] == wanted
    assert walk(cast.alice, _path(form_id), "responses", to="2020-01-01T00:00:00Z") == []
    assert walk(cast.alice, _path(form_id), "responses", **{"from": "2100-01-01T00:00:00Z"}) == []
    assert len(walk(cast.alice, _path(form_id), "responses", **{"from": "2020-01-01T00:00:00+02:00"})) == 240


def test_time_bounds_hold_where_rows_are_missing(appliance: Running, cast: People) -> None:
    """Refused, purged or never written: numbers without rows must hide nothing."""
    form_id = publish(cast.alice, public=True)
    for number in range(120):
        submit(cast.nobody, form_id, age=number)
    random = Random(7)
    with appliance.database() as client:
        rows = client.get_default_database("appliance").responses
        gaps = [seq for first in (1, 20, 60, 99) for seq in range(first, first + random.randrange(5, 22))]
        assert rows.delete_many({"form_id": form_id, "seq": {"$in": gaps}}).deleted_count > 20
    left = walk(cast.alice, _path(form_id), "responses", to="9999-12-31T23:59:59Z")
    times = sorted(row["created_at"] for row in left)
    assert len(left) == 120 - len(set(gaps))
    for _ in range(25):
        first, last = sorted(random.choices(times, k=2))
        wanted = {row["response_id"] for row in left if first <= row["created_at"] <= last}
        found = walk(cast.alice, _path(form_id), "responses", limit=30, **{"from": first, "to": last})
        assert {row["response_id"] for row in found} == wanted
        assert len(found) == len(wanted)


@pytest.mark.parametrize(
    "bound",
    [
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "2026-W01-1T00:00:00Z",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-13-01T00:00:00Z",
        "monday",
        "",
    ],
)
def test_a_time_bound_that_is_none_is_refused(cast: People, form_id: str, bound: str) -> None:
    answer = cast.alice.get(_path(form_id), params={"to": bound})
    assert answer.status_code == 400
    assert list(errors(answer)) == ["/to"]


def test_extreme_time_bounds_are_bounds(cast: People, form_id: str) -> None:
    for bounds in ({"to": "9999-12-31T23:59:59.999Z"}, {"from": "0001-01-01T00:00:00z"}):
        assert len(walk(cast.alice, _path(form_id), "responses", limit=200, **bounds)) == 240


def test_a_cursor_is_good_for_its_own_list_only(cast: People, form_id: str) -> None:
    cursor = cast.alice.get(_path(form_id), params={"limit": 5}).json()["next_cursor"]
    assert cast.alice.get(_path(form_id), params={"cursor": cursor}).status_code == 200
    other = cast.alice.get(_path(form_id), params={"cursor": cursor, "filter.city": "Oslo"})
    assert other.status_code == 400
    forged = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    assert cast.alice.get(_path(form_id), params={"cursor": forged}).status_code == 400


def test_a_walk_while_responses_arrive(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    before = [submit(cast.nobody, form_id, age=1).json()["response_id"] for _ in range(60)]
    stop = threading.Event()

    def add() -> None:
        while not stop.is_set():
            submit(cast.nobody, form_id, age=2)

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        walked = [row["response_id"] for row in walk(cast.alice, _path(form_id), "responses", limit=3)]
        assert len(set(walked)) == len(walked)
        assert walked[-60:] == before[::-1]
    stop.set()
    for thread in threads:
        thread.join()


def test_one_response(cast: People, form_id: str) -> None:
    row = cast.alice.get(_path(form_id), params={"limit": 1}).json()["responses"][0]
    assert cast.alice.get(f"{_path(form_id)}/{row['response_id']}").json() == row
    other = publish(cast.alice)
    assert cast.alice.get(f"{_path(other)}/{row['response_id']}").status_code == 404, "of another form"
    assert errors(cast.alice.get(f"{_path(form_id)}/absent")) == {}
