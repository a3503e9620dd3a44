"""What must hold before anything starts. All faults are told together, each with the next command."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path

from appliance import addresses
from appliance.addresses import Paths
from appliance.clock import utc_now
from appliance.errors import CannotStart
from appliance.runtime import launch, mongo, monitoring, ownership, place, routing
from appliance.settings import Settings
from appliance.tls import sources

NEEDED_BYTES = 512 * 1024 * 1024
NEEDED_FILES = 4096
# sun_path holds 107 bytes and a zero (unix(7)); supervisord first binds to its socket's name and its pid.
LONGEST_SOCKET = 107
PID_SUFFIX = len(".4194304")
UNSAFE = set("\"'\\$@%\n\r\t")
"""What nginx, redis or supervisord would read as something else inside a quoted path."""


def check(settings: Settings) -> None:
    """Raises CannotStart with every fault, a line each."""
    if faults := find_faults(settings):
        raise CannotStart("\n".join(faults))


def check_place(settings: Settings) -> None:
    """Before anything is made: the data folder, and all the rest where nothing has run yet.

    A refused first start so leaves nothing behind. Later ones check the rest when they hold the lock and
    have ended what an earlier run left on the ports. Raises CannotStart.
    """
    if place.find_faults(settings.data) or not os.path.lexists(Paths(settings.data).run):
        check(settings)


def find_faults(settings: Settings) -> list[str]:
    return [
        *place.find_faults(settings.data),
        *ownership.find_faults(settings),
        *find_path_faults(settings.data),
        *_disk(settings.data),
        *find_port_faults(settings),
        *_outside_servers(settings),
        *_certificate(settings),
        *find_alert_faults(settings),
        *_programs(settings),
        *_open_files(),
    ]


def find_path_faults(data: Path) -> Iterator[str]:
    """Of the path itself: sockets lie below it, and it is written into configurations."""
    paths = Paths(data)
    longest = len(os.fsencode(paths.supervisor_socket)) + PID_SUFFIX
    if longest > LONGEST_SOCKET:
        room = LONGEST_SOCKET - (longest - len(os.fsencode(data)))
        yield (
            f"data folder {data}: the path has {len(os.fsencode(data))} bytes, and sockets below it may have"
            f" {room}; next: move it up, or set APPLIANCE_DATA to a shorter path"
        )
    if bad := sorted(UNSAFE & set(str(data))):
        yield f"data folder {str(data)!r}: the path must not hold {' '.join(map(repr, bad))}; rename it"
    if str(data) != str(data).strip():
        yield f"data folder {str(data)!r}: no line of .env can hold a blank at an end of the path; rename it"


def _disk(data: Path) -> Iterator[str]:
    existing = place.nearest(data)
    total, _, free = shutil.disk_usage(existing)
    if total and free < NEEDED_BYTES:  # without a size it is no disk, which `place` tells
        yield (
            f"data folder {data}: {free // 2**20} MiB are free on its disk, {NEEDED_BYTES // 2**20} MiB are"
            f" needed; next: see `df -h {shlex.quote(str(existing))}`, free some or set APPLIANCE_DATA to"
            " another disk"
        )


def find_door_faults(settings: Settings, running: Settings) -> list[str]:
    """Of the ports that nginx is to listen on next, beside those that it has."""
    if settings.http_port == settings.https_port:
        return list(find_port_faults(settings))
    own = (running.http_port, running.https_port)
    return [fault for address in settings.bind for fault in _doors(address, settings, but=own)]


def find_port_faults(settings: Settings) -> Iterator[str]:
    if settings.http_port == settings.https_port:
        yield f"APPLIANCE_HTTP_PORT and APPLIANCE_HTTPS_PORT are both {settings.http_port}; next: change one"
        return
    if not settings.bind:
        yield "APPLIANCE_BIND names no address; next: unset it, or give 127.0.0.1 or 0.0.0.0"
    for address in addresses.listened(settings):
        yield from _doors(address, settings)
    for name in addresses.INNER_PORTS:
        inner = addresses.inner_port(settings, name)
        if name in (*monitoring.PROGRAMS, "alerts") and not settings.monitoring:
            continue
        if fault := _find_bind_fault("127.0.0.1", inner):
            yield f"port {inner} on 127.0.0.1 ({name}): {_port_advice(fault, 'APPLIANCE_PORT_BASE', inner)}"


def _doors(address: str, settings: Settings, *, but: Collection[int] = ()) -> Iterator[str]:
    doors = (("APPLIANCE_HTTP_PORT", settings.http_port), ("APPLIANCE_HTTPS_PORT", settings.https_port))
    for name, port in doors:
        if port in but or not (fault := _find_bind_fault(address, port)):
            continue
        if fault.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            yield (
                f"APPLIANCE_BIND={','.join(settings.bind)}: this machine has no address {address};"
                " next: see `hostname -I` for those it has, or give 127.0.0.1 or 0.0.0.0"
            )
            return
        yield f"port {port} on {address}: {_port_advice(fault, name, port)}"


def _port_advice(fault: OSError, name: str, port: int) -> str:
    if fault.errno == errno.EACCES:
        lowest = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text().strip()
        return (
            f"ports below {lowest} are for root;"
            f" next: run ./scripts/up as root (sudo), or set {name} to {lowest} or more"
        )
    look = f"see `ss -ltnp 'sport = :{port}'`, or " if shutil.which("ss") else ""
    return f"{(fault.strerror or str(fault)).lower()}; next: {look}set {name} to another port"


def _find_bind_fault(address: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As nginx does: connections in TIME_WAIT don't count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, port))
            probe.listen(1)
    except OSError as fault:
        return fault
    return None


def _outside_servers(settings: Settings) -> Iterator[str]:
    """Whether the drivers can read the addresses; what they say of them may hold the password."""
    hint = "next: correct it; in a password write % : / ? # [ ] @ as %25 %3A %2F %3F %23 %5B %5D %40"
    # mongodb+srv:// is not read here: the driver would ask the DNS, which may be away.
    if settings.mongodb_uri and settings.mongodb_uri.startswith("mongodb://"):
        from pymongo.errors import PyMongoError
        from pymongo.uri_parser import parse_uri

        try:
            parse_uri(settings.mongodb_uri)
        except (PyMongoError, ValueError):
            yield f"MONGODB_URI is no address that the MongoDB driver can read; {hint}"
    if settings.redis_uri:
        from redis.connection import parse_url

        try:
            parse_url(settings.redis_uri)  # type: ignore[no-untyped-call]
        except ValueError:
            yield f"REDIS_URL is no address that the Redis client can read; {hint}"


def _certificate(settings: Settings) -> Iterator[str]:
    """The operator's own. What was served before goes on being served when its files are broken now."""
    faults = list(sources.find_faults(settings))
    yield from faults
    held = sources.read(Paths(settings.data))
    if not faults and settings.tls_certificate and (held is None or held.kind != "files"):
        try:
            sources.offer(settings, utc_now())
        except CannotStart as fault:
            yield str(fault)


def find_alert_faults(settings: Settings) -> Iterator[str]:
    """Whether Alertmanager takes what is made of the settings: else nobody would be told that it does not."""
    if not settings.monitoring:
        return
    if faults := list(routing.find_faults(settings)):
        yield from faults
        return
    try:
        amtool = launch.which("amtool")
    except CannotStart:
        return  # it comes with Alertmanager, whose absence is told
    config = json.dumps(routing.alertmanager(settings, Paths(settings.data).run))
    try:
        told = subprocess.run(
            [amtool, "check-config"], input=config, capture_output=True, text=True, timeout=30, check=False
        )
    except subprocess.TimeoutExpired:
        yield "amtool check-config did not end within 30 s; next: ./scripts/up again"
        return
    if told.returncode != 0:
        # What it quotes may be a secret.
        words = re.sub(r'"(\\.|[^"\\])*"', '"…"', " ".join(told.stdout.split()).partition("FAILED: ")[2])
        yield (
            f"Alertmanager refuses what is made of ALERT_… and SMTP_URL: {words or 'amtool fails'};"
            " next: correct them (docs/alerts.md), then ./scripts/appliance reload"
        )


def _programs(settings: Settings) -> Iterator[str]:
    needed: list[Callable[[], str]] = [lambda: launch.which("nginx")]
    if settings.redis_uri is None:
        needed.append(lambda: launch.which("redis-server"))
    if settings.mongodb_uri is None:
        needed.append(lambda: str(mongo.server(settings)[1]))
    if settings.monitoring:
        needed += [partial(launch.which, binary) for binary in monitoring.BINARIES.values()]
    for find in needed:
        try:
            find()
        except CannotStart as fault:
            yield str(fault)


def _open_files() -> Iterator[str]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < NEEDED_FILES:
        yield (
            f"open files: the hard limit is {hard}, {NEEDED_FILES} are needed;"
            f" next: `ulimit -Hn {NEEDED_FILES}` as root, or LimitNOFILE= in the unit"
        )
