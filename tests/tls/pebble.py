"""Pebble, the small ACME service of Let's Encrypt's makers, and a DNS in which every name is this machine."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.runtime.servers import free_port, reachable, until
from tests.tls.authority import Authority, pem

PLAIN = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
"""Nothing of what it does by chance."""


class Pebble:
    def __init__(self, folder: Path, http_port: int) -> None:
        """It looks for proofs at `http_port`."""
        self.folder, self.http_port = folder, http_port
        self.port, self._management = free_port(), free_port()
        self.directory = f"https://127.0.0.1:{self.port}/dir"
        self.roots = folder / "roots.pem"
        """Those that clients need for Pebble itself, and for what it signs."""
        self.log = folder / "pebble.log"
        self._authority = Authority()
        folder.mkdir(exist_ok=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        chain, key = self._authority.write(self.folder, "127.0.0.1")
        config = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self._management}",
            "certificate": str(chain),
            "privateKey": str(key),
            "httpPort": self.http_port,
            "tlsPort": free_port(),
        }
        (self.folder / "config.json").write_text(json.dumps({"pebble": config}))
        dns, dns_management = free_port(), free_port()
        lookups = [
            "pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "",
            "-https01", "", "-tlsalpn01", "", "-dns01", f"127.0.0.1:{dns}",
            "-management", f"127.0.0.1:{dns_management}",
        ]  # fmt: skip
        service = [
            "pebble", "-strict", "-config", str(self.folder / "config.json"), "-dnsserver", f"127.0.0.1:{dns}"
        ]  # fmt: skip
        with ExitStack() as stack:
            log = stack.enter_context(self.log.open("ab"))
            for command in (lookups, service):
                child = subprocess.Popen(
                    command, stdout=log, stderr=log, process_group=0,
                    env={"PATH": os.environ["PATH"], **PLAIN},
                )  # fmt: skip
                stack.callback(child.wait)
                stack.callback(child.kill)
            until(lambda: reachable(self.port) and reachable(dns_management), what=self.log.read_text())
            own = pem(self._authority.root).decode()
            trust = ssl.create_default_context(cadata=own)
            root = httpx.get(f"https://127.0.0.1:{self._management}/roots/0", verify=trust, trust_env=False)
            self.roots.write_text(own + root.text)
            yield

    def count_issued(self) -> int:
        return self.log.read_text().count("Issued certificate serial")
