"""What is a web address that a request can be sent to, whatever it leads to.

Stricter than RFC 3986, so that no two readers can see different hosts in it: no credentials, no fragment,
no white space or control character, an IPv4 address only in four decimal numbers (`0x7f.1` and `2130706433`
are loopback to some). Whether the host may be reached is decided when the socket opens, not here.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

import idna

LONGEST = 2_000
"""Characters."""
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_BRACKETS = re.compile(r"\[[^\[\]]+\](:[0-9]+)?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_REST = re.compile(r"[!$&-;=?-Z_a-z~%@\[\]]*")
"""What a path and a query are made of; everything else goes percent-encoded."""


class BadAddress(ValueError):
    """Not a web address. The message says why, as the end of a sentence that begins with it."""


class WebAddress(NamedTuple):
    scheme: str
    host: str
    """In lower case and ASCII, without brackets and without a dot at its end."""
    port: int
    target: str
    """Path and query."""

    @property
    def authority(self) -> str:
        """What the header Host says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_usual = self.port == _PORTS[self.scheme]
        return host if is_usual else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """For logs: without path and query, which may hold somebody's secret."""
        return f"{self.scheme}://{self.authority}"


_PORTS = {"http": 80, "https": 443}


def parse(text: str) -> WebAddress:
    """Raises BadAddress."""
    if len(text) > LONGEST:
        raise BadAddress(f"is longer than {LONGEST:,} characters")
    if any(character <= " " or character in "\\\x7f" for character in text):
        raise BadAddress("has a space, a backslash or a control character in it")  # urlsplit drops some
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise BadAddress("is not a web address, such as https://example.org/hook") from None
    if parts.scheme not in _PORTS or not parts.netloc:
        raise BadAddress("must begin with https:// (or http:// in networks of EGRESS_ALLOW) and a host")
    if "@" in parts.netloc:
        raise BadAddress("has credentials before its host")
    if "#" in text:
        raise BadAddress("has a fragment, which is never sent")
    if port == 0 or parts.netloc.endswith(":"):
        raise BadAddress("has a port that is none")
    return WebAddress(parts.scheme, _host(parts), port or _PORTS[parts.scheme], _target(parts))


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if "[" in parts.netloc or "]" in parts.netloc:
        if not _BRACKETS.fullmatch(parts.netloc):
            raise BadAddress("has brackets around more or less than an IPv6 address")
        return _ipv6(host)
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError:
            raise BadAddress("has a host that no domain can be called") from None
    host = host.removesuffix(".")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(host)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadAddress("has a host that no domain can be called")
    return host


def _ipv4(host: str) -> str:
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise BadAddress("has a number for its host that is not an address such as 192.0.2.1") from None


def _ipv6(host: str) -> str:
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        raise BadAddress("has no IPv6 address between its brackets") from None
    if address.scope_id is not None:
        raise BadAddress("has an IPv6 zone, which means something on one machine only")
    return str(address)


def _target(parts: SplitResult) -> str:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _REST.fullmatch(target):
        raise BadAddress("has a character in its path that must be percent-encoded")
    return target
