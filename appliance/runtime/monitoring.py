"""Prometheus, Alertmanager and the exporters: what each is started with, and their configurations.

All listen on 127.0.0.1 alone and belong to one share of the budget. JSON is YAML, so configurations are made
from tables and need no template.
"""

from __future__ import annotations

import ctypes
import json
import secrets
from typing import Any

from appliance import addresses, own_alerts
from appliance.addresses import Paths
from appliance.disk import write_atomically
from appliance.own_alerts import USER
from appliance.runtime import routing
from appliance.settings import HOME, Settings

PROGRAMS = ("node-exporter", "redis-exporter", "prometheus", "alertmanager")
BINARIES = {name: name if name == "prometheus" else f"prometheus-{name}" for name in PROGRAMS}
"""As Debian calls them."""
KEPT = "30d"
KEPT_BYTES = "5GB"
"""Whichever is reached first."""
EVERY = "15s"
"""From one scrape to the next."""
_MEMORY = {"prometheus": 128, "alertmanager": 24, "node-exporter": 24, "redis-exporter": 24}
"""MiB that Go's collector keeps to: together less than the share, which nothing may exceed."""


def command(name: str, settings: Settings, paths: Paths) -> list[str]:
    """Its arguments, once the files that it reads are there."""
    listens = f"--web.listen-address=127.0.0.1:{addresses.inner_port(settings, name)}"
    if name == "prometheus":
        return [
            f"--config.file={_written(paths, 'prometheus', _prometheus(settings))}",
            f"--storage.tsdb.path={paths.prometheus / 'series'}",
            f"--storage.tsdb.retention.time={KEPT}", f"--storage.tsdb.retention.size={KEPT_BYTES}",
            # What fired before a restart fires on after it, and does not wait for its rule's `for` once more.
            "--rules.alert.for-grace-period=0s",
            "--storage.tsdb.wal-compression", "--query.max-concurrency=4", "--query.timeout=30s",
            "--query.max-samples=5000000", "--log.format=json", _page(settings, name), listens,
        ]  # fmt: skip
    if name == "alertmanager":
        return [
            f"--config.file={routing.write(settings, paths.run)}",
            f"--web.config.file={_written(paths, 'alertmanager.web', _door(paths))}",
            f"--storage.path={paths.prometheus / 'alertmanager'}", "--cluster.listen-address=",
            "--log.format=json", _page(settings, name), listens,
        ]  # fmt: skip
    if name == "redis-exporter":
        passwords = {addresses.redis_place(settings): addresses.redis_secret(settings)}
        return [
            f"--redis.addr={addresses.redis_place(settings)}",
            f"--redis.password-file={_written(paths, 'redis-exporter', passwords)}",
            "--log-format=json", listens,
        ]  # fmt: skip
    supervisor = f"--collector.supervisord.url=unix://{paths.supervisor_socket}"
    # A machine without systemd, such as a container, would have an error of it logged at each scrape. What is
    # less than a warning is the list of its 44 collectors, at each start.
    quiet = ["--no-collector.systemd", "--log.level=warn"]
    return ["--collector.supervisord", supervisor, *quiet, "--log.format=json", listens]


def _page(settings: Settings, name: str) -> str:
    """What its links begin with: by itself it takes the machine's name, where nobody reaches it."""
    return f"--web.external-url=http://127.0.0.1:{addresses.inner_port(settings, name)}"


def environment(name: str) -> dict[str, str]:
    return {"GOMAXPROCS": "1", "GOMEMLIMIT": f"{_MEMORY[name]}MiB"}


def _written(paths: Paths, name: str, content: dict[str, Any]) -> str:
    path = paths.run / f"{name}.json"
    write_atomically(path, json.dumps(content, indent=2))
    return str(path)


def _door(paths: Paths) -> dict[str, Any]:
    """Its API is for who knows the password: it takes silences, and tells the addresses of webhooks.

    bcrypt at its least, 1 ms: it is there to make guessing slow, and nobody guesses 256 bits. Without it
    (`libcrypt` is part of Debian) Alertmanager does not start, rather than being open.
    """
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    salt = f"$2b$04${secrets.token_hex(11)}"
    hashed = crypt(addresses.read_line(paths.alertmanager_password).encode(), salt.encode())
    return {"basic_auth_users": {USER: hashed.decode()}}


def _prometheus(settings: Settings) -> dict[str, Any]:
    password = Paths(settings.data).alertmanager_password
    login = {"basic_auth": {"username": USER, "password_file": str(password)}}
    targets = {
        "appliance": addresses.metrics_port(settings),
        **{name: addresses.inner_port(settings, name) for name in PROGRAMS},
    }
    return {
        "global": {
            "scrape_interval": EVERY,
            "evaluation_interval": EVERY,
            "scrape_timeout": "10s",
            "external_labels": {"host": own_alerts.host()},
        },
        "rule_files": [str(HOME / "deploy" / "prometheus" / "*.rules.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [_at(targets["alertmanager"])], **login}]},
        "scrape_configs": [
            {"job_name": name, "static_configs": [_at(port)]} | (login if name == "alertmanager" else {})
            for name, port in targets.items()
        ],
    }


def _at(port: int) -> dict[str, list[str]]:
    return {"targets": [f"127.0.0.1:{port}"]}
