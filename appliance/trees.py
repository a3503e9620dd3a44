"""Process trees of this host: who belongs to a program, its memory, its user, where it listens."""

from __future__ import annotations

import ipaddress
import os
import pwd
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from appliance import processes

PAGE = os.sysconf("SC_PAGE_SIZE")


def members(pid: int) -> list[int]:
    """The process and all its descendants, as far as they live now."""
    children: dict[int, list[int]] = defaultdict(list)
    for each in processes.all_pids():
        if stat := processes.find_stat(each):
            children[stat.parent].append(each)
    found = [pid]
    for parent in found:
        found += children[parent]
    return found


def proportional(pids: Iterable[int]) -> int:
    """Bytes in memory (PSS): a page that n processes share counts 1/n in each. RSS where we may not look."""
    return sum(_proportional(pid) for pid in pids)


def _proportional(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except ProcessLookupError:
        return 0  # ended meanwhile
    except OSError:
        pass
    return _resident(pid)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0  # ended meanwhile


def find_user(pid: int) -> str | None:
    """Name of the user that the process runs as, or its number; None when it is gone."""
    try:
        number = Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return None
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


class Listener(NamedTuple):
    """A listening TCP socket of one process."""

    pid: int
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int

    @property
    def is_outside(self) -> bool:
        """Whether other machines can reach it."""
        mapped = getattr(self.address, "ipv4_mapped", None)
        return not (mapped or self.address).is_loopback


def listeners(pids: Iterable[int]) -> list[Listener]:
    """Listening TCP sockets of these processes. Needs the right to read their /proc entries."""
    sockets = _listening_sockets()
    return [
        Listener(pid, *sockets[inode]) for pid in pids for inode in _socket_inodes(pid) if inode in sockets
    ]


def _listening_sockets() -> dict[str, tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]]:
    """By inode, from /proc/net/tcp and tcp6 (proc_net_tcp: state 0A is LISTEN)."""
    found = {}
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else []:
            fields = line.split()
            if fields[3] == "0A":
                address, _, port = fields[1].partition(":")
                found[fields[9]] = (_address(address), int(port, 16))
    return found


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The kernel prints 32-bit words as this host reads them."""
    words = [int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8)]
    return ipaddress.ip_address(b"".join(words))


def _socket_inodes(pid: int) -> set[str]:
    found = set()
    try:
        for path in Path(f"/proc/{pid}/fd").iterdir():
            target = str(path.readlink())
            if target.startswith("socket:["):
                found.add(target[8:-1])
    except OSError:
        pass  # ended, or not ours to read
    return found
