"""OpenSSL's own verdict, as a client with these roots would come to it."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from appliance.addresses import Paths
from appliance.runtime import certificate
from appliance.tls import pairs, trust
from tests.tls.authority import DAY, NOW, Authority, key_pem, new_key, pem


def doubt(text: bytes, folder: Path, authority: Authority | None) -> str | None:
    path = folder / "both.pem"
    path.write_bytes(text)
    roots = ssl.create_default_context(cadata=pem(authority.root).decode()) if authority else None
    return trust.find_doubt(path, roots)


def test_the_chain_must_lead_to_a_root(tmp_path: Path, authority: Authority) -> None:
    key = new_key()
    leaf = authority.leaf("a.test", key=key)
    whole = pem(leaf, authority.intermediate) + key_pem(key)
    assert doubt(whole, tmp_path, authority) is None
    assert doubt(whole, tmp_path, Authority()) is not None
    assert doubt(whole, tmp_path, None) == "unable to get local issuer certificate"
    assert doubt(pem(leaf) + key_pem(key), tmp_path, authority) == "unable to get local issuer certificate"
    assert not trust.is_trusted(whole, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both.pem"]


def test_time_and_kind_count(tmp_path: Path, authority: Authority) -> None:
    chain, key = authority.write(tmp_path, "a.test", begins=NOW - 9 * DAY, ends=NOW - DAY)
    assert doubt(pairs.read(chain, key).pem(), tmp_path, authority) == "certificate has expired"
    paths = Paths(tmp_path)
    paths.tls.mkdir()
    certificate.ensure(paths)
    own = paths.certificate.read_bytes() + paths.certificate_key.read_bytes()
    assert doubt(own, tmp_path, authority) == "self-signed certificate"


def test_this_machines_roots_are_asked(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_bytes(pem(authority.root))
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    chain, key = authority.write(tmp_path, "a.test")
    assert trust.is_trusted(pairs.read(chain, key).pem(), tmp_path)


def test_a_key_too_short_is_not_served(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    name = x509.Name([])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY).sign(key, hashes.SHA256())
    )  # fmt: skip
    found = doubt(pairs.Pair((made,), key).pem(), tmp_path, None)
    assert found is not None and "KEY_TOO_SMALL" in found
