"""A ring over its rotations: in one process, in several, with and without SECRET_KEY."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from appliance.clock import utc_now
from appliance.errors import CannotStart, Unauthenticated
from appliance.security import keyring
from appliance.security.keyring import Keyring, open_keyring
from appliance.security.tokens import Tokens
from appliance.settings import HOME

DAY = dt.timedelta(hours=24)
GIVEN, OTHER = "a-secret-key-of-more-than-32-bytes", "another-secret-key-of-over-32-bytes"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jwt_keys.json"


def states(path: Path) -> Counter[str]:
    return Counter(key.state for key in keyring.read(path))


def secret(path: Path, state: str) -> str:
    return next(key.secret for key in keyring.read(path) if key.state == state)


def test_a_ring_is_made_once_and_only_its_user_reads_it(path: Path) -> None:
    code = "from appliance.security import keyring; from pathlib import Path;"
    code += f"print(keyring.open_keyring(Path({str(path)!r}), None).active.kid)"
    started = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdout=subprocess.PIPE,
            cwd=HOME,
            env={"PYTHONPATH": str(HOME)},
        )
        for _ in range(4)
    ]
    assert len({child.communicate()[0] for child in started}) == 1
    assert [child.returncode for child in started] == [0] * 4
    assert states(path) == {"active": 1, "next": 1}
    assert path.stat().st_mode & 0o777 == 0o600


def test_rotation_moves_each_key_on(path: Path) -> None:
    open_keyring(path, None)
    first, second = secret(path, "active"), secret(path, "next")
    keyring.rotate(path, DAY)
    assert (secret(path, "retiring"), secret(path, "active")) == (first, second)
    assert states(path) == {"active": 1, "next": 1, "retiring": 1}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_is_spent_when_nothing_it_signed_can_live(path: Path) -> None:
    open_keyring(path, GIVEN)
    start = utc_now()
    keyring.rotate(path, DAY, clock=lambda: start)
    keyring.rotate(path, DAY, clock=lambda: start + 2 * DAY - dt.timedelta(minutes=1))
    assert states(path) == {"active": 1, "next": 1, "retiring": 2}
    keyring.rotate(path, DAY, clock=lambda: start + 2 * DAY)
    assert states(path) == {"active": 1, "next": 1, "retiring": 2, "spent": 1}
    assert GIVEN not in path.read_text()
    open_keyring(path, GIVEN)
    assert secret(path, "active") != GIVEN, "a SECRET_KEY that was used up does not come back"


def test_a_secret_key_given_later_becomes_active(path: Path) -> None:
    before = Tokens(open_keyring(path, None), 24)
    old = before.issue("u", [], 1)
    after = Tokens(open_keyring(path, GIVEN), 24)
    assert secret(path, "active") == GIVEN
    assert states(path) == {"active": 1, "next": 1, "retiring": 1}
    assert after.verify(old).user_id == "u"
    assert before.verify(after.issue("v", [], 1)).user_id == "v", "a process that was not restarted"
    open_keyring(path, GIVEN)
    assert states(path) == {"active": 1, "next": 1, "retiring": 1}
    keyring.rotate(path, DAY)
    open_keyring(path, GIVEN)
    assert secret(path, "active") not in (GIVEN, OTHER), "a rotation is not undone by the next start"
    open_keyring(path, OTHER)
    assert secret(path, "active") == OTHER


def test_processes_that_have_not_looked_yet_know_what_the_others_sign(path: Path) -> None:
    rings = [Tokens(open_keyring(path, None), 24) for _ in range(3)]
    stopped = Tokens(Keyring(path, now=lambda: 0.0), 24)  # its second never passes
    for _ in range(4):
        keyring.rotate(path, DAY)
        fresh = Tokens(Keyring(path), 24)
        token = fresh.issue("u", [], 1)
        for ring in (*rings, stopped):
            assert ring.verify(token).user_id == "u"
            assert fresh.verify(ring.issue("u", [], 1)).user_id == "u"


def test_the_file_is_read_again_within_a_second(path: Path) -> None:
    open_keyring(path, None)
    now = [0.0]
    ring = Keyring(path, now=lambda: now[0])
    before = ring.active
    keyring.rotate(path, DAY)
    now[0] = 0.9
    assert ring.active == before
    now[0] = 1.0
    assert ring.active.secret == secret(path, "active") != before.secret


def test_a_file_that_went_bad_leaves_the_keys_as_they_are(path: Path) -> None:
    now = [0.0]
    open_keyring(path, None)
    ring = Keyring(path, now=lambda: now[0])
    good = path.read_bytes()
    for content in (b"{", b"[]", json.dumps([{"kid": 1}]).encode()):
        path.write_bytes(content)
        now[0] += 5
        assert ring.active.secret
        assert ring.find("unknown") is None
        with pytest.raises(CannotStart, match="restore it"):
            Keyring(path)
    path.unlink()
    now[0] += 5
    assert ring.active.secret
    path.write_bytes(good)
    keyring.rotate(path, DAY)
    now[0] += 5
    assert ring.active.secret == secret(path, "active")


def test_rotations_at_once_do_not_lose_each_other(path: Path) -> None:
    open_keyring(path, None)
    threads = [threading.Thread(target=keyring.rotate, args=(path, DAY)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states(path) == {"active": 1, "next": 1, "retiring": 12}


def test_a_spent_key_verifies_nothing(path: Path) -> None:
    ring = open_keyring(path, None)
    token = Tokens(ring, 24).issue("u", [], 1)
    keyring.rotate(path, DAY, clock=lambda: utc_now() - 3 * DAY)
    keyring.rotate(path, DAY)
    with pytest.raises(Unauthenticated):
        Tokens(Keyring(path), 24).verify(token)
