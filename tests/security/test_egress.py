"""The way out, against receivers that mean it ill and names that change their minds."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.security import egress, lookups, public_addresses
from appliance.security.egress import Answer, Egress, EgressError, NoAnswer, Refused, Unreachable
from tests.runtime.servers import free_port
from tests.security import receivers
from tests.security.receivers import Names, receiver, says, status

LOOPBACK = ("127.0.0.0/8",)
SOON = 1.0
"""A deadline in seconds, shorter than the product's."""


def post(way: Egress, url: str, body: bytes = b"{}", **headers: str) -> Answer:
    return asyncio.run(way.post(url, body, headers))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for `hook.test` alone, and a client's that trusts it."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hook.test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hook.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "crt", folder / "key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, pem, plain))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, private)
    return server, ssl.create_default_context(cafile=str(certificate))


def test_a_request_goes_out_as_it_is() -> None:
    with receiver(says(status(201, b"th\xc3\xa4nks", x_more="yes"))) as there:
        answer = post(Egress(LOOPBACK), there.url(path="/a?b=%20c"), b'{"a": 1}', **{"webhook-id": "x"})
        assert (answer.status, answer.text, answer.headers["x-more"]) == (201, "thänks", "yes")
        ((headers, body),) = there.requests
    assert headers[":"] == "POST /a?b=%20c HTTP/1.1"
    assert body == b'{"a": 1}'
    assert headers["webhook-id"] == "x"
    assert headers["host"] == f"127.0.0.1:{there.port}"
    assert not headers.keys() & {"cookie", "authorization", "transfer-encoding", "x-forwarded-for"}


@pytest.mark.parametrize("manner", [receivers.drops, receivers.no_http], ids=lambda manner: manner.__name__)
def test_no_answer_at_once(manner: receivers.Manner) -> None:
    with receiver(manner) as there:
        started = time.monotonic()
        with pytest.raises(NoAnswer):
            post(Egress(LOOPBACK), there.url())
        assert time.monotonic() - started < 5, "not the deadline of 10 s"
        assert len(there.requests) == 1


@pytest.mark.parametrize(
    "manner", [receivers.hangs, receivers.drips, receivers.drips_the_body], ids=lambda manner: manner.__name__
)
def test_who_takes_his_time_gets_the_deadline_and_no_more(manner: receivers.Manner) -> None:
    with receiver(manner) as there:
        started = time.monotonic()
        with pytest.raises(NoAnswer, match=r"within 1 s"):
            post(Egress(LOOPBACK, deadline=SOON), there.url())
        assert SOON <= time.monotonic() - started < 5, "not the usual 10 s"


def test_who_never_reads_gets_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:  # the kernel accepts, nobody reads
        url = f"http://127.0.0.1:{door.getsockname()[1]}/"
        with pytest.raises(NoAnswer, match=r"within 1 s"):
            post(Egress(LOOPBACK, deadline=SOON), url, b"a" * 50_000_000)


def test_of_a_flood_a_little_is_read() -> None:
    flood = receivers.Flood()
    with receiver(flood) as there:
        answer = post(Egress(LOOPBACK), there.url())
    assert (answer.status, answer.text) == (200, "a" * egress.KEPT)
    assert flood.sent < 20_000_000, "the rest stayed where it was"


def test_interim_answers_end_too() -> None:
    with receiver(receivers.interim_for_ever) as there:
        started = time.monotonic()
        with pytest.raises(NoAnswer, match="more came"):
            post(Egress(LOOPBACK), there.url())
        assert time.monotonic() - started < 5


def test_a_bomb_is_not_lit() -> None:
    with receiver(says(receivers.bomb())) as there:
        answer = post(Egress(LOOPBACK), there.url())
        ((headers, _),) = there.requests
    assert headers["accept-encoding"] == "identity"
    assert (answer.status, answer.text) == (200, "[gzip]")


def test_endless_headers() -> None:
    with receiver(says(b"HTTP/1.1 200 OK\r\n" + b"x-a: " + b"b" * 1_000_000)) as there:
        with pytest.raises(NoAnswer):
            post(Egress(LOOPBACK), there.url())


def test_a_redirect_leads_nowhere() -> None:
    with receiver(says(receivers.OK)) as inside, receiver(says(b"")) as there:
        there._manner = says(status(307, location=inside.url()))
        answer = post(Egress(LOOPBACK), there.url())
        assert answer.status == 307
        assert inside.connections == 0


def test_neither_proxies_nor_netrc_of_the_environment_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver(says(receivers.OK)) as proxy, receiver(says(receivers.OK)) as there:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url(path=""))
        assert post(Egress(LOOPBACK), there.url()).status == 200
        assert (proxy.connections, there.connections) == (0, 1)


# -- where it may go


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost", "localhost."])
def test_what_is_not_public_is_refused_when_the_socket_opens(host: str) -> None:
    with receiver(says(receivers.OK)) as there:
        for scheme in ("http", "https"):
            with pytest.raises(Refused, match="not public"):
                post(Egress(), f"{scheme}://{host}:{there.port}/")
        assert there.connections == 0


def test_a_listed_network_opens_itself_and_no_other() -> None:
    with receiver(says(receivers.OK)) as there:
        assert post(Egress(LOOPBACK), f"http://[::ffff:127.0.0.1]:{there.port}/").status == 200
        with pytest.raises(Refused):
            post(Egress(("10.0.0.0/8", "::1/128")), there.url())
        assert there.connections == 1


def test_one_address_that_is_not_public_spoils_the_name() -> None:
    names = Names(two_test=[["192.0.43.8", "10.0.0.1"]])
    with pytest.raises(Refused, match="not public"):
        post(Egress(LOOPBACK, resolver=names), "https://two.test/")


def test_plain_http_stays_within_listed_networks() -> None:
    with pytest.raises(Refused, match="plain http"):
        post(Egress(LOOPBACK), "http://192.0.43.8/")


def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    """First public, then loopback: each look is judged, and only the judged address is connected to."""
    with receiver(says(receivers.OK)) as there:
        names = Names(flip_test=[["192.0.2.1"], ["127.0.0.1"]])
        way = Egress(("192.0.2.0/24",), resolver=names, deadline=SOON)
        url = f"http://flip.test:{there.port}/"
        with pytest.raises((Unreachable, NoAnswer)):  # 192.0.2.1 is documentation's: nobody is there
            post(way, url)
        assert names.asked == ["flip.test"], "one look for one request"
        with pytest.raises(Refused, match="not public"):
            post(way, url)
        assert there.connections == 0


def test_the_connection_goes_to_what_was_judged() -> None:
    with receiver(says(receivers.OK)) as there:
        names = Names(hook_test=[["127.0.0.1"], ["10.0.0.1"]])
        assert post(Egress(LOOPBACK, resolver=names), there.url("hook.test")).status == 200
        ((headers, _),) = there.requests
    assert headers["host"] == f"hook.test:{there.port}"
    assert names.asked == ["hook.test"]


def test_the_next_address_is_tried() -> None:
    with receiver(says(receivers.OK)) as there:
        names = Names(hook_test=[["127.0.0.9", "127.0.0.1"]])
        assert post(Egress(LOOPBACK, resolver=names), there.url("hook.test")).status == 200


def test_names_that_are_none() -> None:
    for names in (Names(), Names(gone_test=[[]])):
        with pytest.raises(Unreachable, match="no address"):
            post(Egress(resolver=names), "https://gone.test/")
    with pytest.raises(Unreachable):
        post(Egress(LOOPBACK), f"http://127.0.0.1:{free_port()}/")


def test_a_resolver_that_hangs_costs_its_time_and_not_the_process() -> None:
    let_go = threading.Event()

    def resolver(host: str) -> list[str]:
        let_go.wait(30)
        return ["127.0.0.1"]

    async def many(way: Egress, count: int) -> list[BaseException | Answer]:
        calls = [way.post("https://slow.test/", b"", {}) for _ in range(count)]
        return await asyncio.gather(*calls, return_exceptions=True)

    started = time.monotonic()
    found = asyncio.run(many(Egress(LOOPBACK, resolver=resolver, deadline=SOON), 40))
    assert time.monotonic() - started < 10, "not the 30 s of the resolver"
    let_go.set()
    assert all(isinstance(each, EgressError) for each in found)
    assert sum("too many" in str(each) for each in found) == 40 - lookups.PLACES


# -- TLS


def test_tls_is_verified_against_the_name(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, trust = tls
    names = Names(hook_test=[["127.0.0.1"]], other_test=[["127.0.0.1"]])
    with receiver(says(receivers.OK), server) as there:
        way = Egress(LOOPBACK, resolver=names, trust=trust)
        assert post(way, there.url("hook.test")).status == 200
        for host in ("other.test", "127.0.0.1"):
            with pytest.raises(Unreachable, match=r"certificate verify failed|mismatch"):
                post(way, there.url(host))
        with pytest.raises(Unreachable, match="self-signed"):
            post(Egress(LOOPBACK, resolver=names), there.url("hook.test"))
        assert len(there.requests) == 1


def test_a_handshake_that_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        with pytest.raises((NoAnswer, Unreachable)):
            post(Egress(LOOPBACK, deadline=SOON), f"https://127.0.0.1:{door.getsockname()[1]}/")


def test_a_flood_through_tls(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, trust = tls
    flood = receivers.Flood()
    way = Egress(LOOPBACK, resolver=Names(hook_test=[["127.0.0.1"]]), trust=trust)
    with receiver(flood, server) as there:
        assert post(way, there.url("hook.test")).text == "a" * egress.KEPT
    assert flood.sent < 20_000_000


def test_nothing_is_left_open() -> None:
    with receiver(receivers.hangs) as there:
        before = _descriptors()
        for _ in range(5):
            with pytest.raises(NoAnswer):
                post(Egress(LOOPBACK, deadline=0.1), there.url())
    assert _descriptors() <= before


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_plain_http_needs_every_address_to_be_listed() -> None:
    with receiver(says(receivers.OK)) as there:
        names = Names(half_test=[["127.0.0.1", "9.9.9.9"]])
        with pytest.raises(Refused, match="https"):
            post(Egress(LOOPBACK, resolver=names), there.url("half.test"))
        assert there.connections == 0


def test_lookups_give_their_places_back() -> None:
    way = Egress(LOOPBACK, resolver=Names())
    for _ in range(2 * lookups.PLACES):
        with pytest.raises(Unreachable, match="no address"):
            post(way, "https://gone.test/")


def test_an_address_of_this_machine_is_never_public() -> None:
    assert egress.is_own(public_addresses.parse("127.0.0.1"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:  # sends nothing
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no route out, so no address but loopback")
        mine = probe.getsockname()[0]
    assert egress.is_own(public_addresses.parse(mine))
    assert not egress.is_own(public_addresses.parse("192.0.2.1"))


def test_plain_text_after_the_handshake_is_no_answer(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, trust = tls

    def babbles(connection: socket.socket) -> None:
        with socket.socket(fileno=socket.dup(connection.fileno())) as below:
            below.sendall(b"this is no record of TLS\r\n")

    way = Egress(LOOPBACK, resolver=Names(hook_test=[["127.0.0.1"]]), trust=trust)
    with receiver(babbles, server) as there, pytest.raises(NoAnswer):
        post(way, there.url("hook.test"))
