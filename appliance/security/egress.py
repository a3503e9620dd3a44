"""The only way out over HTTP, for addresses that users name.

Contract: `post` sends one request to one judged address and is over within its deadline, whatever the other
side does.

- The name is resolved here, once. One address among the results that is not public, and nothing is sent;
  so a name that changes between two looks gains nothing: the connection goes to the address that was judged.
- Networks of the setting EGRESS_ALLOW may be reached although they are not public; plain `http` goes there
  only.
- TLS is verified against the name in the URL. No redirect is followed, no proxy is asked, no cookie kept.
- The answer is read up to MOST bytes, and never inflated.

EgressError
├── Refused ─ not allowed; nothing was sent
├── Unreachable ─ no such name, nobody listens, TLS does not hold; nothing was sent
└── NoAnswer ─ it may have been sent: hung up, spoke no HTTP, or took longer than the deadline
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpcore

from appliance.metrics import counts
from appliance.security import public_addresses, web_addresses
from appliance.security.lookups import Lookups, Resolver, resolve
from appliance.security.public_addresses import Address
from appliance.security.web_addresses import BadAddress, WebAddress

DEADLINE = 10.0
"""Seconds for all of it."""
CONNECT = 5.0
"""Seconds for the name and for the connections that are tried, TLS included."""
MOST = 65_536
"""Bytes of an answer that are read at most."""
KEPT = 1_000
"""Bytes of an answer that are kept."""
_MOST_RAW = MOST + 131_072
"""Bytes on the connection, all headers included: endless interim answers are none of the body."""
_TRIED = 3
"""Addresses of one name that are tried."""


class EgressError(Exception):
    """No answer. The message is fit for the user who named the address."""


class Refused(EgressError):
    pass


class Unreachable(EgressError):
    pass


class NoAnswer(EgressError):
    pass


class Answer(NamedTuple):
    status: int
    text: str
    """Its first KEPT bytes, or a word in brackets where they are compressed."""
    headers: dict[str, str]
    """Names in lower case."""


class Egress:
    """One a process; it holds no connection between two requests."""

    def __init__(
        self,
        allowed: Iterable[str] = (),
        *,
        resolver: Resolver = resolve,
        trust: ssl.SSLContext | None = None,
        deadline: float = DEADLINE,
    ) -> None:
        self._allowed = tuple(ipaddress.ip_network(network) for network in allowed)
        self._lookups = Lookups(resolver)
        self._trust = trust
        self._deadline = deadline

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Raises BadAddress, Refused, Unreachable, NoAnswer."""
        try:
            to = web_addresses.parse(url)
        except BadAddress:
            counts.add("egress_blocked", "address")
            raise
        try:
            async with asyncio.timeout(self._deadline):
                return await self._post(to, body, headers)
        except TimeoutError:
            raise NoAnswer(f"no whole answer within {self._deadline:g} s") from None
        except (httpcore.TimeoutException, httpcore.ConnectError) as fault:
            raise Unreachable(_told(fault)) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as fault:
            raise NoAnswer(_told(fault) or "the connection broke off") from None

    async def _post(self, to: WebAddress, body: bytes, headers: Mapping[str, str]) -> Answer:
        origin = httpcore.Origin(to.scheme.encode(), to.host.encode(), to.port)
        sent = {
            "host": to.authority,
            "accept": "*/*",
            "accept-encoding": "identity",
            "connection": "close",
            "content-length": str(len(body)),
            **headers,
        }
        request = httpcore.Request(
            "POST",
            httpcore.URL(scheme=origin.scheme, host=origin.host, port=to.port, target=to.target.encode()),
            headers=[(name.encode(), value.encode()) for name, value in sent.items()],
            content=body,
            extensions={"timeout": {"connect": CONNECT}},
        )
        door = _Door(self, is_plain=to.scheme == "http")
        trust = self._context() if to.scheme == "https" else None
        try:
            async with httpcore.AsyncHTTPConnection(origin, trust, network_backend=door) as connection:
                return await _read(await connection.handle_async_request(request))
        finally:
            await door.close()

    def _context(self) -> ssl.SSLContext:
        if self._trust is None:  # reading all authorities costs 20 ms
            self._trust = ssl.create_default_context()
        return self._trust

    async def addresses(self, host: str, *, is_plain: bool) -> list[Address]:
        """Those of a host, each judged. Raises Refused, Unreachable."""
        try:
            found = [public_addresses.parse(text) for text in await self._lookups.find(host)]
        except OSError as fault:
            raise Unreachable(str(fault)) from None
        listed = [public_addresses.is_within(address, self._allowed) for address in found]
        for one, known in zip(found, listed, strict=True):
            if not known and (not public_addresses.is_public(one) or is_own(one)):
                counts.add("egress_blocked", "private")
                raise Refused("its address is not public, and not in EGRESS_ALLOW")
        if is_plain and not all(listed):
            counts.add("egress_blocked", "plain_http")
            raise Refused("plain http goes to networks in EGRESS_ALLOW only; use https")
        return found[:_TRIED]


def is_own(address: Address) -> bool:
    """Whether this machine has the address itself: however public, what listens there is within."""
    if _NONLOCAL.exists() and _NONLOCAL.read_text().strip() != "0":
        return False  # any address can be bound here, so that tells nothing
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


_NONLOCAL = Path("/proc/sys/net/ipv4/ip_nonlocal_bind")


class _Door(httpcore.AsyncNetworkBackend):
    """Opens the socket of one request: to a judged address, whatever the host's name is by then."""

    def __init__(self, egress: Egress, *, is_plain: bool) -> None:
        self._egress, self._is_plain = egress, is_plain
        self._backend = httpcore.AnyIOBackend()
        self._stream: httpcore.AsyncNetworkStream | None = None

    async def close(self) -> None:
        """The library leaves a connection open whose TLS was still being agreed when the time was over."""
        if self._stream is not None:
            await self._stream.aclose()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        until = time.monotonic() + CONNECT
        try:
            async with asyncio.timeout(CONNECT):
                found = await self._egress.addresses(host, is_plain=self._is_plain)
        except TimeoutError:
            raise Unreachable(f"its name was not resolved within {CONNECT:g} s") from None
        for left in range(len(found), 0, -1):
            wait = max(0.1, (until - time.monotonic()) / left)
            try:
                self._stream = await self._backend.connect_tcp(str(found[-left]), port, wait)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == 1:
                    raise
            else:
                return _Counted(self._stream, [_MOST_RAW])
        raise Unreachable("its name has no address")


class _Counted(httpcore.AsyncNetworkStream):
    """A connection that brings in so many bytes and no more."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, left: list[int]) -> None:
        self._stream, self._left = stream, left

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        received = await self._stream.read(max_bytes, timeout)
        self._left[0] -= len(received)
        if self._left[0] < 0:
            raise NoAnswer("more came than an answer may have")
        return received

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own
    ) -> httpcore.AsyncNetworkStream:
        return _Counted(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


async def _read(response: httpcore.Response) -> Answer:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    kept, size = b"", 0
    async for chunk in response.aiter_stream():
        kept, size = (kept + chunk[:KEPT])[:KEPT], size + len(chunk)
        if size >= MOST:
            break
    encoding = headers.get("content-encoding", "identity").lower()
    text = kept.decode("utf-8", "replace") if encoding == "identity" else f"[{encoding[:20]}]"
    return Answer(response.status, text, headers)


def _told(fault: Exception) -> str:
    """The plain cause, without what the library wraps around it."""
    if isinstance(fault, httpcore.ConnectTimeout):
        return f"no connection within {CONNECT:g} s"
    return str(fault)[:200]
