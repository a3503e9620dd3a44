"""The self-signed certificate that HTTPS starts with until the operator has a trusted one."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.addresses import Paths
from appliance.clock import Clock, utc_now
from appliance.disk import write_durably

# 825 days is the longest that Apple's clients accept, also under a root of one's own.
LIFETIME = dt.timedelta(days=825)
RENEW_BEFORE = dt.timedelta(days=30)


def ensure(paths: Paths, *, clock: Clock = utc_now) -> str | None:
    """Make or renew the certificate where needed; why it was made, or None when it stands."""
    reason = _find_fault(paths, clock())
    if reason:
        _make(paths, clock())
    return reason


def _find_fault(paths: Paths, now: dt.datetime) -> str | None:
    if not (paths.certificate.exists() and paths.certificate_key.exists()):
        return "first start"
    try:
        certificate = x509.load_pem_x509_certificate(paths.certificate.read_bytes())
        key = serialization.load_pem_private_key(paths.certificate_key.read_bytes(), None)
    except ValueError:
        return "unreadable"
    # A crash between the two writes leaves a key without its certificate.
    if _spki(certificate.public_key()) != _spki(key.public_key()):
        return "certificate and key did not belong together"
    left = certificate.not_valid_after_utc - now
    return f"{max(left.days, 0)} days left" if left < RENEW_BEFORE else None


def _spki(key: object) -> bytes:
    public: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public


def _make(paths: Paths, now: dt.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    host = socket.gethostname() or "localhost"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "forms appliance")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))  # clients whose clock is a little behind
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_durably(
        paths.certificate_key,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    write_durably(paths.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _names(host: str) -> list[x509.GeneralName]:
    return [
        *(x509.DNSName(name) for name in sorted({"localhost", *_dns_names(host)})),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]


def _dns_names(host: str) -> list[str]:
    """What a host is called is no reason not to start: a name that IDNA refuses is left out."""
    try:
        return [host.encode("idna").decode()]
    except UnicodeError:
        return []
