"""What would fail later is said before anything starts, all at once, with the next command."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.runtime import place, preflight
from appliance.settings import HOME, Settings
from tests.runtime import seccomp


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
    (fault,) = preflight.find_faults(replace(chosen, bind=("192.0.2.1",)))
    assert fault == (
        "APPLIANCE_BIND=192.0.2.1: this machine has no address 192.0.2.1;"
        " next: see `hostname -I` for those it has, or give 127.0.0.1 or 0.0.0.0"
    )


def test_everywhere_is_what_there_is_where_the_kernel_has_no_ipv6(
    environ: dict[str, str], data: Path
) -> None:
    look = """if True:
        from appliance import settings
        from appliance.runtime import folders, preflight, rendering, serving
        from appliance.addresses import Paths
        chosen = settings.load()
        print(preflight.find_faults(chosen))
        folders.create(Paths(chosen.data))
        serving.settle(chosen)
        rendering.nginx(chosen)
    """

    def asked(bind: str) -> str:
        return subprocess.run(
            [sys.executable, "-P", "-c", look], env={**environ, "APPLIANCE_BIND": bind},
            preexec_fn=seccomp.refuse_ipv6, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip

    assert asked("0.0.0.0,::") == "[]\n"
    config = (Paths(data).run / "nginx.conf").read_text()
    assert "listen 0.0.0.0:" in config and "listen [" not in config
    assert "this machine has no address ::;" in asked("::")
    assert "this machine has no address ::1;" in asked("0.0.0.0,::1")


def test_both_doors_on_one_port(chosen: Settings) -> None:
    (fault,) = preflight.find_faults(replace(chosen, https_port=chosen.http_port))
    assert "are both" in fault


def as_nobody(ask: Callable[[], list[str]]) -> list[str]:
    """What one is told who may not write: nobody, or ourselves when we are not root."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            try:
                told = ask()
            except CannotStart as fault:
                told = [str(fault)]
            os.write(write, "\n".join(told).encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as pipe:
        return pipe.read().splitlines()


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_no_right_to_write_says_who_and_where(data: Path, chosen: Settings) -> None:
    data.mkdir(parents=True)
    data.parent.chmod(0o755)
    data.chmod(0o555)
    try:
        (fault,) = as_nobody(lambda: place.find_faults(data))
    finally:
        data.chmod(0o755)
    owner = place.user(os.geteuid())
    who = "nobody" if os.geteuid() == 0 else owner
    assert fault.startswith(
        f"data folder {data}: {who} may not write to {data}, which belongs to {owner} with mode 0555"
    )
    assert f"chown -R {who} {data}," in fault


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_folder_inside_that_belongs_to_another(data: Path, chosen: Settings) -> None:
    (data / "redis").mkdir(parents=True)
    data.parent.chmod(0o755)
    data.chmod(0o777)
    (data / "redis").chmod(0o500)
    (fault,) = as_nobody(lambda: place.find_faults(data))
    assert f"may not write to {data / 'redis'}" in fault


def looked_into(data: Path) -> list[str]:
    place.check_readable(data)
    return []


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@as_root
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_folder_that_cannot_be_made_is_made_by_root_and_nothing_else_is_handed_over() -> None:
    (fault,) = as_nobody(lambda: place.find_faults(Path("/etc/an appliance")))
    assert "nobody may not make it in /etc, which belongs to root with mode 0755; next, as root: " in fault
    assert "install -d -m 700 -o nobody '/etc/an appliance'" in fault
    (below_root,) = as_nobody(lambda: place.find_faults(Path("/etc")))
    assert "nobody may not write to /etc" in below_root
    assert "chown" not in fault + below_root


@as_root
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_the_folder_of_another_is_told_before_it_is_looked_into(data: Path) -> None:
    (data / "run").mkdir(parents=True)
    data.parent.chmod(0o755)
    data.chmod(0o700)
    (told,) = as_nobody(lambda: looked_into(data))
    assert told == (
        f"data folder {data}: {data} belongs to root, and nobody may not look into it;"
        " next: run this as root (sudo), or set APPLIANCE_DATA to another folder"
    )
    (fault,) = as_nobody(lambda: place.find_faults(data))
    assert "next: run this as root (sudo), or set APPLIANCE_DATA" in fault
    data.chmod(0o755)
    (data / "run").chmod(0o700)
    (told,) = as_nobody(lambda: looked_into(data))
    assert f"{data / 'run'} belongs to root" in told


@pytest.mark.parametrize("place_of_code", [HOME, *HOME.parents])
def test_code_is_no_place_for_data(place_of_code: Path) -> None:
    (fault,) = place.find_faults(place_of_code)
    assert fault.startswith(f"data folder {place_of_code}: the appliance's own code lies ")
    assert "set APPLIANCE_DATA to a folder of its own" in fault


@pytest.mark.parametrize("mark", [".git", "pyproject.toml"])
def test_nor_is_the_code_of_others(data: Path, mark: str) -> None:
    (data / mark).mkdir(parents=True)
    (fault,) = place.find_faults(data)
    assert f"it holds {mark}, so it is a folder of source code" in fault


@pytest.mark.parametrize("nowhere", ["/proc", "/proc/appliance", "/sys/appliance/data"])
def test_where_nothing_can_be_stored(nowhere: str) -> None:
    if nowhere.startswith("/sys") and not Path("/sys/kernel").is_dir():
        pytest.skip("/sys is not mounted here")
    (fault,) = place.find_faults(Path(nowhere))
    assert f"nothing can be stored in {'/sys' if 'sys' in nowhere else '/proc'};" in fault


def test_a_file_system_that_is_read_only(data: Path) -> None:
    data.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "appliance-test", str(data)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        (fault,) = place.find_faults(data / "below")
    finally:
        subprocess.run(["umount", str(data)], check=True)
    assert f"the file system of {data} is read-only" in fault


def test_an_open_folder_is_taken_only_where_nothing_of_others_is_in_it(data: Path) -> None:
    data.mkdir(parents=True)
    data.chmod(0o777)
    assert place.find_faults(data) == []
    (data / "letters").mkdir()
    (fault,) = place.find_faults(data)
    assert "others can reach it (mode 0777), and it holds what is not the appliance's" in fault
    data.chmod(0o700)
    assert place.find_faults(data) == []
    (data / "letters").rmdir()
    data.chmod(0o1777)
    assert "mode 1777" in place.find_faults(data)[0]


@as_root
def test_an_open_folder_of_another_is_not_taken(data: Path) -> None:
    data.mkdir(parents=True)
    os.chown(data, 65534, -1)
    data.chmod(0o777)
    (fault,) = place.find_faults(data)
    assert f"next, as nobody: chmod 700 {data}," in fault


@as_root
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_low_port_needs_root(chosen: Settings) -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if lowest < 2:
        pytest.skip("every port may be taken by everybody here")
    (fault,) = as_nobody(lambda: list(preflight.find_port_faults(replace(chosen, https_port=lowest - 1))))
    assert fault == (
        f"port {lowest - 1} on 127.0.0.1: ports below {lowest} are for root;"
        f" next: run ./scripts/up as root (sudo), or set APPLIANCE_HTTPS_PORT to {lowest} or more"
    )


def test_a_refused_first_start_leaves_nothing_behind(data: Path, chosen: Settings) -> None:
    with taken(chosen.http_port), pytest.raises(CannotStart, match="already in use"):
        preflight.check_place(chosen)
    assert not data.exists()
    preflight.check_place(chosen)
    (data / "run").mkdir(parents=True)
    data.chmod(0o700)
    with taken(chosen.http_port):
        preflight.check_place(chosen)  # by whom they are taken, is asked once the lock is held


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
    data.chmod(0o700)
    try:
        (fault,) = preflight.find_faults(chosen)
    finally:
        subprocess.run(["umount", str(data)], check=True)
    assert fault.startswith(f"data folder {data}: 100 MiB are free on its disk, 512 MiB are needed; next: ")
    assert f"df -h {data}`" in fault


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
