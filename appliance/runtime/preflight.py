"""What must hold before anything starts. All faults are told together, each with the next command."""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.runtime import launch, mongo
from appliance.settings import Settings

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


def find_faults(settings: Settings) -> list[str]:
    return [
        *_folder(settings.data),
        *_path(settings.data),
        *_disk(settings.data),
        *_ports(settings),
        *_programs(settings),
        *_open_files(),
    ]


def _folder(data: Path) -> Iterator[str]:
    existing = _existing(data)
    if not existing.is_dir():
        yield f"data folder {data}: {existing} is not a folder; set APPLIANCE_DATA to another one"
        return
    folders = [existing]
    if existing == data:
        folders += [path for path in sorted(data.iterdir()) if path.is_dir()]
    for folder in folders:
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
            status = folder.stat()
            yield (
                f"data folder {data}: {_user(os.geteuid())} may not write to {folder}, which belongs to"
                f" {_user(status.st_uid)} with mode {status.st_mode & 0o7777:04o}; next:"
                f" chown -R {_user(os.geteuid())} '{folder}', or set APPLIANCE_DATA to another folder"
            )


def _path(data: Path) -> Iterator[str]:
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


def _disk(data: Path) -> Iterator[str]:
    free = shutil.disk_usage(_existing(data)).free
    if free < NEEDED_BYTES:
        yield (
            f"data folder {data}: {free // 2**20} MiB are free on its disk, {NEEDED_BYTES // 2**20} MiB are"
            f" needed; next: see `df -h '{_existing(data)}'`, free some or set APPLIANCE_DATA to another disk"
        )


def _ports(settings: Settings) -> Iterator[str]:
    if settings.http_port == settings.https_port:
        yield f"APPLIANCE_HTTP_PORT and APPLIANCE_HTTPS_PORT are both {settings.http_port}; change one"
        return
    doors = (("APPLIANCE_HTTP_PORT", settings.http_port), ("APPLIANCE_HTTPS_PORT", settings.https_port))
    if not settings.bind:
        yield "APPLIANCE_BIND names no address; next: unset it, or give 127.0.0.1 or 0.0.0.0"
    for address in settings.bind:
        for name, port in doors:
            if fault := _find_bind_fault(address, port):
                yield (
                    f"port {port} on {address}: {fault}; next: see `ss -ltnp 'sport = :{port}'`,"
                    f" or set {name} to another port"
                )


def _find_bind_fault(address: str, port: int) -> str | None:
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
        return (fault.strerror or str(fault)).lower()
    return None


def _programs(settings: Settings) -> Iterator[str]:
    needed: list[Callable[[], str]] = [lambda: launch.which("nginx")]
    if settings.redis_uri is None:
        needed.append(lambda: launch.which("redis-server"))
    if settings.mongodb_uri is None:
        needed.append(lambda: str(mongo.server(settings)[1]))
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


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    while not os.path.lexists(path):
        path = path.parent
    return path


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
