"""A certificate with its key, as files hold them: read whole, and judged before anybody serves them."""

from __future__ import annotations

import datetime as dt
import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from appliance.errors import CannotStart
from appliance.tls import distant
from appliance.tls.distant import Seen

_LEAST, _LEAST_CURVE = 2048, 224
"""Bits of a key: of RSA and DSA, and of one on a curve."""
_WEAK = ("md5", "sha1")
_KEY = re.compile(rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.DOTALL)


class BadPair(CannotStart):
    """It cannot be served. The message says which file, why, and what to do next."""


class NoAnswer(BadPair):
    """It could not be read in time; so nothing is known of it."""


@dataclass(frozen=True, slots=True)
class Pair:
    chain: tuple[x509.Certificate, ...]
    """The server's own first."""
    key: PrivateKeyTypes

    @property
    def leaf(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def begins(self) -> dt.datetime:
        """Of the whole chain: clients refuse it as soon as one of it is not valid."""
        return max(each.not_valid_before_utc for each in self.chain)

    @property
    def ends(self) -> dt.datetime:
        return min(each.not_valid_after_utc for each in self.chain)

    @property
    def lifetime(self) -> dt.timedelta:
        return self.leaf.not_valid_after_utc - self.leaf.not_valid_before_utc

    @property
    def is_self_signed(self) -> bool:
        return len(self.chain) == 1 and self.leaf.issuer == self.leaf.subject

    @property
    def names(self) -> tuple[str, ...]:
        """What a client may call this server: names in lower case, and addresses."""
        try:
            found = self.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return ()
        names = [name.lower() for name in found.get_values_for_type(x509.DNSName)]
        return (*names, *(str(each) for each in found.get_values_for_type(x509.IPAddress)))

    def pem(self) -> bytes:
        """Chain and key in one text, which nginx reads both from: so one file is replaced, or none."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in self.chain) + key


def read(certificate: Path, key: Path, *, seconds: float | None = None) -> Pair:
    """With `seconds`, a child reads them, which is not waited for any longer: they may lie anywhere.

    Raises BadPair when the files cannot be read, or hold something else, and NoAnswer of it.
    """
    both = (certificate, key)
    try:
        if seconds is None:
            seen = [distant.see(path, read=True) for path in both]
        else:
            seen = distant.look(both, seconds=seconds, read=True)
    except TimeoutError:
        names = " ".join(f"'{path}'" for path in dict.fromkeys(both))
        raise NoAnswer(
            f"{certificate} and {key} could not be read within {seconds:.0f} s: the server or the disk that"
            f" they lie on does not answer; next: see which: timeout 5 ls -l {names}; then mount it anew, or"
            " copy them to a disk of this machine and name those"
        ) from None
    except OSError as fault:
        raise BadPair(f"{fault}; next: ./scripts/appliance reload") from None
    chain, secret = map(_judge, both, seen)
    return parse(chain, secret, str(certificate), str(key))


def parse(chain: bytes, key: bytes, chain_name: str, key_name: str) -> Pair:
    """The names are what the texts are called in a fault. Raises BadPair."""
    try:
        certificates = tuple(x509.load_pem_x509_certificates(chain))
    except ValueError:
        raise BadPair(
            f"{chain_name} holds no certificate in PEM form; next: see `openssl x509 -in '{chain_name}'"
            " -text`, or convert it: openssl x509 -inform DER -in FILE -out FILE.pem"
        ) from None
    found = _KEY.search(key)
    if found is None:
        raise BadPair(
            f"{key_name} holds no private key in PEM form;"
            " next: see which file can be read by: openssl pkey -in FILE -noout"
        )
    try:
        return Pair(certificates, serialization.load_pem_private_key(found[0], None))
    except TypeError:
        raise BadPair(
            f"the key in {key_name} is encrypted, and nobody is there to type its password at a start;"
            f" next: openssl pkey -in '{key_name}' -out FILE, and name that"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadPair(
            f"the key in {key_name} is damaged or of a kind that is not known;"
            f" next: openssl pkey -in '{key_name}' -noout -check"
        ) from None


def check(pair: Pair, now: dt.datetime, chain_name: str, key_name: str) -> None:
    """Raises BadPair unless it can be served from now on."""
    _check_key(pair, chain_name, key_name)
    _check_strength(pair, chain_name)
    _check_order(pair, chain_name)
    if pair.ends <= now:
        raise BadPair(f"{chain_name} expired on {pair.ends:%Y-%m-%d %H:%M} UTC; next: renew it")
    if pair.begins > now:
        raise BadPair(
            f"{chain_name} is valid from {pair.begins:%Y-%m-%d %H:%M} UTC only;"
            " next: wait until then, or set this machine's clock: timedatectl status"
        )


def belong_together(pair: Pair) -> bool:
    """Whether the key is that of the first certificate, as who serves them needs it."""
    return _spki(pair.leaf.public_key()) == _spki(pair.key.public_key())


def _check_key(pair: Pair, chain_name: str, key_name: str) -> None:
    own = _spki(pair.key.public_key())
    places = [place for place, each in enumerate(pair.chain) if _spki(each.public_key()) == own]
    if not places:
        raise BadPair(
            f"{chain_name} and {key_name} do not belong together; next: give the key that the certificate"
            f" was asked for with: `openssl x509 -in '{chain_name}' -noout -pubkey` and"
            f" `openssl pkey -in '{key_name}' -pubout` must print the same"
        )
    if places[0]:
        raise BadPair(
            f"{chain_name}: the certificate of the key is number {places[0] + 1} in it;"
            " next: put it first, then the one that signed it, and so on"
        )


def _check_order(pair: Pair, chain_name: str) -> None:
    for place, (lower, upper) in enumerate(zip(pair.chain, pair.chain[1:], strict=False), start=1):
        try:
            lower.verify_directly_issued_by(upper)
        except (ValueError, TypeError, InvalidSignature):
            raise BadPair(
                f"{chain_name}: certificate {place + 1} has not signed certificate {place};"
                " next: put the server's own first, then each time the one that signed it"
                " (cat server.pem intermediate.pem > chain.pem)"
            ) from None


def _check_strength(pair: Pair, chain_name: str) -> None:
    """What OpenSSL takes at its security level 2, which is Debian's: 112 bits. Who signed a certificate that
    is its own root does not matter.
    """
    for place, each in enumerate(pair.chain, start=1):
        key = each.public_key()
        if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey):
            least = _LEAST_CURVE if isinstance(key, ec.EllipticCurvePublicKey) else _LEAST
            if key.key_size < least:
                raise BadPair(
                    f"{chain_name}: the key of certificate {place} has {key.key_size} bits, and clients want"
                    f" {least} at least; next: ask for a certificate with another key, such as from:"
                    " openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem"
                )
        hashed = _find_hash(each)
        if hashed in _WEAK and each.issuer != each.subject:
            raise BadPair(
                f"{chain_name}: certificate {place} is signed by way of {hashed.upper()}, which clients do"
                " not trust any more; next: have it signed anew, by way of SHA-256"
            )


def _find_hash(certificate: x509.Certificate) -> str | None:
    """None for kinds of signatures that need none to be named."""
    try:
        found = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    return found.name if found else None


def _judge(path: Path, seen: Seen) -> bytes:
    if seen.fault == errno.ENOENT:
        raise BadPair(f"{path}: there is no such file; next: correct the path, or put it there")
    if not seen.fault and not (seen.is_file or stat.S_ISDIR(seen.mode)):
        raise BadPair(
            f"{path} is no file but a pipe, a socket or a device, which may make who reads it wait;"
            " next: name a file that holds it"
        )
    if seen.fault or not seen.is_file:
        raise BadPair(
            f"{path} cannot be read: {os.strerror(seen.fault or errno.EISDIR)};"
            " next: let the user that the appliance runs as read it,"
            f" such as by: setfacl -m u:USER:r '{path}' (and x for the folders above it)"
        )
    return seen.text.encode("latin-1")


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
