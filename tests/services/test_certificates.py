"""A certificate from a real ACME service, proven through nginx; and everything that goes wrong on the way."""

from __future__ import annotations

import asyncio
import datetime as dt
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from appliance.addresses import Paths
from appliance.clock import utc_now
from appliance.runtime import folders
from appliance.security import acme
from appliance.services import certificates
from appliance.services.certificates import WAITS, find_reason, find_state, renew_if_due
from appliance.settings import HOME, Settings
from appliance.tls import pairs
from appliance.tls.pairs import Pair
from tests.runtime.servers import Front, front, temporary_data
from tests.tls.pebble import Pebble

NAMES = ("forms.example.test", "www.example.test")


@dataclass
class Place:
    """nginx as others reach it, and Pebble, which comes to look."""

    front: Front
    pebble: Pebble
    settings: Settings
    environ: dict[str, str]

    @property
    def paths(self) -> Paths:
        return Paths(self.settings.data)

    def pair(self) -> Pair:
        pair = pairs.read(self.paths.acme_certificate, self.paths.acme_certificate)
        pairs.check(pair, utc_now(), "acme.pem", "acme.pem")
        return pair

    def renew(self, now: dt.datetime | None = None) -> int:
        return asyncio.run(renew_if_due(self.settings, (lambda: now) if now else utc_now))

    def left(self) -> list[str]:
        """What lies in tls/ beside the self-signed certificate and what is served."""
        ours = ("self-signed.crt", "self-signed.key", "served.pem")
        return sorted(path.name for path in self.paths.tls.iterdir() if path.name not in ours)


@pytest.fixture(scope="module")
def whole() -> Iterator[Place]:
    with temporary_data() as data, front(data) as door:
        pebble = Pebble(data.parent / "pebble", door.settings.http_port)
        with pebble.running():
            chosen = replace(
                door.settings, acme_domains=NAMES, acme_email="a@example.test",
                acme_directory=pebble.directory, acme_agree_tos=True,
            )  # fmt: skip
            environ = {
                "APPLIANCE_DATA": str(data),
                "APPLIANCE_HTTP_PORT": str(chosen.http_port),
                "APPLIANCE_DOTENV": "/nonexistent",
                "ACME_DOMAINS": ",".join(NAMES),
                "ACME_DIRECTORY": pebble.directory,
                "ACME_AGREE_TOS": "on",
                "SSL_CERT_FILE": str(pebble.roots),
                "PYTHONPATH": str(HOME),
            }
            yield Place(door, pebble, chosen, environ)


@pytest.fixture
def place(whole: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Nothing was obtained yet."""
    for name in whole.left():
        (whole.paths.tls / name).unlink()
    for name, value in whole.environ.items():
        monkeypatch.setenv(name, value)
    return whole


def test_it_is_obtained_and_renewed_in_its_last_third(place: Place) -> None:
    assert find_reason(place.settings, utc_now()) == "there is none yet"
    assert place.renew() == 1
    first = place.pair()
    assert set(first.names) == set(NAMES)
    (account,) = place.paths.tls.glob("acme-account-*.key")
    assert place.left() == [account.name, "acme.pem"]
    assert {path.stat().st_mode & 0o777 for path in place.paths.tls.iterdir()} == {0o600}
    assert list(place.paths.challenges.iterdir()) == []
    assert acme.directory_of(place.paths.acme_certificate.read_bytes()) == place.pebble.directory

    key, issued = account.read_bytes(), place.pebble.count_issued()
    early = first.ends - first.lifetime * 0.34
    assert place.renew() == place.renew(early) == 0
    assert place.pebble.count_issued() == issued
    assert place.renew(first.ends - first.lifetime * 0.33) == 1
    second = place.pair()
    assert second.leaf.serial_number != first.leaf.serial_number
    assert second.leaf.public_key() != first.leaf.public_key(), "a key of its own"
    assert account.read_bytes() == key
    assert place.pebble.count_issued() == issued + 1


def test_other_names_and_another_service_need_another_one(place: Place) -> None:
    assert place.renew() == 1
    for changed, reason in (
        ({"acme_domains": NAMES[:1]}, "it is for other names"),
        ({"acme_domains": (*NAMES, "more.example.test")}, "it is for other names"),
        ({"acme_directory": "https://acme.example.test/dir"}, "it is of another service"),
    ):
        other = replace(place.settings, **changed)
        assert find_reason(other, utc_now()) == reason
    place.paths.acme_certificate.write_text("nothing")
    assert "holds no certificate" in str(find_reason(place.settings, utc_now()))
    assert place.renew() == 1
    place.pair()


def test_without_names_or_consent_nobody_is_asked(place: Place) -> None:
    for changed in (replace(place.settings, acme_domains=()), replace(place.settings, acme_agree_tos=False)):
        assert asyncio.run(renew_if_due(changed, utc_now, ask=never)) == 0


async def never() -> str | None:
    raise AssertionError("it was asked")


def test_a_proof_that_fails_is_told_and_waits(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is put to where nginx does not look."""
    other = place.paths.data.with_name("other")
    monkeypatch.setenv("APPLIANCE_DATA", str(other))
    hidden = replace(place, settings=replace(place.settings, data=other))
    folders.create(hidden.paths)
    assert hidden.renew() == 0
    state = find_state(hidden.settings)
    assert state is not None
    assert state.failures == 1
    assert state.fault.startswith(tuple(f"not proven: {name}: " for name in NAMES))
    assert "returned 404" in state.fault
    assert f"; next: let port 80 of each name lead to port {place.settings.http_port} here" in state.fault
    assert WAITS[0] <= state.next_at - state.at <= WAITS[0] * 1.1
    assert list(hidden.paths.challenges.iterdir()) == []
    assert asyncio.run(renew_if_due(hidden.settings, utc_now, ask=never)) == 0
    hidden.paths.challenges.rmdir()
    hidden.paths.challenges.symlink_to(place.paths.challenges)
    assert hidden.renew(state.next_at + dt.timedelta(seconds=1)) == 1
    assert find_state(hidden.settings) is None
    hidden.pair()


def test_a_service_that_is_away_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    away = "https://127.0.0.1:9/dir"
    monkeypatch.setenv("ACME_DIRECTORY", away)
    other = replace(place, settings=replace(place.settings, acme_directory=away))
    assert other.renew() == 0
    state = find_state(other.settings)
    assert state is not None
    assert state.fault.startswith(f"{away} cannot be asked: ")
    assert find_state(place.settings) is None, "with other settings nothing has failed"


def test_a_service_that_nobody_vouches_for_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    assert place.renew() == 0
    state = find_state(place.settings)
    assert state is not None
    assert "CERTIFICATE_VERIFY_FAILED" in state.fault


def test_failures_wait_longer_and_longer_also_for_one_that_dies_midway(place: Place) -> None:
    now, asked = utc_now(), 0

    async def fails() -> str | None:
        nonlocal asked
        asked += 1
        return "because"

    async def dies() -> str | None:
        raise KeyboardInterrupt

    waits = []
    for turn in range(len(WAITS) + 2):
        assert asyncio.run(renew_if_due(place.settings, lambda: now, fails)) == 0  # noqa: B023
        state = find_state(place.settings)
        assert state is not None
        assert state.failures == turn + 1
        waits.append(state.next_at - now)
        asyncio.run(renew_if_due(place.settings, lambda: now, never))  # noqa: B023
        now = state.next_at + dt.timedelta(seconds=1)
    assert asked == len(waits)
    assert all(
        least <= wait <= least * 1.1
        for least, wait in zip((*WAITS, WAITS[-1], WAITS[-1]), waits, strict=True)
    )
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(renew_if_due(place.settings, lambda: now, dies))
    state = find_state(place.settings)
    assert state is not None
    assert (state.failures, state.fault) == (len(WAITS) + 3, "because")
    asyncio.run(renew_if_due(place.settings, lambda: now + dt.timedelta(hours=12), never))
    # A clock that was far ahead does not keep it from asking for ever.
    assert asyncio.run(renew_if_due(place.settings, lambda: now + dt.timedelta(days=1, hours=3), fails)) == 0
    assert asked == len(waits) + 1


def test_one_who_asked_too_often_waits_for_hours(place: Place) -> None:
    async def limited() -> str | None:
        return f"the service refuses: {acme.TOO_OFTEN}: slow down"

    now = utc_now()
    asyncio.run(renew_if_due(place.settings, lambda: now, limited))
    state = find_state(place.settings)
    assert state is not None
    assert state.next_at - now >= certificates.LIMITED


KILL = """if True:
    import os, pathlib, signal, sys
    at, word, real = sys.argv[1], sys.argv[2], {}
    def watched(name):
        real[name] = getattr(pathlib.Path, name)
        def step(self, other):
            is_it = any(pathlib.Path(each).name.startswith(word) for each in (self, other))
            if is_it and at == "before": os.kill(os.getpid(), signal.SIGKILL)
            told = real[name](self, other)
            if is_it and at == "after": os.kill(os.getpid(), signal.SIGKILL)
            return told
        setattr(pathlib.Path, name, step)
    for name in ("replace", "hardlink_to"): watched(name)
    from appliance.services import acme_child
    sys.exit(acme_child.main(os.getppid()))
"""


def test_killed_at_any_write_it_leaves_a_working_pair_and_goes_on(place: Place) -> None:
    """Writes: the account's key, the order, the certificate."""
    issued = place.pebble.count_issued()
    kills = [("before", "acme-account"), ("after", "acme-account"), ("before", "acme-order")]
    kills += [("after", "acme-order"), ("before", "acme.pem")]
    for at, name in kills:  # one step further each time
        assert run_child(at, name) == -9
        assert not place.paths.acme_certificate.exists()
    assert place.pebble.count_issued() == issued + 1
    assert place.paths.acme_order.exists()
    assert run_child("after", "acme.pem") == -9, "what was made is fetched and kept"
    first = place.pair()
    assert place.pebble.count_issued() == issued + 1, "not made again"
    assert place.paths.acme_order.exists(), "it had no time to remove that"
    assert run_child("never", "") == 0
    assert place.pebble.count_issued() == issued + 2
    assert place.pair().leaf.serial_number != first.leaf.serial_number
    assert [name for name in place.left() if "account" not in name] == ["acme.pem"], "no drafts"
    assert list(place.paths.challenges.iterdir()) == []


def run_child(at: str, name: str) -> int:
    command = [sys.executable, "-P", "-c", KILL, at, name]
    return subprocess.run(command, timeout=120, check=False).returncode
