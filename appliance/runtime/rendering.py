"""Configuration files of other people's programs, rendered from a template or a table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from appliance import addresses
from appliance.addresses import Paths, listened
from appliance.clock import utc_now
from appliance.disk import write_atomically
from appliance.errors import CannotStart
from appliance.runtime import door, programs
from appliance.secret_files import Pair
from appliance.settings import HOME, Settings
from appliance.tls import trust

HSTS = "max-age=31536000"
_PLACEHOLDER = re.compile(r"@([a-z][a-z0-9_]*)@")


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replace each `@name@`. Raises CannotStart for an unknown or an unused name, and says where."""
    used: set[str] = set()

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            line = template.count("\n", 0, match.start()) + 1
            raise CannotStart(f"nginx.conf:{line}: unknown placeholder @{name}@")
        used.add(name)
        return values[name]

    text = _PLACEHOLDER.sub(value, template)
    if unused := values.keys() - used:
        raise CannotStart(f"nginx.conf: no placeholder for {', '.join(sorted(unused))}")
    return text


def nginx(settings: Settings) -> Path:
    """Write run/nginx.conf, and what it says while the door is closed; its path."""
    path = Paths(settings.data).run / "nginx.conf"
    door.refresh(Paths(settings.data), utc_now())
    write_atomically(path, nginx_text(settings))
    return path


def nginx_text(settings: Settings, served: bytes | None = None) -> str:
    """`served` is what tls/served.pem will hold; None: what it holds. Raises OSError when it is not there."""
    return fill((HOME / "nginx.conf").read_text(), _nginx_values(settings, served))


def redis(settings: Settings) -> Path:
    """Write run/redis.conf; its path."""
    paths = Paths(settings.data)
    passwords = Pair(paths.redis_password).accepted()
    share = programs.budget_of(settings).share("redis")
    lines = {
        "port": "0",
        "unixsocket": _quoted(paths.redis_socket),
        "unixsocketperm": "700",
        # By hashes; two while the password is being replaced.
        "user": f"default on {' '.join(map(_hashed, passwords))} ~* &* +@all",
        "dir": _quoted(paths.redis),
        "daemonize": "no",
        "logfile": '""',
        "save": '""',
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-load-truncated": "yes",
        # The other half is for the fork that rewrites the log.
        "maxmemory": str((share.memory or 0) // 2),
        "maxmemory-policy": "volatile-ttl",
    }
    path = paths.run / "redis.conf"
    write_atomically(path, "".join(f"{name} {value}\n" for name, value in lines.items()))
    return path


def _nginx_values(settings: Settings, served: bytes | None) -> dict[str, str]:
    paths = Paths(settings.data)
    given = programs.budget_of(settings)
    https = "" if settings.https_port == 443 else f":{settings.https_port}"
    return {
        # As root, nginx would give its workers to nobody, who cannot reach our sockets.
        "user": "user root;" if programs.runs_as_root() else "",
        "worker_processes": str(given.share("nginx").processes),
        "run": str(paths.run),
        "exports": str(paths.exports),
        "web": str(HOME / "appliance" / "web"),
        "certificate": str(paths.served),
        "hsts": _hsts(settings, served),
        "challenges": str(paths.challenges),
        "own_socket": str(paths.nginx_socket),
        "inner_door": _inner_door(settings),
        "listen": _lines(4, _listen(settings)),
        "api_servers": _lines(4, _api_servers(paths, given.share("api").processes)),
        "limited_by": "$binary_remote_addr" if settings.rate_limit else '""',
        "limits": "on" if settings.rate_limit else "off",
        "requests": str(settings.limit_requests),
        "upload": f"{settings.upload_mb * 1024 + 64}k",
        "upload_mb": str(settings.upload_mb),
        "files": str(paths.files),
        "burst": str(2 * settings.limit_requests),
        "trusted_proxies": _lines(4, [f"set_real_ip_from {net};" for net in settings.trusted_proxies]),
        "trusted_networks": _lines(8, [f"{network} 1;" for network in settings.trusted_proxies]),
        # A client that named no port came to 80 and is sent to 443, unless 80 is our own number.
        "https_suffix": https,
        "https_suffix_for_80": https if settings.http_port == 80 else "",
    }


def _hsts(settings: Settings, served: bytes | None) -> str:
    """A browser that has seen it never comes back by HTTP, nor past a certificate that it does not trust."""
    tls = Paths(settings.data).tls
    is_told = settings.hsts == "on" or (
        settings.hsts == "auto" and trust.is_trusted(served or Paths(settings.data).served.read_bytes(), tls)
    )
    return HSTS if is_told else ""


def _listen(settings: Settings) -> list[str]:
    lines: list[str] = []
    for address in listened(settings):
        host, only = (f"[{address}]", " ipv6only=on") if ":" in address else (address, "")
        lines.append(f"listen {host}:{settings.http_port} backlog=2048{only};")
        lines.append(f"listen {host}:{settings.https_port} ssl http2 backlog=2048{only};")
    return lines


def _inner_door(settings: Settings) -> str:
    """Where Alertmanager finds the API; nobody needs it while that does not run."""
    if not settings.monitoring:
        return "# Monitoring is off."
    return _lines(
        4,
        [
            "server {",
            f"    listen 127.0.0.1:{addresses.inner_port(settings, 'alerts')};",
            "    client_max_body_size 1m;",
            "    location = /internal/alerts {",
            "        proxy_pass http://api;",
            "    }",
            "    location / {",
            "        return 404;",
            "    }",
            "}",
        ],
    )


def _api_servers(paths: Paths, count: int) -> list[str]:
    return [f'server "unix:{paths.api_socket(number)}" max_fails=0;' for number in range(1, count + 1)]


def _lines(indent: int, lines: list[str]) -> str:
    return ("\n" + " " * indent).join(lines)


def _hashed(password: str) -> str:
    """As Redis takes a password in its list of users (redis.io, ACL)."""
    return f"#{sha256(password.encode()).hexdigest()}"


def _quoted(path: Path) -> str:
    return f'"{path}"'
