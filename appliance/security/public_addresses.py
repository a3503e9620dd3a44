"""Which addresses are public: where a request may go that a user, not the operator, has asked for.

Both registries of special addresses (RFC 6890, IANA) are written down here rather than asked of `ipaddress`,
whose answer differs between Python's releases. Of IPv6 only global unicast is public, less what carries an
IPv4 address inside: a translator on the way would take it to wherever that says.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_SPECIAL: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network; 0.0.0.0 reaches the machine itself
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # between a carrier and its customers
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure: the host beneath the machine
        "169.254.0.0/16",  # link-local; clouds tell credentials there
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        # Outside of global unicast, so refused anyway: ::/96 (IPv4-compatible), 64:ff9b::/96 and
        # 64:ff9b:1::/48 (NAT64), 100::/64, 5f00::/16, fc00::/7, fe80::/10, fec0::/10, ff00::/8.
    )
)


def parse(text: str) -> Address:
    """The address itself where it is written as an IPv6 one (RFC 4291, 2.5.5.2). Raises ValueError."""
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_public(address: Address) -> bool:
    """Of an address as `parse` gives it."""
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return not is_within(address, _SPECIAL)


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
