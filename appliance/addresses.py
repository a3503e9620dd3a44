"""Where things are: the layout of the data folder, and the addresses of the two servers behind it.

Everyone who opens a socket or a file of the data folder asks here, so that no path is written down twice.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from appliance.errors import CannotStart
from appliance.settings import Settings

DATABASE = "appliance"
DATABASE_USER = "appliance"
DATABASE_OWNER = "owner"
"""May make and drop users of the embedded MongoDB, and nothing else."""
INNER_PORTS = {
    "metrics": 8000,
    "prometheus": 9090,
    "alertmanager": 9093,
    "node-exporter": 9100,
    "redis-exporter": 9121,
    "alerts": 8001,
}
"""On 127.0.0.1, where nothing else is said; `alerts` is nginx's, for Alertmanager. With
APPLIANCE_PORT_BASE one after the other from there."""
GUARDIAN = "guardian"
"""The program that starts the others again."""
_NAMED = re.compile(r"([0-9a-f]{8})\.[A-Za-z0-9_-]{32,}")


class Paths:
    """The data folder's names. Nothing is created here; `runtime.folders` does that."""

    def __init__(self, data: Path) -> None:
        self.data = Path(data)
        self.mongo = self.data / "mongo"
        self.redis = self.data / "redis"
        self.files = self.data / "files"
        self.exports = self.data / "exports"
        self.imports = self.data / "imports"
        self.erasures = self.data / "erasures"
        self.vectors = self.data / "vectors"
        self.secrets = self.data / "secrets"
        self.tls = self.data / "tls"
        self.lake = self.data / "lake"
        self.prometheus = self.data / "prometheus"
        self.backups = self.data / "backups"
        self.upgrade = self.data / "upgrade"
        self.level = self.mongo / "level"
        self.clock = self.data / "clock.json"
        self.logs = self.data / "logs"
        self.run = self.data / "run"
        self.pids = self.run / "pids"
        self.lock = self.run / "lock"
        self.maintenance = self.run / "maintenance"
        self.closed = self.run / "closed"
        self.drained = self.run / "drained"
        self.plan = self.run / "plan.json"
        self.closing = self.run / "closing"
        self.reloading = self.run / "reload"
        self.reload_outcome = self.run / "reload.json"
        self.dotenv = self.run / "dotenv"
        self.held_secrets = self.run / "secrets.json"
        self.alerts = self.run / "alerts"
        self.alertmanager_password = self.run / "alertmanager.password"
        self.counts = self.run / "counts"
        self.nginx_socket = self.run / "nginx.sock"
        self.redis_socket = self.run / "redis.sock"
        self.search_socket = self.run / "search.sock"
        self.supervisor_socket = self.run / "supervisor.sock"
        self.mongo_port = self.run / "mongo.port"
        self.redis_password = self.secrets / "redis_password"
        self.mongo_password = self.secrets / "mongo_password"
        self.mongo_owner = self.secrets / "mongo_owner_password"
        self.mongo_keyfile = self.secrets / "mongo_keyfile"
        self.jwt_keys = self.secrets / "jwt_keys.json"
        self.webhook_key = self.secrets / "webhook_key"
        self.cursor_key = self.secrets / "cursor_key"
        self.subject_key = self.secrets / "subject_key"
        self.seen = self.secrets / "seen.json"
        self.admin_password = self.secrets / "admin_password"
        self.backup_key = self.secrets / "backup_key"
        self.certificate = self.tls / "self-signed.crt"
        self.certificate_key = self.tls / "self-signed.key"
        self.served = self.tls / "served.pem"
        self.acme_certificate = self.tls / "acme.pem"
        self.acme_order = self.tls / "acme-order.json"
        self.acme_state = self.tls / "acme-state.json"
        self.certificate_fault = self.run / "certificate.json"
        self.challenges = self.run / "challenges"

    def beat(self, program: str) -> Path:
        """What a program that listens nowhere touches, so that it is known to be alive."""
        return self.run / "beats" / program

    def left(self, program: str) -> Path:
        """Is there when the operator has stopped a program that had ended."""
        return self.run / "left" / program

    def api_socket(self, number: int) -> Path:
        """The socket of `api-<number>`, counted from 1."""
        return self.run / f"api-{number}.sock"


def mongodb_uri(settings: Settings) -> str:
    """MONGODB_URI, else the embedded server's address. Raises CannotStart before the first `appliance up`."""
    if settings.mongodb_uri:
        return settings.mongodb_uri
    paths = Paths(settings.data)
    password = read_line(paths.mongo_password)
    return embedded_uri(paths, user_of(DATABASE_USER, password), password)


def embedded_uri(paths: Paths, user: str, password: str) -> str:
    """Of the embedded MongoDB, as this user. Raises CannotStart before the first `appliance up`."""
    port = int(read_line(paths.mongo_port))
    # directConnection: a one-node replica set would otherwise send us to the host name it knows itself by.
    # No retryWrites: SecantusDB looks through the last 10,000 of them at each one, milliseconds a write.
    return (
        f"mongodb://{user}:{quote(password, safe='')}@127.0.0.1:{port}/{DATABASE}"
        "?authSource=admin&directConnection=true&retryWrites=false"
    )


def user_of(kind: str, password: str) -> str:
    """Whose password it is: `appliance-0a1b2c3d` when it begins with these digits, as those do that came by a
    rotation, so that two users can be there at a time; else plain `appliance`.
    """
    found = _NAMED.fullmatch(password)
    return f"{kind}-{found[1]}" if found else kind


def redis_url(settings: Settings) -> str:
    """REDIS_URL, else the embedded server's socket. Raises CannotStart before the first `appliance up`."""
    if settings.redis_uri:
        return settings.redis_uri
    paths = Paths(settings.data)
    password = quote(read_line(paths.redis_password), safe="")
    return f"unix://:{password}@{quote(str(paths.redis_socket))}"


def redis_place(settings: Settings) -> str:
    """The same without the password: what may be seen."""
    if settings.redis_uri:
        parts = urlsplit(settings.redis_uri)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return f"unix://{Paths(settings.data).redis_socket}"


def redis_secret(settings: Settings) -> str:
    """The password alone; empty when there is none. Raises CannotStart as `redis_url`."""
    if settings.redis_uri:
        return unquote(urlsplit(settings.redis_uri).password or "")
    return read_line(Paths(settings.data).redis_password)


def metrics_port(settings: Settings) -> int:
    """Where the application's metrics are, on 127.0.0.1."""
    return inner_port(settings, "metrics")


def inner_port(settings: Settings, name: str) -> int:
    """Of one of `INNER_PORTS`, on 127.0.0.1."""
    if settings.port_base is None:
        return INNER_PORTS[name]
    return settings.port_base + list(INNER_PORTS).index(name)


def front_url(settings: Settings) -> str:
    """Where this machine itself reaches the appliance: `http://127.0.0.1:8080`, without a slash at the end.

    Plain HTTP on loopback where nginx listens there; else HTTPS on the first address, whose certificate
    a caller must not check, since it names other hosts.
    """
    for address, everywhere in (("127.0.0.1", "0.0.0.0"), ("[::1]", "::")):  # noqa: S104 - compared
        if address.strip("[]") in settings.bind or everywhere in settings.bind:
            return f"http://{address}:{settings.http_port}"
    first = settings.bind[0]
    host = f"[{first}]" if ":" in first else first
    return f"https://{host}:{settings.https_port}"


def secure_url(settings: Settings) -> str:
    """The same for HTTPS, whose certificate names other hosts: a caller must not check it."""
    host, _, _ = urlsplit(front_url(settings)).netloc.rpartition(":")
    return f"https://{host}:{settings.https_port}"


def listened(settings: Settings) -> tuple[str, ...]:
    """Addresses that nginx listens on: those of APPLIANCE_BIND.

    `0.0.0.0,::` stands for everywhere; where the kernel was started without IPv6, its first half does.
    """
    everywhere = {"0.0.0.0", "::"} <= set(settings.bind)  # noqa: S104 - compared
    if everywhere and not _has_ipv6():
        return tuple(address for address in settings.bind if address != "::")
    return settings.bind


def _has_ipv6() -> bool:
    try:
        socket.socket(socket.AF_INET6).close()
    except OSError:
        return False
    return True


def read_line(path: Path) -> str:
    """The one line of a small file of the data folder. Raises CannotStart when it is missing or empty."""
    try:
        text = path.read_text().strip()
    except OSError as fault:
        raise CannotStart(f"{path}: {fault.strerror}; run ./scripts/up, which creates it") from None
    if not text:
        raise CannotStart(f"{path} is empty; remove it and run ./scripts/up, which creates it")
    return text
