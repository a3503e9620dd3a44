"""Search by meaning, from an answer to its being found, with the real model for vectors."""

from __future__ import annotations

import functools
import signal
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance import trees
from appliance.services import purging, vector_place
from appliance.stores import purges
from tests import models, own
from tests.api.accounts import add_key
from tests.api.analyses import filled, publish
from tests.faults.steering import settle_as_if_later, until_whole, with_context
from tests.people import People
from tests.running import Running, running
from tests.runtime.servers import until

ABOUT: dict[str, str] = {
    "queue": "We queued for two hours before anybody spoke to us.",
    "staff": "The staff was friendly and smiled all the time.",
    "soup": "My soup was cold and had no taste at all.",
    "price": "Far too expensive for what it is.",
    "music": "The music was so loud that we could not talk.",
}


appliance, cast = own.appliance, own.cast
"""One of their own: where a file of vectors is begun anew, all responses there are embedded again."""


@pytest.fixture(autouse=True)
def _at_work(appliance: Running) -> None:
    models.until_at_work(appliance)


def answer(client: httpx.Client, form_id: str, words: str, **data: Any) -> str:
    body = {"data": {"words": words, **data}}
    given = client.post(f"/api/v1/forms/{form_id}/responses", json=body)
    assert given.status_code == 201, given.text
    return str(given.json()["response_id"])


def search(client: httpx.Client, form_id: str, query: str, **parameters: Any) -> dict[str, Any]:
    found = client.get(f"/api/v1/forms/{form_id}/search", params={"q": query, **parameters})
    assert found.status_code == 200, found.text
    return dict(found.json())


def ids(found: dict[str, Any]) -> list[str]:
    return [row["response_id"] for row in found["responses"]]


def until_embedded(client: httpx.Client, form_id: str, seconds: float = 60) -> None:
    """And the search is ready: the first one has the model loaded, on a busy machine for longer than it
    waits.
    """

    def is_embedded() -> bool:
        given = client.get(f"/api/v1/forms/{form_id}/search", params={"q": "anything"})
        assert given.status_code in (200, 503), given.text
        return given.status_code == 200 and given.json()["pending"] == 0

    until(is_embedded, seconds, "all is embedded")


@pytest.fixture
def form(cast: People) -> tuple[str, dict[str, str]]:
    """A form, and its responses by what they are about."""
    form_id = publish(cast.alice)
    found = {name: answer(cast.alice, form_id, words) for name, words in ABOUT.items()}
    until_embedded(cast.alice, form_id)
    return form_id, found


def users_of_numpy(appliance: Running) -> set[str]:
    """The programs that have it in memory: 30 MiB with what else comes along."""
    pids = {name: trees.members(appliance.pid(name)) for name in ("worker-ai", "worker-high")}
    maps = {name: [Path(f"/proc/{pid}/maps").read_text() for pid in found] for name, found in pids.items()}
    return {name for name, texts in maps.items() if any("numpy" in text for text in texts)}


def test_before_the_first_answer_nothing_is_loaded(appliance: Running, cast: People) -> None:
    """The first test here: nobody has answered anything yet."""
    form_id = publish(cast.alice)
    until_embedded(cast.alice, form_id)  # its process answers
    found = search(cast.alice, form_id, "anything")
    assert (found["responses"], found["pending"], found["complete"]) == ([], 0, True)
    assert users_of_numpy(appliance) == set()
    assert list(appliance.paths.vectors.iterdir()) == []
    only = answer(cast.alice, form_id, ABOUT["soup"])
    until_embedded(cast.alice, form_id)
    assert ids(search(cast.alice, form_id, "anything")) == [only]
    assert users_of_numpy(appliance) == {"worker-ai", "worker-high"}


def test_it_finds_what_is_meant_and_not_what_is_written(
    cast: People, form: tuple[str, dict[str, str]]
) -> None:
    form_id, about = form
    found = search(cast.alice, form_id, "a long wait")
    assert len(found["responses"]) == len(ABOUT)
    nearest = found["responses"][0]
    assert nearest["response_id"] == about["queue"]
    assert nearest["text"] == ABOUT["queue"]
    assert nearest["data"] == {"words": ABOUT["queue"]}
    scores = [row["score"] for row in found["responses"]]
    assert scores == sorted(scores, reverse=True)
    assert -1 <= scores[-1] < scores[0] <= 1
    assert (found["complete"], found["model"]) == (True, models.embedding_model().stem)
    assert ids(search(cast.alice, form_id, "costs too much", limit=1)) == [about["price"]]
    assert ids(search(cast.alice, form_id, "kind waiters", limit=1)) == [about["staff"]]


def test_another_form_is_not_searched(cast: People, form: tuple[str, dict[str, str]]) -> None:
    other = publish(cast.alice)
    only = answer(cast.alice, other, "Nothing of the kind happened to us.")
    until_embedded(cast.alice, other)
    assert ids(search(cast.alice, other, "a long wait")) == [only]
    assert only not in ids(search(cast.alice, form[0], "nothing of the kind"))


def test_changes_are_seen(appliance: Running, cast: People, form: tuple[str, dict[str, str]]) -> None:
    form_id, about = form
    path = f"/api/v1/forms/{form_id}/responses"
    changed, gone = about["soup"], answer(cast.alice, form_id, "They let us stand in line all morning.")
    until_embedded(cast.alice, form_id)
    vector = stored(appliance, gone)
    assert vector
    now = {"data": {"words": "A dog barked at my children in the garden."}}
    assert cast.alice.patch(f"{path}/{changed}", json=now).status_code == 200
    assert cast.alice.delete(f"{path}/{gone}").status_code == 204
    # At once: what was embedded of them before is not shown any more.
    found = search(cast.alice, form_id, "soup")
    assert gone not in ids(found)
    assert all(row["revision"] == 2 for row in found["responses"] if row["response_id"] == changed)
    until_embedded(cast.alice, form_id)
    assert ids(search(cast.alice, form_id, "pets", limit=1)) == [changed]
    assert gone not in ids(search(cast.alice, form_id, "standing in line"))
    assert gone.encode() not in vectors(appliance)
    assert vector not in vectors(appliance), "an embedding tells of its text"
    assert cast.alice.post(f"{path}/{gone}/restore").status_code == 200
    until_embedded(cast.alice, form_id)
    assert ids(search(cast.alice, form_id, "standing in line", limit=1)) == [gone]
    tagged = cast.alice.patch(f"{path}/{changed}", json={"tags": ["seen"]})
    assert tagged.status_code == 200
    (row,) = search(cast.alice, form_id, "pets", limit=1)["responses"]
    assert (row["response_id"], row["revision"], row["tags"]) == (changed, 3, ["seen"])


def test_what_is_purged_is_wiped(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    words = "We queued in the rain until midnight."  # of no other test: whose vector would be the same
    gone, kept = (answer(cast.alice, form_id, each) for each in (words, ABOUT["soup"]))
    until_embedded(cast.alice, form_id)
    vector = stored(appliance, gone)
    assert vector and vector in vectors(appliance)
    settle_as_if_later(appliance)
    why = purges.Why("erasure")
    done = with_context(appliance, lambda context: purging.purge(context, form_id, [gone], why))
    assert done == (1, 0)
    assert ids(search(cast.alice, form_id, "a long wait")) == [kept]
    until_embedded(cast.alice, form_id)
    assert gone.encode() not in vectors(appliance) and vector not in vectors(appliance)


def test_filters(cast: People) -> None:
    form_id = publish(cast.alice)
    made = [answer(cast.alice, form_id, f"We waited {n} hours for it.", stars=n % 5 + 1) for n in range(20)]
    until_embedded(cast.alice, form_id)
    path = f"/api/v1/forms/{form_id}/responses"
    assert cast.alice.patch(f"{path}/{made[3]}", json={"status": "flagged"}).status_code == 200
    wait = "a long wait"
    assert set(ids(search(cast.alice, form_id, wait, limit=100))) == set(made)
    assert ids(search(cast.alice, form_id, wait, status="flagged")) == [made[3]]
    assert set(ids(search(cast.alice, form_id, wait, status="accepted", limit=100))) == {*made} - {made[3]}
    five = {"filter.stars": "5"}
    assert set(ids(search(cast.alice, form_id, wait, limit=100, **five))) == set(made[4::5])
    rows = cast.alice.get(path, params={"limit": 100}).json()["responses"]
    moments = {row["response_id"]: row["created_at"] for row in rows}
    late = {"from": moments[made[10]], "limit": 100}
    expected = {each for each in made if moments[each] >= moments[made[10]]}
    assert set(ids(search(cast.alice, form_id, wait, **late))) == expected
    early = {"to": moments[made[10]], "limit": 100}
    expected = {each for each in made if moments[each] <= moments[made[10]]}
    assert set(ids(search(cast.alice, form_id, wait, **early))) == expected


def test_what_cannot_be_asked(cast: People) -> None:
    form_id = publish(cast.alice)
    path = f"/api/v1/forms/{form_id}/search"
    wrongs: tuple[dict[str, str | int], ...] = (
        {}, {"q": ""}, {"q": "  "}, {"q": "x" * 501}, {"q": "x", "limit": 101}, {"q": "x", "limit": 0},
        {"q": "x", "status": "deleted"}, {"q": "x", "from": "yesterday"}, {"q": "x", "filter.nobody": "1"},
        {"q": "x", "cursor": "y"},
    )  # fmt: skip
    for wrong in wrongs:
        given = cast.alice.get(path, params=wrong)
        assert given.status_code == 400, (wrong, given.text)
    until(lambda: search(cast.alice, form_id, "x")["complete"], 60, "the file is begun")
    empty = search(cast.alice, form_id, "x")
    assert (empty["responses"], empty["pending"]) == ([], 0)


def test_a_key_needs_the_scope(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    for scope, status in (("responses:read", 200), ("ai", 403)):
        with appliance.client(add_key(cast.alice, scope)["key"]) as client:
            given = client.get(f"/api/v1/forms/{form_id}/search", params={"q": "x"})
            assert given.status_code == status, given.text


def test_what_is_killed_in_the_middle_is_there_once(appliance: Running, cast: People) -> None:
    form_id = filled(cast.alice, 500)
    killed: list[int] = []
    for least in (1, 200):
        until(functools.partial(_has, appliance, form_id, least), 60, f"{least} are embedded")
        appliance.signal("worker-ai", signal.SIGKILL)
        killed.append(count(appliance, form_id))
    assert killed[0] < 500, "it was killed in the middle"
    until_embedded(cast.alice, form_id, 120)
    assert count(appliance, form_id) == 500
    found = search(cast.alice, form_id, "friendly staff", limit=100)
    assert len(set(ids(found))) == 100
    for number in range(480, 500):  # one of 500 passes the filter, wherever it stands
        rare = {"filter.name": f"Ada {number}"}
        (row,) = search(cast.alice, form_id, "friendly staff", **rare)["responses"]
        assert row["data"]["name"] == f"Ada {number}"
    until_whole(appliance)


def test_a_searcher_that_is_killed_is_replaced_while_one_waits(
    appliance: Running, cast: People, form: tuple[str, dict[str, str]]
) -> None:
    form_id, about = form
    killer = threading.Timer(0.1, lambda: appliance.signal("worker-high", signal.SIGKILL))
    killer.start()
    killer.join()

    def is_found() -> bool:
        given = cast.alice.get(f"/api/v1/forms/{form_id}/search", params={"q": "a long wait", "limit": 1})
        assert given.status_code in (200, 503), given.text
        return given.status_code == 200 and ids(given.json()) == [about["queue"]]

    until(is_found, 60, "it is found again")
    until_whole(appliance)


def test_a_file_that_is_lost_is_made_again(
    appliance: Running, cast: People, form: tuple[str, dict[str, str]]
) -> None:
    form_id, about = form
    place = vector_place.find(appliance.settings)
    assert place is not None
    place.path.unlink()
    until(place.path.exists, 30, "it is made again")

    def is_found() -> bool:
        return ids(search(cast.alice, form_id, "a long wait", limit=1)) == [about["queue"]]

    until(is_found, 120, "all is embedded anew")


def test_forms_without_text_cost_nothing(appliance: Running, cast: People) -> None:
    body = {"title": "Stars", "definition": {"elements": [{"type": "rating", "name": "stars"}]}}
    form_id = cast.alice.post("/api/v1/forms", json=body).json()["form_id"]
    assert cast.alice.post(f"/api/v1/forms/{form_id}/publish").status_code == 200
    given = cast.alice.post(f"/api/v1/forms/{form_id}/responses", json={"data": {"stars": 3}})
    assert given.status_code == 201
    with appliance.database() as client:
        counters = client.get_default_database("appliance").form_counters.find_one({"_id": form_id})
    assert counters is not None
    assert counters["seq"] == 1
    assert "unembedded" not in counters


def test_while_ai_is_off_nothing_piles_up(tmp_path: Any) -> None:
    """What was answered meanwhile is embedded when there is a model; another one embeds all anew."""
    model = tmp_path / "model.gguf"
    with running(EMBEDDING_MODEL=str(model)) as appliance:
        models.until_at_work(appliance)
        with appliance.client(appliance.login()) as admin:
            form_id = publish(admin)
            only = answer(admin, form_id, ABOUT["queue"])
            off = admin.get(f"/api/v1/forms/{form_id}/search", params={"q": "a long wait"})
            assert off.status_code == 503, off.text
            assert off.headers["retry-after"]
            assert "appliance status" in off.json()["detail"]
            tasks = admin.get("/api/v1/tasks", params={"name": "embed_responses"}).json()["tasks"]
            assert tasks == []
            model.write_bytes(models.embedding_model().read_bytes())
            appliance.signal("worker-ai", signal.SIGTERM)
            until(lambda: found(admin, form_id) == [only], 60, "it is found")
            before = vector_place.find(appliance.settings)
            assert before is not None
            model.write_bytes(models.embedding_model().read_bytes() + b"\0" * 32)  # the same, and another
            for program in ("worker-ai", "worker-high"):
                appliance.signal(program, signal.SIGTERM)
            until(lambda: not before.path.exists(), 60, "the other file is gone")
            until(lambda: found(admin, form_id) == [only], 60, "it is found again")


def test_a_model_that_is_chosen_meanwhile_is_not_mixed_with_the_one_that_runs(tmp_path: Path) -> None:
    """Until the reload, what comes in is compared with what there is; then all is embedded anew."""
    whole = models.embedding_model().read_bytes()
    (tmp_path / "one.gguf").write_bytes(whole)
    (tmp_path / "two.gguf").write_bytes(whole + b"\0" * 32)  # the same, and another
    chosen = tmp_path / "chosen.gguf"
    chosen.symlink_to("one.gguf")
    with running(EMBEDDING_MODEL=str(chosen)) as appliance:
        models.until_at_work(appliance)
        with appliance.client(appliance.login()) as admin:
            form_id = publish(admin)
            first = answer(admin, form_id, ABOUT["queue"])
            until(lambda: found(admin, form_id) == [first], 60, "it is found")
            before = vector_place.find(appliance.settings)
            assert before is not None
            chosen.unlink()
            chosen.symlink_to("two.gguf")
            second = answer(admin, form_id, ABOUT["queue"])
            until(lambda: set(found(admin, form_id) or ()) == {first, second}, 60, "both are found")
            assert vectors(appliance, before) and not vectors(appliance), "by the model that runs"
            for program in ("worker-ai", "worker-high"):
                appliance.signal(program, signal.SIGTERM)
            until(lambda: not before.path.exists(), 60, "the other file is gone")
            until(lambda: set(found(admin, form_id) or ()) == {first, second}, 60, "both are found again")


def found(client: httpx.Client, form_id: str) -> list[str] | None:
    given = client.get(f"/api/v1/forms/{form_id}/search", params={"q": "a long wait"})
    return ids(given.json()) if given.status_code == 200 else None


def vectors(appliance: Running, place: vector_place.Place | None = None) -> bytes:
    """Of the model that is chosen, or of another one."""
    place = place or vector_place.find(appliance.settings)
    assert place is not None
    return place.path.read_bytes() if place.path.exists() else b""


def count(appliance: Running, form_id: str) -> int:
    """Records of the form in the file, whole or not: the layout says where the form's id is."""
    raw = vectors(appliance)
    name = form_id.encode().ljust(40, b"\0")
    return sum(raw[at + 40 : at + 80] == name for at in range(0, len(raw), 1664))


def _has(appliance: Running, form_id: str, least: int) -> bool:
    return count(appliance, form_id) >= least


def stored(appliance: Running, response_id: str) -> bytes:
    """The vector of a response."""
    raw = vectors(appliance)
    name = response_id.encode().ljust(40, b"\0")
    (at,) = [at for at in range(0, len(raw), 1664) if raw[at : at + 40] == name]
    return raw[at + 128 : at + 1664]


def test_the_last_moment_there_is_and_words_that_nobody_sees(cast: People) -> None:
    form_id = publish(cast.alice)
    url = f"/api/v1/forms/{form_id}/search"
    assert cast.alice.get(url, params={"q": "a", "to": "9999-12-31T23:59:59.999Z"}).status_code == 200
    refused = cast.alice.get(url, params={"q": "\u200b"})
    assert refused.status_code == 400 and refused.json()["errors"][0]["path"] == "/q"
