"""A certificate authority of the tests: a root, one below it, and the pairs that a test wants of it."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
PEM = serialization.Encoding.PEM
REVOKED = x509.DistributionPoint([x509.UniformResourceIdentifier("http://crl.test/list")], None, None, None)
Key = ec.EllipticCurvePrivateKey


class Authority:
    def __init__(self) -> None:
        self.root_key, self.key = new_key(), new_key()
        self.root = _sign("root", self.root_key, "root", self.root_key, is_authority=True)
        self.intermediate = _sign("intermediate", self.key, "root", self.root_key, is_authority=True)

    def renewed(self, begins: dt.datetime, ends: dt.datetime) -> x509.Certificate:
        """The intermediate one once more, for another time."""
        return _sign(
            "intermediate", self.key, "root", self.root_key, begins=begins, ends=ends, is_authority=True
        )

    def leaf(
        self,
        *names: str,
        key: Key,
        begins: dt.datetime = NOW - DAY,
        ends: dt.datetime = NOW + 90 * DAY,
    ) -> x509.Certificate:
        return _sign("leaf", key, "intermediate", self.key, names=names, begins=begins, ends=ends)

    def write(
        self, folder: Path, *names: str, begins: dt.datetime = NOW - DAY, ends: dt.datetime = NOW + 90 * DAY
    ) -> tuple[Path, Path]:
        """Chain and key, in files of the folder."""
        key = new_key()
        chain = pem(self.leaf(*names, key=key, begins=begins, ends=ends), self.intermediate)
        paths = folder / "chain.pem", folder / "key.pem"
        paths[0].write_bytes(chain)
        paths[1].write_bytes(key_pem(key))
        paths[1].chmod(0o600)
        return paths


def new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(PEM) for each in certificates)


def key_pem(key: Key, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(PEM, serialization.PrivateFormat.TraditionalOpenSSL, encryption)


def _sign(
    subject: str,
    key: Key,
    issuer: str,
    by: Key,
    *,
    names: tuple[str, ...] = (),
    begins: dt.datetime = NOW - DAY,
    ends: dt.datetime = NOW + 900 * DAY,
    is_authority: bool = False,
) -> x509.Certificate:
    made = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if not is_authority:
        made = made.add_extension(x509.CRLDistributionPoints([REVOKED]), critical=False)
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    if names:
        made = made.add_extension(x509.SubjectAlternativeName(list(map(_called, names))), critical=False)
    return made.sign(by, hashes.SHA256())


def _called(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
