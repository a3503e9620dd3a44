"""Which addresses are public, as a table."""

from __future__ import annotations

import ipaddress

import pytest

from appliance.security import public_addresses

PUBLIC = """
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.1.1
    172.15.255.255 172.32.0.0 192.0.1.1 192.167.1.1 198.17.255.255 198.20.0.0 223.255.255.255
    2600:: 2a00:1450:4001::1 2003::1 2001:200::1 2606:4700:4700::1111 ::ffff:8.8.8.8 ::ffff:808:808
""".split()

NOT_PUBLIC = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 168.63.129.16
    169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.170 192.0.2.1 192.88.99.1 192.168.0.1
    198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
    :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1 ::ffff:0:127.0.0.1
    ::ffff:169.254.169.254 64:ff9b::8.8.8.8 64:ff9b::127.0.0.1 64:ff9b:1::1 64:ff9b:1:7f00:0:100:: 100::1
    2001::1 2001:0:7f00:1:: 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:808:808::1
    3fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 febf::1 fec0::1 ff02::1 ff0e::1
""".split()


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text: str) -> None:
    assert public_addresses.is_public(public_addresses.parse(text))


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_not_public(text: str) -> None:
    assert not public_addresses.is_public(public_addresses.parse(text))


def test_nothing_is_public_that_python_calls_special() -> None:
    """Not the other way round: Python's older releases know fewer."""
    bounds = [network[edge] for network in public_addresses._SPECIAL for edge in (0, -1)]
    near = [
        ipaddress.ip_address(int(bound) + step)
        for bound in bounds
        for step in (-1, 0, 1)
        if 0 <= int(bound) + step < 2**bound.max_prefixlen
    ]
    for address in near:
        if public_addresses.is_public(address):
            assert address.is_global or str(address) in {"192.0.0.255"}, address
