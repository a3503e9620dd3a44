"""The data folder: private, its secrets made once, its certificate renewed in time."""

from __future__ import annotations

import datetime as dt
import os
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from appliance import clock, disk
from appliance.addresses import Paths, front_url, mongodb_uri, read_line, redis_url
from appliance.errors import CannotStart
from appliance.runtime import certificate, folders, mongo
from appliance.settings import FOLDERS, Settings


def test_folders_are_private_whatever_the_umask(paths: Paths) -> None:
    for name in FOLDERS:
        assert (paths.data / name).stat().st_mode & 0o777 == 0o700
    assert paths.data.stat().st_mode & 0o777 == 0o700


def test_what_was_open_is_closed_and_said(paths: Paths) -> None:
    paths.data.chmod(0o777)
    paths.logs.chmod(0o750)
    assert folders.create(paths) == [
        f"closed {paths.data} to other users; its mode was 0777",
        f"closed {paths.logs} to other users; its mode was 0750",
    ]
    assert paths.data.stat().st_mode & 0o777 == paths.logs.stat().st_mode & 0o777 == 0o700
    assert folders.create(paths) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make somebody else's link")
def test_a_link_of_somebody_else_is_refused_and_not_followed(paths: Paths, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o755)
    paths.logs.rmdir()
    paths.logs.symlink_to(victim)
    os.lchown(paths.logs, 12345, 12345)
    with pytest.raises(OSError, match="is a link that is not ours"):
        folders.create(paths)
    assert victim.stat().st_mode & 0o777 == 0o755


def test_secrets_are_private_different_and_made_once(paths: Paths, chosen: Settings) -> None:
    files = (paths.redis_password, paths.mongo_password, paths.admin_password)
    before = [read_line(file) for file in files]
    assert len(set(before)) == 3
    assert all(len(secret) >= 16 for secret in before)
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert folders.create_secrets(paths, replace(chosen, admin_password="another")) == []
    assert [read_line(file) for file in files] == before


def test_the_operators_own_password_is_taken(paths: Paths, chosen: Settings) -> None:
    paths.admin_password.unlink()
    assert folders.create_secrets(paths, replace(chosen, admin_password="given")) == [paths.admin_password]
    assert read_line(paths.admin_password) == "given"


def test_a_failed_write_leaves_the_old_content_and_nothing_else(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = paths.secrets / "x"
    disk.write_durably(file, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    before = sorted(paths.secrets.iterdir())
    with pytest.raises(OSError, match="No space"):
        disk.write_durably(file, "new")
    assert file.read_text() == "old"
    assert sorted(paths.secrets.iterdir()) == before


def load(paths: Paths) -> x509.Certificate:
    return x509.load_pem_x509_certificate(paths.certificate.read_bytes())


def test_the_certificate_names_this_machine_and_lasts(paths: Paths) -> None:
    assert certificate.ensure(paths) == "first start"
    made = load(paths)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1"}
    assert made.not_valid_after_utc - clock.utc_now() > dt.timedelta(days=824)
    assert paths.certificate_key.stat().st_mode & 0o777 == 0o600
    ssl.create_default_context().load_cert_chain(paths.certificate, paths.certificate_key)


@pytest.mark.parametrize("days, renewed", [(0, False), (794, False), (796, True), (900, True)])
def test_it_is_renewed_in_its_last_30_days(paths: Paths, days: int, renewed: bool) -> None:
    certificate.ensure(paths)
    before = load(paths).serial_number
    later = clock.utc_now() + dt.timedelta(days=days)
    reason = certificate.ensure(paths, clock=lambda: later)
    assert (reason is not None) is renewed
    assert (load(paths).serial_number != before) is renewed


@pytest.mark.parametrize("damage", ["key of another", "not a certificate", "no key"])
def test_a_damaged_pair_is_made_anew(paths: Paths, damage: str) -> None:
    certificate.ensure(paths)
    if damage == "key of another":
        old = paths.certificate.read_bytes()
        paths.certificate.unlink()
        certificate.ensure(paths)
        paths.certificate.write_bytes(old)
    elif damage == "not a certificate":
        paths.certificate.write_text("x")
    else:
        paths.certificate_key.unlink()
    assert certificate.ensure(paths)
    assert certificate.ensure(paths) is None
    ssl.create_default_context().load_cert_chain(paths.certificate, paths.certificate_key)


def test_addresses_need_a_first_start_and_say_so(chosen: Settings) -> None:
    for address in (mongodb_uri, redis_url):
        with pytest.raises(
            CannotStart, match=r"No such file or directory; run \./scripts/up, which creates it"
        ):
            address(chosen)


def test_addresses_quote_what_is_in_them(paths: Paths, chosen: Settings) -> None:
    paths.mongo_password.write_text("a/b:c@d?e\n")
    paths.redis_password.write_text("a/b:c@d?e\n")
    port = mongo.ensure_port(paths)
    assert mongodb_uri(chosen).startswith(
        f"mongodb://appliance:a%2Fb%3Ac%40d%3Fe@127.0.0.1:{port}/appliance?"
    )
    assert redis_url(chosen) == f"unix://:a%2Fb%3Ac%40d%3Fe@{paths.redis_socket}"


@pytest.mark.parametrize(
    "bind, expected",
    [
        (("127.0.0.1",), "http://127.0.0.1:{http}"),
        (("0.0.0.0", "::"), "http://127.0.0.1:{http}"),
        (("::1",), "http://[::1]:{http}"),
        (("192.0.2.7",), "https://192.0.2.7:{https}"),
        (("2001:db8::7",), "https://[2001:db8::7]:{https}"),
    ],
)
def test_where_this_machine_reaches_itself(chosen: Settings, bind: tuple[str, ...], expected: str) -> None:
    ports = {"http": chosen.http_port, "https": chosen.https_port}
    assert front_url(replace(chosen, bind=bind)) == expected.format(**ports)


@pytest.mark.parametrize("name", ["x" * 64, "a..b", ".x", "\udcff"])
def test_a_host_name_that_no_certificate_can_hold_is_left_out(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: name)
    assert certificate.ensure(paths) == "first start"
    names = load(paths).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
