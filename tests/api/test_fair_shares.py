"""No address takes a form's whole room for uploads and half-filled responses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from appliance.clock import utc_now
from appliance.stores import storage
from appliance.stores.storage import MOST_PARTIAL_BYTES, Share
from tests import people
from tests.api.forms import publish
from tests.api.test_partials import path_of, save
from tests.api.test_shares import give
from tests.api.uploads import PNG, answer_with, form_with_files, new_token, upload
from tests.faults.steering import with_context
from tests.people import People
from tests.running import Running, running

MB = 1024 * 1024
ONE = PNG + bytes(MB - len(PNG))
FULL = (409, "/problems/storage-full")


@pytest.fixture(scope="module")
def narrow(mailbox: object) -> Iterator[Running]:
    """One address may have 4 MiB of a form's files, and 10.2 MiB of its half-filled responses."""
    room = {"APPLIANCE_FORM_FILES_MB": "400", "APPLIANCE_UPLOAD_MB": "1", "APPLIANCE_ADDRESS_SHARE": "1"}
    with running(APPLIANCE_TRUSTED_PROXIES="127.0.0.1/32", **room) as started:
        yield started


@pytest.fixture(scope="module")
def cast(narrow: Running) -> Iterator[People]:
    with people.gather(narrow) as gathered:
        yield gathered


def at(appliance: Running, address: str, client: httpx.Client | None = None) -> httpx.Client:
    """Somebody whom a trusted proxy tells of; a stranger unless `client` is signed in."""
    told = {"x-forwarded-for": address, "x-forwarded-proto": "https"}
    signed = client.headers["authorization"].split()[1] if client else None
    made = appliance.client(signed)
    made.headers.update(told)
    return made


def outcome(answer: httpx.Response) -> int | tuple[int, str]:
    return answer.status_code if answer.is_success else (answer.status_code, answer.json()["type"])


def test_the_files_of_one_address_leave_room_for_others(narrow: Running, cast: People) -> None:
    form_id, other_form = form_with_files(cast.alice), form_with_files(cast.alice)
    give(cast.alice, form_id, ("charlie", "edit"))
    with at(narrow, "2001:db8:0:1::1") as stranger, at(narrow, "2001:db8:0:1::2") as same_network:
        sent = [upload(stranger, form_id, content=ONE) for _ in range(4)]
        assert [outcome(answer) for answer in sent] == [201] * 4
        refused = upload(same_network, form_id, content=ONE)
        assert outcome(refused) == FULL and "your address" in refused.json()["detail"]
        assert outcome(upload(stranger, other_form, content=ONE)) == 201, "each form by itself"
        items = [{"name": "a", "type": "b", "content": answer.json()["content"]} for answer in sent[:2]]
        assert answer_with(stranger, form_id, photos=items).status_code == 201
        more = [outcome(upload(stranger, form_id, content=ONE)) for _ in range(3)]
        assert more == [201, 201, FULL], "what was submitted takes nothing of it any more"
    for client, expected in ((cast.charlie, 201), (cast.bob, FULL)):
        with at(narrow, "2001:db8:0:1::3", client) as signed_in:
            assert outcome(upload(signed_in, form_id, content=ONE)) == expected, (
                "who may edit is not concerned"
            )
    with at(narrow, "192.0.2.7") as neighbour:
        assert outcome(upload(neighbour, form_id, content=ONE)) == 201
    with narrow.database() as database:
        rows = list(database.get_default_database("appliance").files.find({"form_id": form_id}))
    assert "2001" not in str(rows), "the address itself is not kept"
    assert [row.get("origin") for row in rows if row["state"] == "kept"] == [None, None]


def test_many_uploads_at_once_get_no_more(narrow: Running, cast: People) -> None:
    form_id = form_with_files(cast.alice)

    def one(_: int) -> int | tuple[int, str]:
        with at(narrow, "192.0.2.8") as stranger:
            return outcome(upload(stranger, form_id, content=ONE))

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(one, range(12)))
    assert sorted(map(str, found)) == sorted(map(str, [201] * 4 + [FULL] * 8))


def test_half_filled_responses_of_one_address_leave_room_for_others(narrow: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    large = {"name": "x" * 1_000_000}
    with at(narrow, "192.0.2.9") as stranger:
        tokens = [new_token() for _ in range(MOST_PARTIAL_BYTES // 100 // 1_000_000)]
        assert [outcome(save(stranger, form_id, token, data=large)) for token in tokens] == [201] * len(
            tokens
        )
        refused = save(stranger, form_id, new_token(), data=large)
        assert outcome(refused) == FULL and "your address" in refused.json()["detail"]
        small = new_token()
        assert outcome(save(stranger, form_id, small)) == 201
        assert outcome(save(stranger, form_id, small, data=large)) == FULL, "nor by growing"
        with at(narrow, "192.0.2.10") as elsewhere:
            assert outcome(save(elsewhere, form_id, small, data=large)) == FULL, "it stays whose it was"
            assert outcome(save(elsewhere, form_id, new_token(), data=large)) == 201
        assert stranger.delete(path_of(form_id, tokens[0])).status_code == 204
        assert outcome(save(stranger, form_id, small, data=large)) == 200
        done = stranger.post(
            f"/api/v1/forms/{form_id}/responses", json={"data": {"name": "A"}, "partial": tokens[1]}
        )
        assert done.status_code == 201
        assert outcome(save(stranger, form_id, new_token(), data=large)) == 201
    with at(narrow, "192.0.2.9", cast.alice) as owner:
        assert outcome(save(owner, form_id, new_token(), data=large)) == 201


def test_what_a_death_left_in_a_share_is_counted_anew(narrow: Running, cast: People) -> None:
    form_id, later = publish(cast.alice, public=True), utc_now() + dt.timedelta(hours=2)
    with at(narrow, "192.0.2.11") as stranger, narrow.database() as client:
        token = new_token()
        assert outcome(save(stranger, form_id, token)) == 201
        db = client.get_default_database("appliance")
        row = db.partials.find_one({"form_id": form_id})
        assert row is not None
        share = {"_id": row["origin"]}
        db.form_storage.update_one(share, {"$set": {"partials": 200}})
        assert outcome(save(stranger, form_id, new_token())) == FULL
        assert outcome(save(stranger, form_id, token, data={"name": "longer"})) == 200, (
            "what is there goes on"
        )
        with_context(narrow, lambda context: storage.recount_shares(context.db, later, 1000))
        assert outcome(save(stranger, form_id, new_token())) == 201
        db.partials.delete_many({"form_id": form_id})
        with_context(narrow, lambda context: storage.recount_shares(context.db, later, 1000))
        assert db.form_storage.find_one(share) is None


def test_a_share_is_so_many_and_so_large() -> None:
    share = Share("o", 2, 10)
    share.check(2, 10)
    for count, size in ((3, 0), (0, 11)):
        with pytest.raises(Exception, match="your address"):
            share.check(count, size)
