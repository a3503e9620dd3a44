"""The secured door as a client meets it: what it speaks and promises, and how ACME comes past it."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from appliance.runtime import rendering
from tests.runtime.servers import Front, echo_apps, front, temporary_data
from tests.tls.authority import Authority, pem

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_oA"
HSTS = "strict-transport-security"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def door(authority: Authority) -> Iterator[Front]:
    """Under a certificate that this machine's roots vouch for, behind a proxy that says who asks."""
    with temporary_data() as data, pytest.MonkeyPatch.context() as patch:
        data.parent.mkdir(parents=True, exist_ok=True)
        roots = data.parent / "roots.pem"
        roots.write_bytes(pem(authority.root))
        patch.setenv("SSL_CERT_FILE", str(roots))
        chain, key = authority.write(data.parent, "localhost", "127.0.0.1")
        with (
            front(
                data,
                APPLIANCE_TRUSTED_PROXIES="127.0.0.1",
                APPLIANCE_TLS_CERTIFICATE=str(chain),
                APPLIANCE_TLS_KEY=str(key),
            ) as made,
            echo_apps(made.settings),
        ):
            yield made


@pytest.fixture
def client(authority: Authority) -> Iterator[httpx.Client]:
    trust = ssl.create_default_context(cadata=pem(authority.root).decode())
    with httpx.Client(verify=trust, trust_env=False) as made:
        yield made


@contextmanager
def shaken(door: Front, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = ("127.0.0.1", door.settings.https_port)
    with socket.create_connection(address) as plain, context.wrap_socket(plain) as secured:
        yield secured


def weak() -> ssl.SSLContext:
    """A client that takes whatever OpenSSL still knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    return context


def test_clients_that_know_the_root_are_content(door: Front, client: httpx.Client) -> None:
    assert client.get(f"https://localhost:{door.settings.https_port}/api/v1/forms").status_code == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_are_refused(door: Front, version: ssl.TLSVersion) -> None:
    context = weak()
    context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol version|unsupported protocol"):
        with shaken(door, context):
            pass


def test_of_all_ciphers_only_those_with_forward_secrecy_and_authenticated_encryption(door: Front) -> None:
    taken = set()
    for cipher in [each["name"] for each in weak().get_ciphers() if each["protocol"] != "TLSv1.3"]:
        context = weak()
        context.set_ciphers(f"{cipher}:@SECLEVEL=0")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with contextlib.suppress(ssl.SSLError), shaken(door, context):
            taken.add(cipher)
    assert taken == {
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    }


@pytest.mark.parametrize(
    "ciphers, chosen",
    [
        ("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        ("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ],
)
def test_the_order_is_ours_but_for_clients_that_want_chacha20(door: Front, ciphers: str, chosen: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(ciphers)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with shaken(door, context) as secured:
        cipher = secured.cipher()
        assert cipher is not None
        assert cipher[0] == chosen


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_new_versions_are_spoken_without_tickets_that_hold_keys(door: Front, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    with shaken(door, context) as secured:
        assert secured.version() == version.name.replace("_", ".")
        assert secured.selected_alpn_protocol() == "h2"
        if version is ssl.TLSVersion.TLSv1_2:
            assert secured.session is not None
            assert not secured.session.has_ticket


@pytest.mark.parametrize(
    "path", ["/api/v1/forms", "/static/none.css", "/static/docs/LICENSE.txt", "/none%00"]
)
def test_browsers_are_told_to_come_by_https_and_only_there(
    door: Front, client: httpx.Client, path: str
) -> None:
    secured = client.get(f"https://localhost:{door.settings.https_port}{path}")
    assert secured.headers.get_list(HSTS) == [rendering.HSTS]
    assert HSTS not in door.get(path).headers
    sent = door.get("/api/v1/forms", x_forwarded_for="203.0.113.9", x_forwarded_proto="http")
    assert sent.status_code == 308
    assert HSTS not in sent.headers


def test_a_self_signed_door_promises_nothing() -> None:
    with temporary_data() as data, front(data) as made:
        assert HSTS not in made.client.get(made.https + "/static/none.css").headers


@pytest.fixture
def proof(door: Front) -> Iterator[Path]:
    path = door.paths.challenges / TOKEN
    path.write_text("proof")
    yield path
    path.unlink()


def test_a_proof_is_shown_to_who_asks_by_plain_http(door: Front, proof: Path) -> None:
    answer = door.get(f"/.well-known/acme-challenge/{proof.name}", x_forwarded_for="203.0.113.1")
    assert (answer.status_code, answer.text) == (200, "proof")
    assert answer.headers["content-type"] == "text/plain"
    (door.paths.maintenance).touch()
    try:
        again = door.get(f"/.well-known/acme-challenge/{proof.name}", x_forwarded_for="203.0.113.1")
    finally:
        door.paths.maintenance.unlink()
    assert again.text == "proof"


@pytest.mark.parametrize(
    "path, status",
    [
        ("/.well-known/acme-challenge/none", 404),
        ("/.well-known/acme-challenge/", 308),
        ("/.well-known/acme-challenge/..%2f..%2fnginx.conf", 308),
        ("/.well-known/acme-challenge/%2e%2e/%2e%2e/nginx.conf", 308),
        (f"/.well-known/acme-challenge/{TOKEN}/x", 308),
        ("/.well-known/other", 308),
    ],
)
def test_nothing_else_lies_there(door: Front, proof: Path, path: str, status: int) -> None:
    assert door.get(path, x_forwarded_for="203.0.113.1").status_code == status
