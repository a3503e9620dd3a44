"""Which certificate is served: at a start, after a change of settings, and when its files are replaced."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import settings
from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.runtime import folders, preflight, rendering, serving
from appliance.settings import Settings
from appliance.tls import record, sources
from appliance.tls.sources import Served
from tests import disks
from tests.tls.authority import DAY, NOW, Authority, pem


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def bare(chosen: Settings, paths: Paths) -> Settings:
    folders.create(paths)
    return chosen


@pytest.fixture
def own(bare: Settings, authority: Authority, tmp_path: Path) -> Settings:
    """With a certificate of the operator's."""
    chain, key = authority.write(tmp_path, "forms.test")
    return replace(bare, tls_certificate=chain, tls_key=key)


def kind(chosen: Settings) -> str:
    served = sources.read(Paths(chosen.data))
    assert served is not None
    return served.kind


def names(chosen: Settings) -> tuple[str, ...]:
    served = sources.read(Paths(chosen.data))
    assert served is not None
    return served.pair.names


def test_it_begins_self_signed_and_follows_the_settings(bare: Settings, own: Settings) -> None:
    assert serving.settle(bare) == ["made a self-signed certificate (first start)"]
    assert kind(bare) == "self-signed"
    assert serving.settle(bare) == []
    (told,) = serving.settle(own)
    assert told.startswith("serves the certificate of forms.test, until ")
    assert (kind(own), names(own)) == ("files", ("forms.test",))
    assert Paths(own.data).served.stat().st_mode & 0o777 == 0o600
    assert serving.settle(own) == []
    serving.settle(bare)
    assert kind(bare) == "self-signed"


def test_a_broken_one_is_refused_first_and_later_the_one_of_before_is_served(
    own: Settings, paths: Paths
) -> None:
    assert own.tls_certificate is not None
    good = own.tls_certificate.read_bytes()
    own.tls_certificate.write_text("nothing")
    with pytest.raises(CannotStart, match="holds no certificate"):
        serving.settle(own)
    assert [fault for fault in preflight.find_faults(own) if "holds no certificate" in fault]
    own.tls_certificate.write_bytes(good)
    serving.settle(own)
    own.tls_certificate.unlink()
    (told,) = serving.settle(own)
    assert told.startswith("the certificate of before is served: ")
    assert "there is no such file; next: " in told
    assert record.find(paths) is not None
    assert names(own) == ("forms.test",)
    assert not [fault for fault in preflight.find_faults(own) if "no such file" in fault]
    own.tls_certificate.write_bytes(good)
    assert serving.settle(own) == []
    assert record.find(paths) is None


def test_what_is_served_goes_on_when_it_has_expired(own: Settings) -> None:
    serving.settle(own)
    later = NOW + 91 * DAY
    assert serving.settle(own, clock=lambda: later) == []
    assert kind(own) == "files"


def test_settings_that_contradict_one_another_are_told(bare: Settings, own: Settings) -> None:
    cases = [
        (replace(own, tls_key=None), "APPLIANCE_TLS_CERTIFICATE is set, but not APPLIANCE_TLS_KEY; next: "),
        (replace(own, tls_certificate=None), "APPLIANCE_TLS_KEY is set, but not APPLIANCE_TLS_CERTIFICATE;"),
        (replace(own, acme_domains=("a.test",), acme_agree_tos=True), "are both set, and there is one"),
        (replace(bare, acme_domains=("a.test",)), "nobody has agreed to the terms of service of https://"),
    ]
    for chosen, expected in cases:
        with pytest.raises(CannotStart) as fault:
            serving.settle(chosen)
        assert expected in str(fault.value)
        assert [told for told in preflight.find_faults(chosen) if expected in told]


def test_acme_serves_self_signed_until_it_has_one(
    bare: Settings, authority: Authority, paths: Paths, tmp_path: Path
) -> None:
    chosen = replace(bare, acme_domains=("forms.test",), acme_agree_tos=True)
    serving.settle(chosen)
    assert kind(chosen) == "self-signed"
    chain, key = authority.write(tmp_path, "forms.test")
    paths.acme_certificate.write_bytes(chain.read_bytes() + key.read_bytes())
    serving.settle(chosen)
    assert kind(chosen) == "acme"
    paths.acme_certificate.write_text("damaged")
    assert "holds no certificate" in serving.settle(chosen)[0]
    assert kind(chosen) == "acme"
    paths.served.write_text("damaged too")
    serving.settle(chosen)
    assert kind(chosen) == "self-signed"


def test_hsts_is_told_under_a_trusted_certificate_only(
    bare: Settings, own: Settings, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = f'https "{rendering.HSTS}";'
    serving.settle(own)
    assert told not in rendering.nginx_text(own)
    assert told in rendering.nginx_text(replace(own, hsts="on"))
    roots = tmp_path / "roots.pem"
    roots.write_bytes(pem(authority.root))
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    assert told in rendering.nginx_text(own)
    assert told not in rendering.nginx_text(replace(own, hsts="off"))
    serving.settle(bare)
    assert told not in rendering.nginx_text(bare)


class Reloads:
    """What the watch asks the parent for; takes it up at once."""

    def __init__(self, chosen: Settings) -> None:
        self.settings, self.busy, self.taken = chosen, False, list[Served]()

    def renew(self, offered: Served) -> None:
        self.taken.append(offered)
        serving.put(Paths(self.settings.data), offered)


@pytest.fixture
def watched(own: Settings) -> tuple[Reloads, list[str], Callable[[], None]]:
    serving.settle(own)
    reloads, said, turns = Reloads(own), list[str](), iter(range(0, 10_000, 11))
    watch = serving.Watch(Paths(own.data), reloads, said.append)

    def look() -> None:
        watch.look(float(next(turns)))

    look()
    look()
    assert not reloads.taken and not said
    return reloads, said, look


def test_a_replacement_is_taken_up_once_it_keeps_still(
    watched: tuple[Reloads, list[str], Callable[[], None]], own: Settings, authority: Authority
) -> None:
    reloads, said, look = watched
    assert own.tls_certificate is not None
    authority.write(own.tls_certificate.parent, "new.test")
    look()
    assert reloads.taken == [], "it may be half of it yet"
    look()
    look()
    look()
    assert [each.pair.names for each in reloads.taken] == [("new.test",)]
    assert said == []


def test_a_broken_replacement_is_told_once_and_mended(
    watched: tuple[Reloads, list[str], Callable[[], None]], own: Settings, authority: Authority, paths: Paths
) -> None:
    reloads, said, look = watched
    assert own.tls_certificate is not None
    other = own.tls_certificate.parent / "other"
    other.mkdir()
    authority.write(other, "new.test")
    shutil.copy(other / "chain.pem", own.tls_certificate)  # and not its key
    for _ in range(4):
        look()
    (told,) = said
    assert told.startswith("the certificate of before goes on being served: ")
    assert "do not belong together; next: " in told
    assert str(record.find(paths)) in told
    assert reloads.taken == []
    assert names(own) == ("forms.test",)
    assert own.tls_key is not None
    shutil.copy(other / "key.pem", own.tls_key)
    for _ in range(3):
        look()
    assert names(own) == ("new.test",)
    assert record.find(paths) is None
    assert len(said) == 1


def test_a_mount_that_goes_away_holds_nobody_up(
    watched: tuple[Reloads, list[str], Callable[[], None]], own: Settings, paths: Paths
) -> None:
    """Its server does not answer: what was served is, it is told once, and a start goes on."""
    reloads, said, look = watched
    with disks.silent() as away:
        gone = replace(own, tls_certificate=away / "chain.pem", tls_key=away / "key.pem")
        reloads.settings = gone
        for _ in range(4):
            look()
        (told,) = said
        assert (
            told.startswith("the certificate of before goes on being served: ") and "does not answer" in told
        )
        assert str(record.find(paths)) in told
        assert "the certificate of before is served: " in serving.settle(gone)[0]
    assert names(own) == ("forms.test",)
    reloads.settings = own
    for _ in range(3):
        look()
    assert record.find(paths) is None and reloads.taken == []


def test_a_link_that_leads_elsewhere_is_followed(
    watched: tuple[Reloads, list[str], Callable[[], None]],
    own: Settings,
    authority: Authority,
    tmp_path: Path,
) -> None:
    """As certbot's live/ does, after each renewal, also where the setting came as text."""
    reloads, _, look = watched
    live = tmp_path / "live"
    live.symlink_to(tmp_path)
    given = {"APPLIANCE_TLS_CERTIFICATE": str(live / "chain.pem"), "APPLIANCE_TLS_KEY": str(live / "key.pem")}
    linked = settings.load({"APPLIANCE_DATA": str(own.data), **given}, dotenv=tmp_path / "none")
    reloads.settings = linked
    look()
    look()
    assert reloads.taken == []
    (tmp_path / "renewed").mkdir()
    authority.write(tmp_path / "renewed", "new.test")
    live.unlink()
    live.symlink_to(tmp_path / "renewed")
    look()
    look()
    assert [each.pair.names for each in reloads.taken] == [("new.test",)]


def test_nothing_is_looked_at_while_a_reload_runs(
    watched: tuple[Reloads, list[str], Callable[[], None]], own: Settings, authority: Authority
) -> None:
    reloads, _, look = watched
    assert own.tls_certificate is not None
    reloads.busy = True
    authority.write(own.tls_certificate.parent, "new.test")
    for _ in range(4):
        look()
    assert reloads.taken == []
    reloads.busy = False
    for _ in range(2):
        look()
    assert len(reloads.taken) == 1


def test_a_self_signed_one_is_made_anew_while_it_runs(bare: Settings) -> None:
    now = NOW
    serving.settle(bare)
    reloads = Reloads(bare)
    said: list[str] = []
    watch = serving.Watch(Paths(bare.data), reloads, said.append, clock=lambda: now)
    for turn in range(3):
        watch.look(turn * 11.0)
    assert reloads.taken == []
    now = NOW + dt.timedelta(days=800)
    for turn in range(3, 6):
        watch.look(turn * 11.0)
    assert len(said) == 1 and "made a self-signed certificate" in said[0]
    (made,) = reloads.taken
    assert made.pair.ends > now + dt.timedelta(days=800)
