"""The named queries: who may ask what, of which questions, and how fresh the answer is."""

from __future__ import annotations

import csv
import datetime as dt
import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from appliance.addresses import Paths
from appliance.analytics import named
from appliance.analytics.tables import ACTIVITY
from tests.api.accounts import add_key
from tests.api.forms import create, errors, publish, submit
from tests.api.test_analytics import URL, ran
from tests.faults.steering import open_redis, stopped
from tests.people import People
from tests.running import Running


def ask(client: httpx.Client, name: str, form_id: str | None, **more: Any) -> httpx.Response:
    form = {} if form_id is None else {"form_id": form_id}
    return client.get(f"{URL}/queries/{name}", params={**form, **more})


def rows(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return list(answer.json()["rows"])


@pytest.fixture
def form_id(cast: People) -> str:
    """With three answers."""
    form_id = publish(cast.alice)
    for age, city, likes in ((20, "Oslo", ["tea"]), (30, "Oslo", ["tea", "water"]), (40, "Rome", [])):
        assert submit(cast.alice, form_id, age=age, city=city, likes=likes).status_code == 201
    return form_id


def test_queries_tell_their_parameters_and_columns(cast: People) -> None:
    listed = {one["name"]: one for one in cast.bob.get(f"{URL}/queries").json()["queries"]}
    assert set(listed) == set(named.queries())
    (period,) = listed["cohorts"]["parameters"]
    assert period["takes"] == ["day", "week", "month"] and period["default"] == "week"
    assert [one["name"] for one in listed["crosstab"]["parameters"]] == ["question", "by"]
    assert [one["name"] for one in listed["booleans"]["columns"]] == ["yes", "no", "missing", "share"]


def test_a_question_is_asked_about(cast: People, form_id: str) -> None:
    found = rows(ask(cast.alice, "choices", form_id, question="city"))
    assert [(row["answer"], row["responses"]) for row in found] == [("Oslo", 2), ("Rome", 1), ("Lima", 0)]
    (ages,) = rows(ask(cast.alice, "numbers", form_id, question="age"))
    assert (ages["min"], ages["p50"], ages["max"], ages["missing"]) == (20, 30, 40, 0)
    crossed = rows(ask(cast.alice, "crosstab", form_id, question="likes", by="city"))
    assert [(row["answer"], row["responses"]) for row in crossed] == [("tea", 2), ("water", 1)]
    assert len(rows(ask(cast.alice, "histogram", form_id, question="age", bins=4))) == 4


def test_a_choice_that_reads_as_no_number_spoils_none(cast: People) -> None:
    choices = ["1", "3", "NaN", "inf", "x"]
    elements = [{"type": "text", "name": "name"}, {"type": "radiogroup", "name": "size", "choices": choices}]
    form_id = str(create(cast.alice, definition={"elements": elements})["form_id"])
    cast.alice.post(f"/api/v1/forms/{form_id}/publish").raise_for_status()
    for size in choices:
        assert submit(cast.alice, form_id, size=size).status_code == 201
    (found,) = rows(ask(cast.alice, "numbers", form_id, question="size"))
    assert found == {
        "answered": 2, "missing": 3, "min": 1, "max": 3, "mean": 2, "p25": 1.5, "p50": 2, "p75": 2.5
    }  # fmt: skip
    spread = rows(ask(cast.alice, "histogram", form_id, question="size", bins=2))
    assert [(row["low"], row["high"], row["responses"]) for row in spread] == [(1, 2, 1), (2, 3, 1)]


def test_what_came_since_the_run_is_not_held_when_it_is_too_large(cast: People) -> None:
    """40 answers of a megabyte: the answer is as old as the lake until there was a run."""
    elements = [{"type": "text", "name": "name"}, {"type": "comment", "name": "words"}]
    form_id = str(create(cast.alice, definition={"elements": elements})["form_id"])
    cast.alice.post(f"/api/v1/forms/{form_id}/publish").raise_for_status()
    for _ in range(2):
        assert submit(cast.alice, form_id, words="few").status_code == 201
    ran(cast.admin)
    for _ in range(40):
        assert submit(cast.alice, form_id, words="w" * 950_000).status_code == 201
    assert rows(ask(cast.alice, "daily", form_id))[0]["total"] == 2
    ran(cast.admin)
    assert rows(ask(cast.alice, "daily", form_id))[0]["total"] == 42


def test_a_time_that_ends_before_it_begins_is_refused(cast: People, form_id: str) -> None:
    bounds = {"from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
    answer = ask(cast.alice, "daily", form_id, **bounds)
    assert answer.status_code == 422 and errors(answer) == {"/to": "is before `from`"}


@pytest.mark.parametrize(
    "name, given, fault",
    [
        ("choices", {}, {"/question": "is needed; "}),
        ("choices", {"question": "colour"}, {"/question": "there are: age, city, likes"}),
        ("numbers", {"question": "likes"}, {"/question": "it is one of kind choices; "}),
        ("nps", {"question": "city"}, {"/question": "none of its choices is a number; "}),
        ("matrix", {"question": "city"}, {"/question": "the form has none"}),
        ("crosstab", {"question": "city"}, {"/by": "is needed"}),
        ("cohorts", {"period": "year"}, {"/period": "one of day, week, month"}),
        ("histogram", {"question": "age", "bins": "1e2"}, {"/bins": "from 1 to 100"}),
        ("histogram", {"question": "age", "bins": "101"}, {"/bins": "from 1 to 100"}),
        ("daily", {"by": "city"}, {"/by": "daily takes no such"}),
        ("choices", {"question": "city", "time_zone": "Mars/Base"}, {"/time_zone": "not a time zone"}),
    ],
)
def test_what_a_query_does_not_take_is_refused(
    cast: People, form_id: str, name: str, given: dict[str, str], fault: dict[str, str]
) -> None:
    answer = ask(cast.alice, name, form_id, **given)
    assert answer.status_code == 422
    told = errors(answer)
    assert set(told) == set(fault)
    assert all(words in told[path] for path, words in fault.items()), told


def test_questions_need_their_form_and_parameters_are_known(cast: People, form_id: str) -> None:
    assert "/form_id" in errors(ask(cast.alice, "choices", None, question="city"))
    assert ask(cast.alice, "choices", form_id, colour="red").status_code == 400
    assert ask(cast.alice, "nothing", form_id).status_code == 404


def test_whoever_may_view_the_form_may_ask(appliance: Running, cast: People, form_id: str) -> None:
    assert ask(cast.charlie, "choices", form_id, question="city").status_code == 404
    assert ask(cast.bob, "choices", form_id, question="city").status_code == 404
    share = {"shares": [{"username": "bob", "level": "view"}]}
    assert cast.alice.put(f"/api/v1/forms/{form_id}/shares", json=share).status_code == 200
    assert len(rows(ask(cast.bob, "choices", form_id, question="city"))) == 3
    assert ask(cast.nobody, "choices", form_id, question="city").status_code == 401
    with appliance.client(add_key(cast.alice, "analytics")["key"]) as client:
        assert ask(client, "choices", form_id, question="city").status_code == 200
    with appliance.client(add_key(cast.alice, "responses:read")["key"]) as client:
        assert ask(client, "choices", form_id, question="city").status_code == 403


@contextmanager
def did(appliance: Running, *users: str) -> Iterator[None]:
    """The lake says meanwhile that these did something thrice, long ago."""
    file = Paths(appliance.settings.data).lake / "activity" / "activity.parquet"
    before = file.read_bytes() if file.exists() else None
    file.parent.mkdir(parents=True, exist_ok=True)
    day = dt.date(2025, 1, 15)
    did = [{"user_id": user, "date": day, "action": "form.published", "count": 3} for user in users]
    pq.write_table(pa.Table.from_pylist(did, ACTIVITY), file)
    yield
    file.unlink() if before is None else file.write_bytes(before)


def test_admins_see_what_all_did_and_others_what_they_did(appliance: Running, cast: People) -> None:
    alice, charlie = (one.get("/auth/me").json()["user_id"] for one in (cast.alice, cast.charlie))
    with did(appliance, alice, charlie):
        told = {"from": "2025-01-01T00:00:00Z", "to": "2025-02-01T00:00:00Z"}
        assert [row["user_id"] for row in rows(ask(cast.alice, "users", None, **told))] == [alice]
        assert [row["user_id"] for row in rows(ask(cast.charlie, "users", None, **told))] == [charlie]
        assert rows(ask(cast.bob, "users", None, **told)) == []
        every = rows(ask(cast.admin, "users", None, **told))
        assert {row["user_id"] for row in every} == {alice, charlie}
        assert {row["count"] for row in every} == {3}


@pytest.mark.parametrize("how", [{"params": {"format": "csv"}}, {"headers": {"accept": "text/csv"}}])
def test_an_answer_comes_as_csv(cast: People, how: dict[str, Any]) -> None:
    title = "=1+1"
    elements = [{"type": "dropdown", "name": "sum", "choices": [title, 'a,"b"\nc']}]
    form = cast.alice.post(
        "/api/v1/forms", json={"title": "Sums", "definition": {"elements": elements}}
    ).json()
    form_id = form["form_id"]
    assert cast.alice.post(f"/api/v1/forms/{form_id}/publish").status_code == 200
    for choice in (title, title, 'a,"b"\nc'):
        body = {"data": {"sum": choice}}
        assert cast.alice.post(f"/api/v1/forms/{form_id}/responses", json=body).status_code == 201
    params = {"form_id": form_id, "question": "sum", **how.get("params", {})}
    answer = cast.alice.get(f"{URL}/queries/choices", params=params, headers=how.get("headers"))
    assert (
        answer.status_code == 200
        and answer.headers["content-type"] == "text/csv; header=present; charset=utf-8"
    )
    assert answer.headers["x-as-of"].endswith("Z") and answer.headers["vary"] == "Accept"
    found = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert found[0] == ["answer", "responses", "share"]
    assert [row[:2] for row in found[1:]] == [["'=1+1", "2"], ['a,"b"\nc', "1"]]
    empty = ask(cast.alice, "funnel", form_id, format="csv")
    assert empty.text.split(",")[0] == "form_id"


def test_an_answer_is_kept_until_a_run(appliance: Running, cast: People, form_id: str) -> None:
    first = ask(cast.alice, "choices", form_id, question="city").json()
    submit(cast.alice, form_id, city="Lima")
    kept = ask(cast.alice, "choices", form_id, question="city").json()
    assert kept["cached"] and kept["rows"] == first["rows"] and kept["as_of"] == first["as_of"]
    with open_redis(appliance) as client:
        keys = [key for key in client.scan_iter("analytics:choices:some:*") if ":turn" not in key]
        assert keys and all(80_000 < client.ttl(key) <= 86_400 for key in keys)
    ran(cast.admin)
    fresh = ask(cast.alice, "choices", form_id, question="city").json()
    assert not fresh["cached"] and fresh["as_of"] > first["as_of"]
    assert [row["responses"] for row in fresh["rows"]] == [2, 1, 1]


def test_many_who_ask_at_once_have_it_worked_out_once(cast: People, form_id: str) -> None:
    """By all processes of the API."""
    with ThreadPoolExecutor(12) as pool:
        asked = list(pool.map(lambda _: ask(cast.alice, "trend", form_id).json(), range(24)))
    assert len({str(one["rows"]) for one in asked}) == 1 and asked[0]["rows"]
    assert sum(not one["cached"] for one in asked) == 1


def test_where_nothing_came_the_answer_stands_after_a_run(cast: People, form_id: str) -> None:
    ran(cast.admin)
    first = ask(cast.alice, "statuses", form_id).json()
    ran(cast.admin)
    again = ask(cast.alice, "statuses", form_id).json()
    assert not again["cached"] and again["as_of"] > first["as_of"] and again["rows"] == first["rows"]


def test_without_redis_answers_are_worked_out(appliance: Running, cast: People, form_id: str) -> None:
    with stopped(appliance, "redis"):
        started = time.monotonic()
        for _ in range(2):
            answer = ask(cast.alice, "choices", form_id, question="city")
            assert [row["responses"] for row in rows(answer)] == [2, 1, 0] and not answer.json()["cached"]
        assert time.monotonic() - started < 20
