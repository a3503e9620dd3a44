"""The dialogue with an ACME service (RFC 8555): one certificate for the names of the settings, by http-01.

It goes where the operator says (ACME_DIRECTORY) and where that service says, not through `egress`, which is
for addresses that users name; no proxy is asked, and TLS is verified against this machine's roots.

What is kept lies in tls/, mode 0600, and each file is whole whenever the process dies:

    acme-account-….key  the account's key, one for each service: who has it has the account
    acme-order.json     from before the service makes a certificate until it is kept: its key and the
                        order's address, so that what was made is fetched and not made again
    acme.pem            chain and key in one file, so that they always belong together

NoCertificate says why there is none, and what to do next where that is known.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from appliance import __version__
from appliance.addresses import Paths
from appliance.clock import utc_now
from appliance.disk import create_once, write_atomically, write_durably
from appliance.settings import Settings
from appliance.tls import pairs
from appliance.tls.pairs import BadPair, Pair

ANSWER_SECONDS = 30
PROOF_SECONDS = 120.0
"""For the service to come and look, and for it to make the certificate."""
LEFT_SECONDS = 5.0
TOO_OFTEN = "asked too often"
_DIRECTORY = re.compile(rb"^# directory: (\S+)$", re.MULTILINE)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")


class NoCertificate(Exception):
    pass


class Order(msgspec.Struct, frozen=True):
    """One whose certificate the service is asked to make."""

    directory: str
    domains: tuple[str, ...]
    url: str
    key: str


def directory_of(text: bytes) -> str | None:
    """The service that tls/acme.pem is of."""
    found = _DIRECTORY.search(text)
    return found[1].decode() if found else None


def obtain(settings: Settings) -> None:
    """Get one certificate and keep it in tls/acme.pem. Raises NoCertificate."""
    try:
        with _faults(settings):
            _obtain(settings)
    except OSError as fault:
        raise NoCertificate(f"{fault.filename or ''} {fault.strerror or fault}".strip()) from None


def _obtain(settings: Settings) -> None:
    paths = Paths(settings.data)
    for draft in paths.tls.glob(".acme*.tmp"):  # of one that was killed: there may be a key in it
        draft.unlink(missing_ok=True)
    client = _connect(settings, paths)
    chain, key = _fetch_left(client, settings, paths) or _order(client, settings, paths)
    head = f"# appliance: acme\n# directory: {settings.acme_directory}\n"
    text = f"{head}{chain.strip()}\n{key}".encode()
    _check(text, settings)
    write_durably(paths.acme_certificate, text)
    paths.acme_order.unlink(missing_ok=True)


def _check(text: bytes, settings: Settings) -> Pair:
    name = f"the certificate that {settings.acme_directory} gave"
    try:
        pair = pairs.parse(text, text, name, name)
        pairs.check(pair, utc_now(), name, name)
    except BadPair as fault:
        raise NoCertificate(str(fault)) from None
    if missing := set(settings.acme_domains) - set(pair.names):
        raise NoCertificate(f"{name} is not for {', '.join(sorted(missing))}")
    return pair


def _connect(settings: Settings, paths: Paths) -> Any:
    """A client with the account of this service, which is made where there is none."""
    from acme import client, errors, messages
    from josepy.jwa import ES256
    from josepy.jwk import JWKEC

    name = sha256(settings.acme_directory.encode()).hexdigest()[:16]
    account = paths.tls / f"acme-account-{name}.key"
    key = JWKEC.load(create_once(account, _new_key()))
    network = client.ClientNetwork(
        key,
        alg=ES256,
        verify_ssl=cast(bool, _roots()),  # requests takes a path as well
        user_agent=f"appliance/{__version__}",
        timeout=ANSWER_SECONDS,
    )
    network.session.trust_env = False
    made = client.ClientV2(client.ClientV2.get_directory(settings.acme_directory, network), network)
    wanted = messages.NewRegistration.from_data(
        email=settings.acme_email, terms_of_service_agreed=settings.acme_agree_tos
    )
    try:
        made.new_account(wanted)
    except errors.ConflictError as known:
        network.account = messages.RegistrationResource(body=messages.Registration(), uri=known.location)
    return made


def _roots() -> str:
    """Of this machine, as every other program has them: not those that the library brings along."""
    found = ssl.get_default_verify_paths()
    return found.cafile or found.capath or found.openssl_cafile


def _order(client: Any, settings: Settings, paths: Paths) -> tuple[str, str]:
    """Chain and key."""
    from acme import crypto_util

    key = _new_key().decode()
    order = client.new_order(crypto_util.make_csr(key.encode(), list(settings.acme_domains)))
    with _answers(paths) as answer:
        for authorization in order.authorizations:
            answer(client, authorization)
        order = client.poll_authorizations(order, _deadline())
    kept = Order(settings.acme_directory, settings.acme_domains, order.uri, key)
    write_durably(paths.acme_order, msgspec.json.encode(kept))
    return client.finalize_order(order, _deadline()).fullchain_pem, key


def _fetch_left(client: Any, settings: Settings, paths: Paths) -> tuple[str, str] | None:
    """What was made for an order, and not kept because the process died; None when nothing was."""
    from acme import errors, messages

    try:
        left = msgspec.json.decode(paths.acme_order.read_bytes(), type=Order)
    except (OSError, msgspec.MsgspecError):
        return None
    is_ours = (left.directory, left.domains) == (settings.acme_directory, settings.acme_domains)
    found: tuple[str, str] | None = None
    if is_ours and left.key.encode() not in _read(paths.acme_certificate):
        order = messages.OrderResource(body=messages.Order(), uri=left.url, authorizations=())
        # Only what is there already: one that was never begun cannot be finished without its request.
        with contextlib.suppress(errors.Error, messages.Error, ValueError, TypeError, AttributeError):
            found = client.poll_finalization(order, _deadline(LEFT_SECONDS)).fullchain_pem, left.key
    if found is None:
        paths.acme_order.unlink(missing_ok=True)
    return found


@contextmanager
def _answers(paths: Paths) -> Iterator[Any]:
    """Gives what puts the proof of one name to where nginx shows it. Afterwards nothing is left there."""
    from acme.challenges import HTTP01
    from acme.messages import STATUS_VALID

    def answer(client: Any, authorization: Any) -> None:
        if authorization.body.status == STATUS_VALID:
            return
        name = authorization.body.identifier.value
        offered = [each for each in authorization.body.challenges if isinstance(each.chall, HTTP01)]
        if not offered:
            raise NoCertificate(f"the service does not take http-01 as a proof for {name}")
        response, proof = offered[0].response_and_validation(client.net.key)
        token = offered[0].chall.encode("token")
        if not _TOKEN.fullmatch(token):  # it becomes the name of a file
            raise NoCertificate("the service gave a token that RFC 8555 does not allow")
        write_atomically(paths.challenges / token, proof)
        client.answer_challenge(offered[0], response)

    _clear(paths.challenges)
    try:
        yield answer
    finally:
        _clear(paths.challenges)


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _deadline(seconds: float = PROOF_SECONDS) -> dt.datetime:
    return dt.datetime.now() + dt.timedelta(seconds=seconds)  # noqa: DTZ005 - as the library has it


@contextmanager
def _faults(settings: Settings) -> Iterator[None]:
    """The library's errors in words for the operator."""
    import josepy
    import requests
    from acme import errors, messages

    where = settings.acme_directory
    try:
        yield
    except errors.ValidationError as fault:
        raise NoCertificate(_told_proofs(fault, settings)) from None
    except messages.Error as fault:
        told = str(fault.detail or fault.typ)[:500]
        if fault.code == "rateLimited":
            told = f"{TOO_OFTEN}: {told}"
        raise NoCertificate(f"{where} refuses: {told}") from None
    except errors.TimeoutError:
        raise NoCertificate(f"{where} did not come to an end within {PROOF_SECONDS:.0f} s") from None
    except requests.exceptions.RequestException as fault:
        raise NoCertificate(f"{where} cannot be asked: {str(fault)[:500]}") from None
    except (errors.Error, josepy.errors.Error, KeyError, ValueError) as fault:
        raise NoCertificate(f"{where} gave an answer that cannot be used: {str(fault)[:500]}") from None


def _told_proofs(fault: Any, settings: Settings) -> str:
    told = [
        f"{each.body.identifier.value}: {challenge.error.detail}"
        for each in fault.failed_authzrs
        for challenge in each.body.challenges
        if challenge.error is not None
    ]
    return (
        f"not proven: {'; '.join(told)[:1000]}; next: let port 80 of each name lead to port"
        f" {settings.http_port} here (DNS, firewall, APPLIANCE_BIND)"
    )
