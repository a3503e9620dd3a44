"""A container as docs/image.md advises to run it, through Docker's own client."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import time
from typing import Any

import httpx

from tests.runtime.servers import free_port, until

DOCKER = "/usr/bin/docker"
MEMORY = "1g"
CPUS = str(min(2, os.cpu_count() or 1))
HEALTHY_SECONDS = 90.0
STOP_SECONDS = 45
HARDENED = [
    "--read-only", "--tmpfs", "/run", "--tmpfs", "/tmp", "--cap-drop", "ALL",
    "--security-opt", "no-new-privileges", "--pids-limit", "500",
    "--cpus", CPUS, "--memory", MEMORY, "--memory-swap", MEMORY, "--stop-timeout", str(STOP_SECONDS),
]  # fmt: skip


def docker(*arguments: str, status: int = 0) -> str:
    """What it prints. Raises AssertionError when it ends with another status."""
    ended = subprocess.run([DOCKER, *arguments], capture_output=True, text=True, timeout=120, check=False)
    told = f"docker {' '.join(arguments)}\n{ended.stdout}{ended.stderr}"
    assert ended.returncode == status, f"{ended.returncode}: {told}"
    return ended.stdout.strip()


class Container:
    """On the host's network, since the engine has no bridge: so with free ports."""

    def __init__(self, image: str, volume: str, *options: str) -> None:
        self.https_port = free_port()
        ports = {
            "APPLIANCE_HTTP_PORT": free_port(),
            "APPLIANCE_HTTPS_PORT": self.https_port,
            "APPLIANCE_PORT_BASE": free_port(),
        }
        given = [f"--env={name}={port}" for name, port in ports.items()]
        self.started = time.monotonic()
        self.name = docker(
            "run", "--detach", "--network", "host", "--volume", f"{volume}:/data",
            *HARDENED, *given, *options, image,
        )  # fmt: skip

    def call(self, *command: str, status: int = 0) -> str:
        return docker("exec", self.name, *command, status=status)

    def until_healthy(self) -> float:
        """By the image's own HEALTHCHECK; seconds since the start."""
        until(lambda: self._health() == "healthy", HEALTHY_SECONDS, f"healthy\n{self.log()}")
        return time.monotonic() - self.started

    def _health(self) -> str:
        return docker("inspect", "--format", "{{.State.Health.Status}}", self.name)

    def log(self) -> str:
        ended = subprocess.run([DOCKER, "logs", self.name], capture_output=True, text=True, check=False)
        return ended.stdout + ended.stderr

    def report(self) -> dict[str, Any]:
        """`appliance status --json`, whatever its exit status; `programs` by name."""
        ended = subprocess.run(
            [DOCKER, "exec", self.name, "appliance", "status", "--json"], capture_output=True, check=False
        )
        found: dict[str, Any] = json.loads(ended.stdout)
        return {**found, "programs": {row["name"]: row for row in found["programs"]}}

    def kill(self, program: str) -> None:
        """kill -9, and wait until supervisord has another one and all is well again."""
        pid = self.report()["programs"][program]["pid"]
        self.call("sh", "-c", f"kill -9 {pid}")
        until(lambda: self._runs_anew(program, pid), 60, f"{program} runs again")

    def _runs_anew(self, program: str, pid: int) -> bool:
        report = self.report()
        return bool(report["up"] and report["programs"][program]["pid"] not in (pid, None))

    def zombies(self) -> str:
        return self.call("sh", "-c", "grep -ls '^State:.Z' /proc/[0-9]*/status || true")

    def client(self, token: str | None = None) -> httpx.Client:
        """Over HTTPS, its certificate checked."""
        certificate = self.call("cat", "/data/tls/self-signed.crt")
        return httpx.Client(
            base_url=f"https://localhost:{self.https_port}",
            verify=ssl.create_default_context(cadata=certificate),
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=30,
            trust_env=False,
        )

    def ended(self) -> int:
        """Waits for the end; the exit status."""
        return int(docker("wait", self.name))
