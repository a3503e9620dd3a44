"""What would fail later is said before anything starts, all at once, with the next command."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.runtime import preflight
from appliance.settings import HOME, Settings


@contextlib.contextmanager
def taken(port: int, address: str = "127.0.0.1") -> Iterator[None]:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind((address, port))
        stranger.listen(1)
        yield


def test_a_good_place_has_no_fault(chosen: Settings) -> None:
    assert preflight.find_faults(chosen) == []


def test_taken_ports_are_told_together(chosen: Settings) -> None:
    with taken(chosen.http_port), taken(chosen.https_port):
        faults = preflight.find_faults(chosen)
    assert len(faults) == 2
    for fault, port, name in zip(
        faults,
        (chosen.http_port, chosen.https_port),
        ("APPLIANCE_HTTP_PORT", "APPLIANCE_HTTPS_PORT"),
        strict=True,
    ):
        assert fault.startswith(f"port {port} on 127.0.0.1: address already in use; next: ")
        assert f"ss -ltnp 'sport = :{port}'" in fault
        assert name in fault


def test_a_port_taken_on_one_address_is_taken_for_all(chosen: Settings) -> None:
    with taken(chosen.http_port):
        faults = preflight.find_faults(replace(chosen, bind=("0.0.0.0",)))
    assert [fault.split(":")[0] for fault in faults] == [f"port {chosen.http_port} on 0.0.0.0"]


def test_connections_of_the_last_run_do_not_count(chosen: Settings) -> None:
    """TIME_WAIT on the port, as after every restart."""
    with taken(chosen.http_port):
        client = socket.create_connection(("127.0.0.1", chosen.http_port))
    client.close()
    assert preflight.find_faults(chosen) == []


def test_an_address_that_is_not_here(chosen: Settings) -> None:
    faults = preflight.find_faults(replace(chosen, bind=("192.0.2.1",)))
    assert len(faults) == 2
    assert "cannot assign requested address" in faults[0]


def test_both_doors_on_one_port(chosen: Settings) -> None:
    (fault,) = preflight.find_faults(replace(chosen, https_port=chosen.http_port))
    assert "are both" in fault


def as_nobody(data: Path, chosen: Settings) -> list[str]:
    """The faults as one sees them who may not write: nobody, or ourselves when we are not root."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            os.write(write, "\n".join(preflight.find_faults(chosen)).encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as pipe:
        return [line for line in pipe.read().splitlines() if line.startswith("data folder")]


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_no_right_to_write_says_who_and_where(data: Path, chosen: Settings) -> None:
    data.mkdir(parents=True)
    data.parent.chmod(0o755)
    data.chmod(0o555)
    try:
        (fault,) = as_nobody(data, chosen)
    finally:
        data.chmod(0o755)
    owner = preflight._user(os.geteuid())
    who = "nobody" if os.geteuid() == 0 else owner
    assert fault.startswith(
        f"data folder {data}: {who} may not write to {data}, which belongs to {owner} with mode 0555"
    )
    assert f"chown -R {who} '{data}'" in fault


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_folder_inside_that_belongs_to_another(data: Path, chosen: Settings) -> None:
    (data / "redis").mkdir(parents=True)
    data.parent.chmod(0o755)
    data.chmod(0o777)
    (data / "redis").chmod(0o500)
    (fault,) = as_nobody(data, chosen)
    assert f"may not write to {data / 'redis'}" in fault


def test_a_file_in_place_of_the_folder(data: Path, chosen: Settings) -> None:
    data.parent.mkdir(exist_ok=True)
    data.write_text("")
    (fault,) = preflight.find_faults(chosen)
    assert fault == f"data folder {data}: {data} is not a folder; set APPLIANCE_DATA to another one"


def test_too_little_disk(data: Path, chosen: Settings) -> None:
    data.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=100m", "appliance-test", str(data)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        (fault,) = preflight.find_faults(chosen)
    finally:
        subprocess.run(["umount", str(data)], check=True)
    assert fault.startswith(f"data folder {data}: 100 MiB are free on its disk, 512 MiB are needed; next: ")
    assert f"df -h '{data}'" in fault


@pytest.mark.parametrize("length, fits", [(78, True), (79, True), (80, False), (200, False)])
def test_a_path_that_is_too_deep_for_sockets(chosen: Settings, length: int, fits: bool) -> None:
    deep = Path("/tmp/" + "d" * (length - 5))
    faults = preflight.find_faults(replace(chosen, data=deep))
    assert (faults == []) is fits
    if not fits:
        assert f"the path has {length} bytes, and sockets below it may have 79" in faults[0]
    else:
        longest = len(f"{Paths(deep).supervisor_socket}.4194304")
        assert longest <= 107


@pytest.mark.parametrize("character", ['"', "'", "\\", "$", "@", "%", "\n"])
def test_a_path_that_configuration_files_would_misread(chosen: Settings, character: str) -> None:
    (fault,) = preflight.find_faults(replace(chosen, data=Path(f"/tmp/a{character}b")))
    assert repr(character) in fault


def test_missing_programs_are_named(
    chosen: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    faults = preflight.find_faults(replace(chosen, mongo_kind="mongod"))
    assert faults == [
        "there is no nginx; run ./scripts/up, which installs it",
        "there is no redis-server; run ./scripts/up, which installs it",
        "APPLIANCE_MONGO=mongod, but there is no mongod on PATH; install it or use auto",
    ]
    elsewhere = replace(chosen, mongodb_uri="mongodb://db.test", redis_uri="redis://cache.test")
    assert preflight.find_faults(elsewhere) == ["there is no nginx; run ./scripts/up, which installs it"]


def test_too_few_open_files() -> None:
    """In a child: a hard limit never comes back."""
    code = "from appliance.runtime import preflight\nprint(*preflight._open_files())"
    got = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(HOME)},
        capture_output=True, text=True, check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512)),
    )  # fmt: skip
    assert got.stdout.startswith(
        "open files: the hard limit is 512, 4096 are needed; next: `ulimit -Hn 4096`"
    )


def test_check_raises_with_every_fault(chosen: Settings) -> None:
    with taken(chosen.http_port), pytest.raises(CannotStart) as caught:
        preflight.check(replace(chosen, data=Path("/tmp/" + "d" * 200)))
    assert len(str(caught.value).splitlines()) == 2
