"""Keys with a successor: what is signed, sealed and derived stays readable, and all processes agree."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from appliance.clock import utc_now
from appliance.errors import BadRequest, CannotStart
from appliance.security import key_files
from appliance.security.key_files import LEAD, KeyFile
from appliance.security.sealing import Broken, Sealer
from appliance.security.signatures import KEPT, Signer

START = utc_now()


class Clocks:
    """Both clocks of a key file, put where a test wants them."""

    def __init__(self) -> None:
        self.moment = START
        self.seconds = 0.0

    def forward(self, by: dt.timedelta) -> None:
        self.moment += by
        self.seconds += by.total_seconds()

    def open(self, path: Path) -> KeyFile:
        return KeyFile(path, now=lambda: self.seconds, clock=lambda: self.moment)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """As older releases made it: one key, no moment."""
    made = tmp_path / "key"
    made.write_text("ab" * 32)
    return made


def test_a_new_key_is_used_at_one_moment_by_all(path: Path, clocks: Clocks) -> None:
    rings = [clocks.open(path) for _ in range(3)]
    old = rings[0].at()
    new = key_files.add(path, clock=lambda: clocks.moment)
    assert [ring.at() for ring in rings] == [old] * 3
    clocks.forward(LEAD - dt.timedelta(milliseconds=1))
    assert [ring.at() for ring in rings] == [old] * 3
    clocks.forward(dt.timedelta(milliseconds=1))
    assert [ring.at().secret for ring in rings] == [new.secret] * 3
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_was_signed_before_is_read_until_the_key_goes(path: Path, clocks: Clocks) -> None:
    signer = Signer(clocks.open(path))
    before = signer.sign("list", [1])
    key_files.add(path, clock=lambda: clocks.moment)
    clocks.forward(LEAD)
    after = signer.sign("list", [1])
    assert before != after
    assert signer.read("list", before) == signer.read("list", after) == [1]
    assert key_files.take_out(path, clocks.moment - KEPT) == 0
    clocks.forward(KEPT + dt.timedelta(seconds=2))
    assert key_files.take_out(path, clocks.moment - KEPT) == 1
    clocks.forward(dt.timedelta(seconds=1))
    assert signer.read("list", after) == [1]
    with pytest.raises(BadRequest):
        signer.read("list", before)


def test_what_is_derived_from_an_id_comes_of_the_key_of_its_time(path: Path, clocks: Clocks) -> None:
    """A repeated request is told the secret of the first one, whatever was replaced meanwhile."""
    signer = Signer(clocks.open(path))
    early, body = _id_of(clocks.moment), '{"a": 1}'
    secret, digest = signer.derive("api-key", early), signer.derive("body", body)
    key_files.add(path, clock=lambda: clocks.moment)
    clocks.forward(LEAD)
    assert signer.derive("api-key", early) == secret
    assert signer.derive("body", body) != digest
    assert signer.derive_others("body", body) == [digest]
    late = _id_of(clocks.moment + dt.timedelta(milliseconds=1))
    assert signer.derive("api-key", late) == Signer(clocks.open(path)).derive("api-key", late)
    assert signer.derive("api-key", late) not in signer.derive_others("api-key", late)


def _id_of(moment: dt.datetime) -> str:
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-7abc-8abc-0123456789ab"


def test_what_was_sealed_before_opens_and_is_known_for_old(path: Path, clocks: Clocks) -> None:
    sealer = Sealer(clocks.open(path))
    before = sealer.seal("hook", "secret")
    assert sealer.is_current("hook", before)
    key_files.add(path, clock=lambda: clocks.moment)
    clocks.forward(LEAD)
    assert sealer.open("hook", before) == "secret"
    assert not sealer.is_current("hook", before)
    after = sealer.seal("hook", "secret")
    assert sealer.is_current("hook", after)
    assert key_files.take_out(path, clocks.moment + dt.timedelta(seconds=1)) == 1
    clocks.forward(dt.timedelta(seconds=1))
    assert sealer.open("hook", after) == "secret"
    with pytest.raises(Broken):
        sealer.open("hook", before)


def test_the_last_key_never_goes(path: Path) -> None:
    assert key_files.take_out(path, utc_now() + dt.timedelta(days=400)) == 0
    key_files.add(path)
    key_files.add(path)
    assert key_files.take_out(path, utc_now() + dt.timedelta(days=400)) == 2
    assert len(key_files.read(path)) == 1


@pytest.mark.parametrize("content", ["", "\n", "no hex", "ab" * 32 + " yesterday"])
def test_a_file_without_keys_is_refused_and_one_that_went_bad_changes_nothing(
    path: Path, clocks: Clocks, content: str
) -> None:
    ring = clocks.open(path)
    before = ring.all()
    path.write_text(content)
    with pytest.raises(CannotStart, match="holds no keys; restore it from a backup"):
        key_files.read(path)
    clocks.forward(dt.timedelta(seconds=2))
    assert ring.all() == before
