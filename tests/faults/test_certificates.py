"""Certificates change under a running appliance: by hand, by ACME, badly; and no request fails."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from appliance.runtime import rendering
from appliance.tls import sources
from tests import disks
from tests.ops.command import appliance_command
from tests.running import Running, running
from tests.runtime.servers import free_port, temporary_data, until
from tests.tasks.test_exporter import scrape
from tests.tls.authority import Authority, pem
from tests.tls.pebble import Pebble

EXPIRY = "appliance_tls_certificate_expiry_timestamp_seconds"
FAILING = "appliance_tls_certificate_renewal_failing"


class Scene:
    def __init__(self, folder: Path, appliance: Running, pebble: Pebble, authority: Authority) -> None:
        self.folder, self.appliance, self.pebble, self.authority = folder, appliance, pebble, authority
        self.dotenv, self.roots = folder / "dotenv", folder / "roots.pem"
        self.files = (
            f"APPLIANCE_TLS_CERTIFICATE={folder / 'chain.pem'}\nAPPLIANCE_TLS_KEY={folder / 'key.pem'}\n"
        )

    def reload(self, dotenv: str, status: int = 0) -> str:
        self.dotenv.write_text(dotenv)
        told = appliance_command("reload", data=self.appliance.paths.data)
        assert told.returncode == status, told.stdout + told.stderr
        return told.stdout

    def served(self) -> x509.Certificate:
        address = ("127.0.0.1", self.appliance.settings.https_port)
        return x509.load_pem_x509_certificate(ssl.get_server_certificate(address).encode())

    def until_served(self, names: set[str]) -> None:
        def is_it() -> bool:
            found = self.served().extensions.get_extension_for_class(x509.SubjectAlternativeName)
            return set(found.value.get_values_for_type(x509.DNSName)) == names

        until(is_it, 60, f"{names} are served\n{self.appliance.log.read_text()[-2000:]}")

    def doctor(self) -> dict[str, str]:
        told = appliance_command("doctor", "--json", data=self.appliance.paths.data, **self.environ)
        found = [each for each in json.loads(told.stdout) if each["check"] == "certificate"]
        assert len(found) == 1
        return dict(found[0])

    @property
    def environ(self) -> dict[str, str]:
        """What this terminal has in common with the appliance."""
        return {"APPLIANCE_DOTENV": str(self.dotenv), "SSL_CERT_FILE": str(self.roots)}

    @contextmanager
    def asking(self) -> Iterator[list[str]]:
        """Clients that ask all the while, one over a connection that is kept; what failed."""
        over, failures = threading.Event(), list[str]()

        def ask(*, keep: bool) -> None:
            base = f"https://127.0.0.1:{self.appliance.settings.https_port}"
            client = httpx.Client(base_url=base, verify=False, trust_env=False)  # noqa: S501
            while not over.wait(0.02):
                try:
                    assert client.get("/healthz").status_code == 200
                except (httpx.HTTPError, AssertionError) as fault:
                    failures.append(repr(fault))
                if not keep:
                    client.close()
                    client = httpx.Client(base_url=base, verify=False, trust_env=False)  # noqa: S501
            client.close()

        threads = [threading.Thread(target=ask, kwargs={"keep": keep}) for keep in (True, False)]
        for thread in threads:
            thread.start()
        try:
            yield failures
        finally:
            over.set()
            for thread in threads:
                thread.join()


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with temporary_data() as folder:
        folder.mkdir(parents=True)
        authority, port = Authority(), free_port()
        pebble = Pebble(folder / "pebble", port)
        (folder / "dotenv").write_text("")
        with pebble.running():
            roots = folder / "roots.pem"
            roots.write_bytes(pebble.roots.read_bytes() + pem(authority.root))
            with running(
                APPLIANCE_HTTP_PORT=str(port),
                APPLIANCE_DOTENV=str(folder / "dotenv"),
                SSL_CERT_FILE=str(roots),
            ) as appliance:
                yield Scene(folder, appliance, pebble, authority)


def test_what_is_replaced_is_taken_up_and_what_is_broken_is_told(scene: Scene) -> None:
    assert scene.doctor()["severity"] == "ok"
    assert "self-signed" in scene.doctor()["meaning"]
    scene.authority.write(scene.folder, "one.test")
    assert "nginx has its new settings and certificate" in scene.reload(scene.files)
    scene.until_served({"one.test"})
    assert scene.doctor()["meaning"] == "the certificate is valid and trusted"
    with scene.asking() as failures:
        scene.authority.write(scene.folder, "two.test")
        scene.until_served({"two.test"})
        (scene.folder / "chain.pem").write_text("broken")
        until(lambda: scrape(scene.appliance)[FAILING,] == 1, 60, "it is told")
        scene.until_served({"two.test"})
        told = scene.doctor()
        assert told["severity"] == "error"
        assert "is not taken up, the one of before is served: " in told["meaning"]
        assert "holds no certificate in PEM form" in told["meaning"]
        assert "goes on being served" in scene.appliance.log.read_text()
        assert "holds no certificate" in scene.reload(scene.files, status=2)
        scene.authority.write(scene.folder, "three.test")
        until(scene.appliance.paths.closing.exists, 60, "nginx is about to be given it")
        assert "reloaded" in scene.reload(scene.files), "one that comes meanwhile is done after it"
        scene.until_served({"three.test"})
        until(lambda: scrape(scene.appliance)[FAILING,] == 0, 60, "it is mended")
    assert failures == []
    assert scrape(scene.appliance)[EXPIRY,] == scene.served().not_valid_after_utc.timestamp()


def test_a_mount_that_does_not_answer_is_refused_and_hangs_nobody(scene: Scene) -> None:
    scene.authority.write(scene.folder, "one.test")
    scene.reload(scene.files)
    with disks.silent() as away:
        key = f"APPLIANCE_TLS_KEY={scene.folder / 'key.pem'}\n"
        told = scene.reload(f"APPLIANCE_TLS_CERTIFICATE={away / 'chain.pem'}\n{key}", status=2)
        assert f"not reloaded, everything runs on as before: {away / 'chain.pem'} and " in told
        assert "does not answer; next: see which: timeout 5 ls -l " in told
        assert scene.doctor()["severity"] == "ok", "it looks at what runs"
    assert "reloaded" in scene.reload(scene.files)


def test_a_certificate_is_got_by_acme_and_taken_up(scene: Scene) -> None:
    acme = f"ACME_DOMAINS=forms.example.test\nACME_DIRECTORY={scene.pebble.directory}\n"
    assert "nobody has agreed to the terms of service" in scene.reload(acme, status=2)
    assert "ACME_DOMAINS and APPLIANCE_TLS_CERTIFICATE" in scene.reload(
        f"{acme}{scene.files}ACME_AGREE_TOS=on\n", status=2
    )
    with scene.asking() as failures:
        scene.reload(f"{acme}ACME_AGREE_TOS=on\n")
        scene.until_served({"forms.example.test"})
    assert failures == []
    served = sources.read(scene.appliance.paths)
    assert served is not None
    assert served.kind == "acme"
    assert scene.doctor()["meaning"] == "the certificate is valid and trusted"
    door = f"https://127.0.0.1:{scene.appliance.settings.https_port}"
    secured = httpx.get(f"{door}/healthz", verify=False, trust_env=False)  # noqa: S501
    assert secured.headers["strict-transport-security"] == rendering.HSTS
    told = appliance_command("status", "--json", data=scene.appliance.paths.data, **scene.environ)
    found = json.loads(told.stdout)["certificate"]
    assert (found["kind"], found["names"], found["untrusted"]) == ("acme", ["forms.example.test"], None)
    assert found["fault"] is None
    shown = appliance_command("status", data=scene.appliance.paths.data, **scene.environ).stdout
    assert f"TLS       acme, until {found['expires_at'][:10]}, for forms.example.test\n" in shown
