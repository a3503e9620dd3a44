"""The inbox of alerts, and the quiet that it keeps in a real Alertmanager."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import json
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import httpx
import pytest

from appliance import addresses, alertmanager
from appliance.clock import rfc3339, utc_now
from appliance.errors import Conflict, Unavailable
from appliance.services import inbox, inbox_settling
from appliance.services.context import Context, open_context
from appliance.settings import Settings
from appliance.stores import inbox as store
from appliance.tasks import alert_chores
from tests.api.accounts import command
from tests.api.forms import publish, submit
from tests.api.webhooks import OK, clear, hook
from tests.people import People
from tests.running import Running, unique
from tests.runtime.servers import until

PATH = "/api/v1/alerts"
T = TypeVar("T")
Row = dict[str, Any]


def alert(name: str, *, over: bool = False, since: dt.datetime | None = None, **labels: str) -> Row:
    """As Prometheus posts one."""
    now = utc_now()
    return {
        "labels": {"alertname": name, "severity": "info", **labels},
        "annotations": {"summary": f"{name} it is", "next": "./scripts/appliance status"},
        "startsAt": rfc3339(since or now),
        "endsAt": rfc3339(now if over else now + dt.timedelta(minutes=10)),
    }


def fire(appliance: Running, name: str, **more: Any) -> None:
    alertmanager.post(appliance.settings, [alert(name, **more)])


def rows(admin: httpx.Client, name: str) -> list[Row]:
    found: list[Row] = admin.get(PATH, params={"limit": 200}).json()["alerts"]
    return [row for row in found if row["name"] == name]


def is_over(admin: httpx.Client, name: str) -> bool:
    """The newest of that name."""
    return bool(rows(admin, name)[0]["state"] == "resolved")


def arrived(appliance: Running, admin: httpx.Client) -> Row:
    """A new one that is in the inbox."""
    name = unique("Alert").replace("-", "")
    fire(appliance, name)
    until(lambda: rows(admin, name), 30, "it is in the inbox")
    (row,) = rows(admin, name)
    return row


def within(settings: Settings, work: Callable[[Context], Awaitable[T]]) -> T:
    async def whole() -> T:
        context = open_context(settings)
        try:
            return await work(context)
        finally:
            await context.close()

    return asyncio.run(whole())


def settle(appliance: Running, later: dt.timedelta = dt.timedelta(minutes=5)) -> None:
    """What the scheduler does, at a time when Alertmanager has run for long."""
    within(appliance.settings, lambda context: inbox_settling.settle(context, lambda: utc_now() + later))


def silences(appliance: Running, row: Row) -> list[alertmanager.Silence]:
    ours = alertmanager.look(appliance.settings).silences
    return [each for each in ours if row["alert_id"] in each.comment]


def is_quiet(appliance: Running, name: str) -> bool:
    (found,) = [each for each in alertmanager.alerts(appliance.settings) if each.labels["alertname"] == name]
    return bool(found.status.silencedBy)


def inner(appliance: Running, body: Any, token: str | None = None) -> httpx.Response:
    """As Alertmanager posts to the inbox."""
    port = addresses.inner_port(appliance.settings, "alerts")
    given = token or appliance.paths.alertmanager_password.read_text().strip()
    return httpx.post(
        f"http://127.0.0.1:{port}/internal/alerts",
        json=body,
        headers={"authorization": f"Bearer {given}"},
        trust_env=False,
    )


def message(name: str, status: str, fingerprint: str, since: dt.datetime) -> Row:
    told = alert(name, since=since, over=status == "resolved")
    if status == "firing":
        told["endsAt"] = "0001-01-01T00:00:00Z"
    return {"version": "4", "alerts": [{**told, "status": status, "fingerprint": fingerprint}]}


def test_an_alert_comes_in_once_and_goes_by_itself(appliance: Running, cast: People) -> None:
    row = arrived(appliance, cast.admin)
    assert row["state"] == "firing" and row["severity"] == "info"
    assert (row["summary"], row["next"]) == (f"{row['name']} it is", "./scripts/appliance status")
    assert row["runbook"] == f"docs/alerts.md#{row['name'].lower()}"
    assert cast.admin.get(f"{PATH}/{row['alert_id']}").json() == row
    fire(appliance, row["name"])
    fire(appliance, row["name"], over=True)
    until(lambda: rows(cast.admin, row["name"])[0]["state"] == "resolved", 40, "it is over")
    (after,) = rows(cast.admin, row["name"])
    assert [step["what"] for step in after["history"]] == ["fired", "resolved"]
    assert after["ended_at"] >= after["started_at"] == row["started_at"]


def test_a_list_by_state_and_by_page(appliance: Running, cast: People) -> None:
    names = [unique("Paged") for _ in range(3)]
    for number, name in enumerate(names):
        told = message(name, "resolved", f"{os.getpid():x}{number}", utc_now())
        assert inner(appliance, told).json() == {"changed": 1}
    first = cast.admin.get(PATH, params={"limit": 2, "state": "resolved"}).json()
    assert [row["name"] for row in first["alerts"]] == names[:0:-1]
    asked = {"limit": 2, "state": "resolved", "cursor": first["next_cursor"]}
    assert names[0] in [row["name"] for row in cast.admin.get(PATH, params=asked).json()["alerts"]]
    firing = cast.admin.get(PATH, params={"state": "firing"}).json()["alerts"]
    assert not [row for row in firing if row["name"] in names]
    assert cast.admin.get(PATH, params={"state": "gone"}).status_code == 400
    assert cast.admin.get(f"{PATH}/nothing").status_code == 404
    for who in (cast.alice, cast.charlie):
        assert who.get(PATH).status_code == 403
    assert cast.nobody.get(PATH).status_code == 401


def test_what_is_sent_again_or_in_another_order_is_one_row(appliance: Running, cast: People) -> None:
    name, since, mark = unique("Order"), utc_now() - dt.timedelta(seconds=5), f"{os.getpid():x}a"
    over, fires = (message(name, status, mark, since) for status in ("resolved", "firing"))
    told = [inner(appliance, each).json()["changed"] for each in (over, over, fires, fires, over)]
    assert told == [1, 0, 0, 0, 0]
    (row,) = rows(cast.admin, name)
    assert row["state"] == "resolved"
    later = message(name, "firing", mark, since + dt.timedelta(seconds=2))
    assert inner(appliance, later).json() == {"changed": 1}, "it has begun anew"
    assert [row["state"] for row in rows(cast.admin, name)] == ["firing", "resolved"]


@pytest.mark.parametrize("label", ["se\0v", "a.b", "$where", "", "$", "..", "\x1b[31m"])
def test_whatever_a_label_is_called_it_comes_in(appliance: Running, cast: People, label: str) -> None:
    """Alertmanager would send a message again and again that is answered 5xx, and all others with it."""
    name, mark = unique("Odd"), os.urandom(8).hex()
    told = message(name, "firing", mark, utc_now())
    told["alerts"][0]["labels"][label] = "x\0y"
    assert inner(appliance, told).json() == {"changed": 1}
    (row,) = rows(cast.admin, name)
    assert row["labels"].get(label) == (None if "\0" in label else "x\0y")
    told["alerts"][0] |= {"status": "resolved", "endsAt": "0001-01-01T00:00:00+14:00"}
    assert inner(appliance, told).json() == {"changed": 1}
    assert rows(cast.admin, name)[0]["state"] == "resolved"


def test_a_terminal_is_not_steered_by_a_label(appliance: Running, cast: People) -> None:
    name, mark = unique("Steer"), os.urandom(8).hex()
    told = message(name, "firing", mark, utc_now())
    told["alerts"][0]["labels"] |= {"where": "\x1b]0;owned\x07\r\0", "severity": "\x1b[31mcritical"}
    told["alerts"][0]["annotations"]["summary"] = "one\n\x1b[2Jtwo"
    assert inner(appliance, told).json() == {"changed": 1}
    (row,) = rows(cast.admin, name)
    for words in (("show", row["alert_id"]), ("list",)):
        shown = command(appliance, "alerts", *words)
        assert shown.returncode == 0 and name in shown.stdout
        assert not [each for each in shown.stdout if ord(each) < 32 and each != "\n"], words
        assert "\\x1b[31mcritical" in shown.stdout
    assert "where=\\x1b]0;owned\\x07\\r\\x00" in command(appliance, "alerts", "show", row["alert_id"]).stdout
    inner(appliance, {"alerts": [told["alerts"][0] | {"status": "resolved", "endsAt": rfc3339(utc_now())}]})


def test_the_inner_door_is_closed_to_all_others(appliance: Running, cast: People) -> None:
    body = message(unique("Stranger"), "firing", "abc", utc_now())
    token = appliance.paths.alertmanager_password.read_text().strip()
    for path in (
        "/internal/alerts",
        "/internal/",
        "//internal/alerts",
        "/%69nternal/alerts",
        "/a/../internal/alerts",
    ):
        for given in ({}, {"authorization": f"Bearer {token}"}):
            answer = cast.nobody.post(path, json=body, headers=given)
            assert answer.status_code == 404, path
            assert answer.json()["type"] == "/problems/not-found"
    for wrong in ("wrong", cast.admin.headers["authorization"].removeprefix("Bearer "), "Bearer"):
        assert inner(appliance, body, wrong).status_code == 404
    port = addresses.inner_port(appliance.settings, "alerts")
    for path in ("/", "/healthz", "/api/v1/alerts", "/internal/", "/internal/alerts/"):
        assert httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False).status_code == 404
    assert not rows(cast.admin, body["alerts"][0]["labels"]["alertname"])
    assert inner(appliance, {"alerts": [{"status": "odd"}]}).status_code == 400


def test_an_acknowledged_alert_is_quiet_until_it_is_over(appliance: Running, cast: People) -> None:
    row = arrived(appliance, cast.admin)
    path = f"{PATH}/{row['alert_id']}/acknowledge"
    answer = cast.admin.post(path, json={"note": "I am at it"})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["state"], told["acknowledged"]["by"], told["acknowledged"]["note"]) == (
        "acknowledged", "admin", "I am at it",
    )  # fmt: skip
    assert cast.admin.post(path, json={"note": "me too"}).json() == told, "once more changes nothing"
    (silence,) = silences(appliance, row)
    assert silence.createdBy == "appliance" and is_quiet(appliance, row["name"])
    entries = cast.admin.get("/api/v1/audit", params={"subject": row["alert_id"]}).json()["audit"]
    assert [entry["action"] for entry in entries] == ["alert.acknowledged"]
    fire(appliance, row["name"], over=True)
    settle(appliance)
    until(lambda: rows(cast.admin, row["name"])[-1]["state"] == "resolved", 10, "it is over")
    assert silences(appliance, row) == []
    assert cast.admin.post(path, json={}).status_code == 409


def test_one_that_begins_anew_is_loud(appliance: Running, cast: People) -> None:
    row = arrived(appliance, cast.admin)
    assert cast.admin.post(f"{PATH}/{row['alert_id']}/acknowledge", json={}).status_code == 200
    fire(appliance, row["name"], over=True)
    until(lambda: dt.datetime.now(dt.UTC).microsecond < 900_000, 2)
    fire(appliance, row["name"], since=utc_now() + dt.timedelta(milliseconds=50))
    settle(appliance)
    until(lambda: len(rows(cast.admin, row["name"])) == 2, 30, "another one")
    again, before = rows(cast.admin, row["name"])
    assert (before["state"], again["state"], again["acknowledged"]) == ("resolved", "firing", None)
    assert not is_quiet(appliance, row["name"])


def test_what_goes_on_over_a_restart_is_the_same_alert(appliance: Running, cast: People) -> None:
    """Alertmanager has forgotten it, and Prometheus, started anew too, tells it as begun since."""
    held, loud = arrived(appliance, cast.admin), arrived(appliance, cast.admin)
    assert cast.admin.post(f"{PATH}/{held['alert_id']}/acknowledge", json={}).status_code == 200
    appliance.signal("alertmanager")

    def has_forgotten() -> bool:
        with contextlib.suppress(alertmanager.Away):
            known = {each.labels["alertname"] for each in alertmanager.alerts(appliance.settings)}
            return not known & {held["name"], loud["name"]}
        return False

    until(has_forgotten, 60, "Alertmanager has begun anew")
    settle(appliance, dt.timedelta())
    since = utc_now()
    for row in (held, loud):
        fire(appliance, row["name"], since=since)
    again = message(loud["name"], "firing", loud["alert_id"].partition("-")[0], since)
    assert inner(appliance, again).status_code in (200, 204)
    settle(appliance)
    for row, state in ((held, "acknowledged"), (loud, "firing")):
        (now,) = rows(cast.admin, row["name"])
        assert (now["alert_id"], now["state"]) == (row["alert_id"], state)
        assert "resolved" not in [step["what"] for step in now["history"]]
    assert is_quiet(appliance, held["name"]) and not is_quiet(appliance, loud["name"])
    for row in (held, loud):
        fire(appliance, row["name"], since=since, over=True)
    settle(appliance)
    for row in (held, loud):
        until(functools.partial(is_over, cast.admin, row["name"]), 40, "it is over")
        assert len(rows(cast.admin, row["name"])) == 1
    fire(appliance, loud["name"], since=utc_now() + dt.timedelta(milliseconds=50))
    settle(appliance)
    assert [row["state"] for row in rows(cast.admin, loud["name"])] == ["firing", "resolved"], "another one"


def test_it_may_be_taken_back(appliance: Running, cast: People) -> None:
    row = arrived(appliance, cast.admin)
    path = f"{PATH}/{row['alert_id']}"
    assert cast.admin.delete(f"{path}/silence").status_code == 409
    assert cast.admin.post(f"{path}/acknowledge", json={}).status_code == 200
    assert cast.admin.post(f"{path}/silence", json={"seconds": 60}).status_code == 409
    told = cast.admin.delete(f"{path}/acknowledge").json()
    assert (told["state"], told["acknowledged"]) == ("firing", None)
    assert not is_quiet(appliance, row["name"]) and silences(appliance, row) == []
    assert [step["what"] for step in told["history"]] == ["fired", "acknowledged", "unacknowledged"]


def test_a_silence_holds_until_its_time(appliance: Running, cast: People) -> None:
    row = arrived(appliance, cast.admin)
    path = f"{PATH}/{row['alert_id']}/silence"
    for wrong in ({}, {"seconds": 600, "until": "2030-01-01T00:00:00Z"}, {"until": "2020-01-01T00:00:00Z"}):
        assert cast.admin.post(path, json=wrong).status_code == 422, wrong
    assert cast.admin.post(path, json={"seconds": 1}).status_code == 400
    told = cast.admin.post(path, json={"seconds": 3600, "note": "import"}).json()
    assert (told["state"], told["silenced"]["by"]) == ("silenced", "admin")
    assert is_quiet(appliance, row["name"])
    fire(appliance, row["name"], over=True)
    settle(appliance)
    assert rows(cast.admin, row["name"])[0]["state"] == "resolved"
    assert len(silences(appliance, row)) == 1, "it may begin anew"
    fire(appliance, row["name"], since=utc_now() + dt.timedelta(milliseconds=50))
    settle(appliance)
    again, before = rows(cast.admin, row["name"])
    assert (again["state"], again["silenced"]["note"], before["state"]) == ("silenced", "import", "resolved")
    settle(appliance, dt.timedelta(hours=2))
    assert rows(cast.admin, row["name"])[0]["state"] == "firing", "its time has passed"
    settle(appliance)
    assert not is_quiet(appliance, row["name"])


def test_a_silence_that_alertmanager_lost_is_made_again(appliance: Running, cast: People) -> None:
    row = arrived(appliance, cast.admin)
    assert cast.admin.post(f"{PATH}/{row['alert_id']}/acknowledge", json={}).status_code == 200
    (lost,) = silences(appliance, row)
    alertmanager.end_silence(appliance.settings, lost.id)
    settle(appliance, dt.timedelta())
    (made,) = silences(appliance, row)
    assert made.id != lost.id and is_quiet(appliance, row["name"])
    settle(appliance, dt.timedelta(minutes=20))
    (prolonged,) = silences(appliance, row)
    assert prolonged.endsAt > made.endsAt and prolonged.id == made.id


def test_a_silence_that_no_row_asks_for_ends(appliance: Running, cast: People) -> None:
    """Whoever made it has died before the row was written."""
    row = arrived(appliance, cast.admin)
    until_then = utc_now() + dt.timedelta(hours=1)
    alertmanager.silence(appliance.settings, row["labels"], until_then, f"appliance alert {row['alert_id']}")
    settle(appliance, dt.timedelta())
    assert silences(appliance, row), "its row may be on its way"
    settle(appliance)
    assert silences(appliance, row) == []
    assert rows(cast.admin, row["name"])[0]["state"] == "firing"


def test_without_alertmanager_nothing_is_half_done(appliance: Running, cast: People) -> None:
    row = arrived(appliance, cast.admin)
    away = replace(appliance.settings, port_base=1)
    with pytest.raises(Unavailable, match="nothing was changed"):
        within(away, lambda context: inbox.acknowledge(context, None, row["alert_id"], None))
    assert rows(cast.admin, row["name"]) == [row] and silences(appliance, row) == []
    with pytest.raises(alertmanager.Away):
        within(away, lambda context: inbox_settling.settle(context, utc_now))


def test_that_the_inbox_is_not_held_to_alertmanager_is_told(
    appliance: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """Not of one failure, which each start has; not each time."""
    away, chore, told = replace(appliance.settings, port_base=1), alert_chores.Settle(), []
    for settings in (away, away, appliance.settings, *[away] * 6):
        within(settings, lambda context: chore(context, utc_now))
        told.append(len([each for each in caplog.records if each.levelname == "WARNING"]))
    assert told == [0, 0, 0, 0, 0, 1, 1, 1, 2]
    assert "not held to Alertmanager" in caplog.text


def test_the_scheduler_waits_longer_for_alertmanager_than_others(
    appliance: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of 10,000 alerts take longer than anybody may wait who asks by the API."""
    given: list[str] = []

    async def none(_: object) -> list[Row]:
        return []

    monkeypatch.setattr(store, "open_rows", none)  # of other tests, which would be settled with this one

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(0.3)
            body: object = {"/api/v2/status": {"uptime": "2026-01-01T00:00:00Z"}}.get(self.path, [])
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            given.append(self.path)
            with contextlib.suppress(OSError):
                self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        offset = addresses.inner_port(replace(appliance.settings, port_base=1000), "alertmanager") - 1000
        slow = replace(appliance.settings, port_base=server.server_address[1] - offset)
        try:
            with alertmanager.within(0.1):
                with pytest.raises(alertmanager.Away, match="TimeoutError"):
                    alertmanager.alerts(slow)
                assert within(slow, lambda context: inbox_settling.settle(context, _before)) == 0
        finally:
            server.shutdown()
    assert len(given) >= 3


def _before() -> dt.datetime:
    """When nothing that is missing there is over: Alertmanager has just begun."""
    return dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def test_while_alertmanager_hangs_others_are_answered(appliance: Running, cast: People) -> None:
    """Those who ask for quiet soon hear that it is slow, and take nobody's thread."""
    row = arrived(appliance, cast.admin)
    path, form_id = f"{PATH}/{row['alert_id']}/silence", publish(cast.alice)

    def ask(_: int) -> tuple[int, float]:
        begun = time.monotonic()
        answer = cast.admin.post(path, json={"seconds": 600})
        return answer.status_code, time.monotonic() - begun

    appliance.signal("alertmanager", signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(24) as pool:
            asked = [pool.submit(ask, number) for number in range(24)]
            begun = time.monotonic()
            sent = [submit(cast.alice, form_id).status_code for _ in range(4)]
            took = time.monotonic() - begun
            answers = [each.result() for each in asked]
    finally:
        appliance.signal("alertmanager", signal.SIGCONT)
    assert (sent, took < inbox.SECONDS) == ([201] * 4, True), took
    assert {status for status, _ in answers} == {503}
    times = sorted(taken for _, taken in answers)
    assert times[len(times) // 2] < 2 and times[-1] < 4.5, times
    assert rows(cast.admin, row["name"]) == [row]


def test_at_most_two_ask_alertmanager_at_a_time(appliance: Running) -> None:
    """More of one process wait a little; however long it hangs, no thread is taken that others need."""
    asking, most, lock = [0], [0], threading.Lock()

    def hang(_: Settings) -> None:
        with lock:
            asking[0] += 1
            most[0] = max(most[0], asking[0])
        time.sleep(1)
        with lock:
            asking[0] -= 1

    async def ask() -> list[Any]:
        asked = [inbox._ask(hang, appliance.settings) for _ in range(6)]
        told = asyncio.gather(*asked, return_exceptions=True)
        assert await asyncio.wait_for(asyncio.to_thread(threading.active_count), 0.4) > 0
        return list(await told)

    told = asyncio.run(ask())
    assert (most[0], told.count(None), len([x for x in told if isinstance(x, Unavailable)])) == (2, 2, 4)


def test_one_that_ends_meanwhile_is_not_acknowledged(
    appliance: Running, cast: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the silence and the row: then the silence goes too."""
    row = arrived(appliance, cast.admin)
    really = store.change

    async def first_it_ends(db: Any, alert_id: str, *given: Any) -> Any:
        over = {"state": "resolved", "ended_at": utc_now(), "open": None}
        await really(db, alert_id, lambda _: over, store.Step(utc_now(), "resolved"))
        return await really(db, alert_id, *given)

    monkeypatch.setattr(store, "change", first_it_ends)
    with pytest.raises(Conflict):
        within(appliance.settings, lambda context: inbox.acknowledge(context, None, row["alert_id"], None))
    assert silences(appliance, row) == []


def test_what_is_over_is_kept_for_a_while(appliance: Running, cast: People) -> None:
    names = [unique("Kept") for _ in range(3)]
    for number, name in enumerate(names):
        inner(appliance, message(name, "resolved", f"{os.getpid():x}b{number}", utc_now()))

    async def prune(context: Context) -> None:
        await store.prune(context.db, utc_now() - dt.timedelta(days=1), 1)

    within(appliance.settings, prune)
    found = cast.admin.get(PATH, params={"limit": 200, "state": "resolved"}).json()["alerts"]
    assert [row["name"] for row in found] == names[2:]


def test_webhooks_hear_of_it_once(appliance: Running, cast: People) -> None:
    try:
        with hook(cast.admin, OK, events=["alert.fired"]) as subscribed:
            name, since, mark = unique("Heard"), utc_now(), f"{os.getpid():x}c"
            for status in ("firing", "firing", "resolved"):
                inner(appliance, message(name, status, mark, since))

            def heard() -> list[Row]:
                return [
                    each.body["data"]
                    for each in subscribed.messages("alert.fired")
                    if each.body["data"]["alert"] == name
                ]

            until(heard, 30, "it is heard of")
            (data,) = heard()
    finally:
        clear(cast.admin)
    (row,) = rows(cast.admin, name)
    assert data["alert_id"] == row["alert_id"] and data["labels"] == row["labels"]
    assert json.dumps(data["started_at"]) == json.dumps(row["started_at"])


def test_a_flood_comes_in_and_goes(appliance: Running, cast: People) -> None:
    """More than one message holds: what Alertmanager leaves out of it the scheduler asks for."""
    name, most = unique("Flood").replace("-", ""), 230
    told = [alert(name, number=f"{number}") for number in range(most)]
    alertmanager.post(appliance.settings, told)

    def known(state: str) -> int:
        async def count(context: Context) -> int:
            return await context.db.alerts.count_documents({"name": name, "state": state})

        return within(appliance.settings, count)

    until(lambda: known("firing") >= 200, 60, "a message of it is there")
    settle(appliance)
    assert known("firing") == most
    alertmanager.post(appliance.settings, [{**each, "endsAt": rfc3339(utc_now())} for each in told])
    settle(appliance)
    assert (known("firing"), known("resolved")) == (0, most)
