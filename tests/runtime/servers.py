"""Real servers on free ports and data folders of their own; they end with the test."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from appliance import settings
from appliance.addresses import Paths
from appliance.runtime import folders, launch, programs, rendering, serving
from appliance.settings import HOME, Settings

HERE = Path(__file__).parent
PATIENCE = 5
"""How many times what it takes on a quiet machine a wait may last: speed is not what tests judge."""


def free_port() -> int:
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of so many in a row. Below the ephemeral range, so that no outgoing connection of another
    test sits on one.
    """
    for _ in range(200):
        first = 20000 + int.from_bytes(os.urandom(2), "big") % 7000
        if all(map(_is_free, range(first, first + count))):
            return first
    raise AssertionError("no free port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def until(condition: Callable[[], object], seconds: float = 15, what: str = "") -> None:
    """`seconds`: what is enough on a quiet machine."""
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds * PATIENCE} s: {what or condition}"
        time.sleep(0.02)


@contextmanager
def program(command: list[str], environ: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a group of its own, which is ended whatever happens."""
    child = subprocess.Popen(command, env=environ, process_group=0)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(15)
        finally:
            kill_group(child.pid)
            child.wait()


def kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


@contextmanager
def temporary_data() -> Iterator[Path]:
    # Not tmp_path: its depth comes near to what a socket's path may have.
    folder = Path(tempfile.mkdtemp(prefix="appliance-"))
    try:
        yield folder / "data"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def operator_environ(data: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(HOME),
        "APPLIANCE_DATA": str(data),
        "APPLIANCE_HTTP_PORT": str(free_port()),
        "APPLIANCE_HTTPS_PORT": str(free_port()),
        "APPLIANCE_PORT_BASE": str(free_port()),
        "APPLIANCE_MONITORING": "off",  # a test of it says so
    }


class Front:
    """A running nginx with the product's own configuration, and what stands behind it."""

    def __init__(self, chosen: Settings, log: Path, pid: int) -> None:
        self.settings, self.log, self.pid = chosen, log, pid
        self.paths = Paths(chosen.data)
        self.http = f"http://127.0.0.1:{chosen.http_port}"
        self.https = f"https://127.0.0.1:{chosen.https_port}"
        context = ssl.create_default_context(cafile=str(self.paths.certificate))
        self.client = httpx.Client(verify=context, trust_env=False, timeout=10)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(self.http + path, headers=_dashes(headers))

    def raw(self, request: bytes, *, timeout: float = 5) -> bytes:
        with socket.create_connection(("127.0.0.1", self.settings.http_port), timeout=timeout) as door:
            door.sendall(request)
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while part := door.recv(65536):
                    received += part
        return received


def _dashes(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@contextmanager
def front(data: Path, *, edit: tuple[str, str] = ("", ""), **more: str) -> Iterator[Front]:
    """nginx as `launch nginx` runs it, without anything behind it; `edit` shortens what takes long."""
    chosen = settings.load(operator_environ(data) | more, dotenv=Path("/nonexistent"))
    paths = Paths(chosen.data)
    folders.create(paths)
    serving.settle(chosen)
    log = paths.logs / "nginx.log"
    config = rendering.nginx(chosen)
    assert edit[0] in config.read_text()
    config.write_text(config.read_text().replace(*edit))
    with log.open("wb") as file:
        child = subprocess.Popen(
            [launch.which("nginx"), "-e", "stderr", "-p", str(paths.run), "-c", str(config)],
            stdout=file, stderr=file, env={"PATH": os.environ["PATH"], "TZ": "UTC"}, process_group=0,
        )  # fmt: skip
    made = Front(chosen, log, child.pid)
    try:
        until(lambda: reachable(chosen.http_port), what=log.read_text())
        yield made
    finally:
        made.client.close()
        child.terminate()
        child.wait(10)
        kill_group(child.pid)


@contextmanager
def echo_apps(chosen: Settings) -> Iterator[None]:
    """The echo program on every socket that nginx knows, under the same server as the product's."""
    sockets = [Paths(chosen.data).api_socket(n) for n in range(1, programs.api_count(chosen) + 1)]
    children = []
    try:
        for socket_path in sockets:
            command = [
                sys.executable, "-m", "granian", "--interface", "asgi", "--uds", str(socket_path),
                "--no-ws", "--no-log", "--working-dir", str(HERE), "echo_app:app",
            ]  # fmt: skip
            environ = {"PATH": os.environ["PATH"], "SLOT": socket_path.stem}
            children.append(subprocess.Popen(command, env=environ, process_group=0))
        for socket_path in sockets:
            until(lambda path=socket_path: answers(path), what=str(socket_path))  # type: ignore[misc]
        yield
    finally:
        for child in children:
            child.terminate()
        for child, socket_path in zip(children, sockets, strict=False):
            child.wait(10)
            kill_group(child.pid)
            socket_path.unlink(missing_ok=True)


def reachable(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(str(path))
    except OSError:
        return False
    return True
