"""Hostile statements through the API: refused or stopped within their limits, and nothing else feels it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from appliance.services import analytics_sql
from tests.analytics import hostile
from tests.analytics.hostile import Hostile
from tests.api.accounts import add, signed_in
from tests.api.test_analytics import URL, ran
from tests.bench import report
from tests.people import People
from tests.running import Running

LONGEST = analytics_sql.SECONDS + 40
"""Seconds from a question to its refusal, on a very busy machine; it tells a limit from none."""
PATIENT = 5.0
"""Seconds within which 95 of 100 other requests are answered meanwhile: not behind a statement."""
TOGETHER = 2
"""Statements at a time: as many as there are API processes."""


class Secret(NamedTuple):
    """What an analyst who may see one form of alice's must not see of another."""

    lake: Path
    form_id: str
    deleted: str
    analyst: str


@pytest.fixture(scope="module")
def secret(appliance: Running, cast: People) -> Secret:
    mine, theirs = _with_words(cast.alice, "plain"), _with_words(cast.alice, "SECRET in the lake")
    ran(cast.admin)
    _submit(cast.alice, theirs, "SECRET that came later")
    gone = _submit(cast.alice, theirs, "SECRET that was deleted")
    assert cast.alice.delete(f"/api/v1/forms/{theirs}/responses/{gone}").status_code in (200, 204)
    analyst = str(add(cast.admin, "analyst")["username"])
    share = {"shares": [{"username": analyst, "level": "view"}]}
    assert cast.alice.put(f"/api/v1/forms/{mine}/shares", json=share).status_code == 200
    return Secret(appliance.paths.lake, theirs, gone, analyst)


@pytest.fixture(autouse=True)
def unaffected(appliance: Running, secret: Secret) -> Iterator[None]:
    """Others are answered meanwhile; after it no process is left, and every byte is what it was."""
    before, over = _digests(secret.lake), threading.Event()
    with ThreadPoolExecutor(1) as pool, appliance.client(appliance.login()) as other:
        asking = pool.submit(_ask_others, other, over)
        yield
        over.set()
        took = asking.result()
    assert report.quantile(took, 0.95) < PATIENT, sorted(took)[-10:]
    assert _children(appliance) == []
    assert _digests(secret.lake) == before


def _ask_others(client: httpx.Client, over: threading.Event) -> list[float]:
    took: list[float] = []
    while not over.wait(0.1) or not took:
        begun = time.monotonic()
        assert client.get("/api/v1/forms").status_code == 200
        took.append(time.monotonic() - begun)
    return took


def _digests(lake: Path) -> dict[str, str]:
    return {
        str(path.relative_to(lake)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in lake.rglob("*")
        if ".asking" not in path.parts  # where queries wait for each other
    }


def _children(appliance: Running) -> list[int]:
    """Of statements."""
    found = []
    for name in ("api-1", "api-2"):
        for task in Path(f"/proc/{appliance.pid(name)}/task").iterdir():
            found += [int(pid) for pid in (task / "children").read_text().split()]
    return [pid for pid in found if b"sql_child" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def asked(client: httpx.Client, sql: str) -> httpx.Response:
    """Again when told so: others are in turn, or the machine is too busy for the database."""
    last = time.monotonic() + 10 * LONGEST
    while True:
        begun = time.monotonic()
        answer = client.post(f"{URL}/query", json={"sql": sql}, timeout=60)
        assert time.monotonic() - begun < LONGEST, sql
        if answer.status_code != 503:
            return answer
        assert int(answer.headers["retry-after"]) > 0 and time.monotonic() < last, answer.text


def refused(client: httpx.Client, one: Hostile) -> str:
    """What is wrong with the refusal."""
    answer = asked(client, one.sql)
    if answer.status_code != 422:
        return f"{one.sql[:100]}: {answer.status_code} {answer.text[:200]}"
    (fault,) = answer.json()["errors"]
    if fault["path"] == "/sql" and any(words in fault["message"] for words in one.words.split(" | ")):
        return ""
    return f"{one.sql[:100]}: {fault['message'][:200]}"


def all_refused(client: httpx.Client, statements: list[Hostile]) -> list[str]:
    with ThreadPoolExecutor(TOGETHER) as pool:
        return [fault for fault in pool.map(lambda one: refused(client, one), statements) if fault]


def test_what_is_no_select_is_refused(cast: People, secret: Secret) -> None:
    """Every third of those that tests/analytics/test_sql_check.py judges: a process each."""
    assert all_refused(cast.admin, hostile.read("refused", lake=str(secret.lake))[::3]) == []


@pytest.mark.parametrize("sql", ["SELECT DATE 'infinity' AS d", "SELECT TIMESTAMPTZ '294246-01-01' AS t"])
def test_a_time_that_json_has_no_words_for_is_said_to_be_one(cast: People, sql: str) -> None:
    assert refused(cast.admin, Hostile("JSON has no words for", sql)) == ""


def test_what_takes_too_much_is_stopped(cast: People) -> None:
    assert all_refused(cast.admin, hostile.read("stopped")) == []


def test_what_is_deep_or_long_is_refused_or_stopped(cast: People) -> None:
    deep = [Hostile("", hostile.NESTED[what]) for what in sorted(hostile.NESTED) if what != "too long"]
    assert all_refused(cast.admin, deep) == []


def test_an_analyst_sees_nothing_of_others_by_any_statement(
    appliance: Running, cast: People, secret: Secret
) -> None:
    places = {"lake": str(secret.lake), "form": secret.form_id, "response": secret.deleted}
    statements = [one.sql for one in hostile.read("scoped", **places)]
    with signed_in(appliance, secret.analyst) as client, ThreadPoolExecutor(TOGETHER) as pool:
        told = list(pool.map(lambda sql: asked(client, sql), statements))
    for sql, answer in zip(statements, told, strict=True):
        assert answer.status_code in (200, 422), sql
        assert "SECRET" not in answer.text.replace("%SECRET%", ""), sql
    assert "plain" in told[0].text
    everything = asked(cast.admin, f"SELECT data FROM responses WHERE form_id = '{secret.form_id}'").text
    assert "SECRET in the lake" in everything and "SECRET that came later" in everything


def _with_words(client: httpx.Client, words: str) -> str:
    definition = {"elements": [{"type": "comment", "name": "words"}]}
    body = {"title": f"Of {words}", "definition": definition}
    form_id = str(client.post("/api/v1/forms", json=body).raise_for_status().json()["form_id"])
    client.post(f"/api/v1/forms/{form_id}/publish").raise_for_status()
    _submit(client, form_id, words)
    return form_id


def _submit(client: httpx.Client, form_id: str, words: str) -> str:
    answer = client.post(f"/api/v1/forms/{form_id}/responses", json={"data": {"words": words}})
    return str(answer.raise_for_status().json()["response_id"])


def test_rows_come_as_csv_that_no_spreadsheet_takes_for_formulas(cast: People) -> None:
    sql = "SELECT '=1+1' AS \"=x\", NULL AS n, [1, 2] AS l, true AS b, 'ä,\"' AS q FROM range(10001)"
    answer = cast.admin.post(f"{URL}/query", json={"sql": sql}, headers={"accept": "text/csv"})
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/csv; charset=utf-8"
    first, second, *rest = answer.text.splitlines()
    assert (first, second) == ("'=x,n,l,b,q", '\'=1+1,,"[1,2]",true,"ä,"""')
    assert len(rest) == analytics_sql.ROWS - 1 and answer.headers["x-is-whole"] == "false"
    plain = cast.admin.post(f"{URL}/query", json={"sql": sql}).json()
    assert plain["is_whole"] is False and plain["rows"][0]["=x"] == "=1+1"
