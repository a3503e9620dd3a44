"""What the text of a setting may be: each gives the value, or raises ValueError and says what is needed.

Standard library only: scripts/setup reads settings before anything is installed.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from appliance import vault

HOME = Path(__file__).resolve().parent.parent


def path(value: str) -> Path:
    """A relative path starts at HOME: every command finds the same file wherever it is called from.

    Nothing is looked at: a link is followed by whoever opens it, so it may lead elsewhere by then, and a
    mount whose server is away holds up nobody who reads the settings.
    """
    if "\0" in value:
        raise ValueError("a path without the character NUL is needed")
    try:
        return HOME / Path(value).expanduser()
    except RuntimeError:
        raise ValueError("a path is needed: there is no such user as it names with ~") from None


def folder(value: str) -> Path:
    """The same without links: one folder has one name, by which whoever asks for it finds who runs on it."""
    try:
        return path(value).resolve()
    except RuntimeError:
        raise ValueError("a folder is needed: its links lead round in a circle") from None


def whole(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,15}", value):
            raise ValueError("a whole number is needed")
        if not least <= int(value) <= most:
            raise ValueError(f"a number from {least} to {most} is needed")
        return int(value)

    return parse


port = whole(1, 65535)


def span(least: int, most: int) -> Callable[[str], int]:
    """Seconds, from so many to so many."""

    def parse(value: str) -> int:
        found = re.fullmatch(r"(\d{1,6})([smhd])", value)
        seconds = int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]] if found else -1
        if not least <= seconds <= most:
            raise ValueError(f"a time such as 30s, 5m, 4h or 2d, from {least} s to {most} s is needed")
        return seconds

    return parse


def size(value: str) -> int:
    found = re.fullmatch(r"([0-9]{1,15})([KMGT]?)(?:i?B)?", value, re.IGNORECASE)
    if not found:
        raise ValueError("a size such as 16G or 4096M is needed")
    size = int(found[1]) << 10 * " KMGT".index(found[2].upper() or " ")
    if not 2**28 <= size <= 2**50:
        raise ValueError("a size from 256M to 1024T is needed")
    return size


def cron(value: str) -> str:
    try:
        from cronsim import CronSim, CronSimError
    except ImportError:  # the machine's own Python, before anything is set up: judged at the start
        return value
    try:
        next(CronSim(value, dt.datetime(2026, 1, 1, tzinfo=dt.UTC)))
    except (CronSimError, StopIteration):
        raise ValueError("five fields as in man 5 crontab are needed, such as 0 2 * * *") from None
    return value


def cron_or_off(value: str) -> str | None:
    return cron(value) if value else None


def zone(value: str) -> str:
    import zoneinfo

    known = zoneinfo.available_timezones()
    if not known:
        raise ValueError("this machine has no tables of time zones; next: apt-get install tzdata")
    if value not in known:
        raise ValueError("the name of a time zone is needed, such as Europe/Berlin")
    return value


def user(value: str) -> str:
    """Its form only; whether there is one, `up` asks the system (runtime.ownership)."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?", value):
        raise ValueError("the name of a user is needed")
    return value


def switch(value: str) -> bool:
    words = {"on": True, "off": False, "true": True, "false": False, "1": True, "0": False}
    try:
        return words[value.lower()]
    except KeyError:
        raise ValueError("on or off is needed") from None


def addresses(value: str) -> tuple[str, ...]:
    found = tuple(str(ipaddress.ip_address(part)) for part in words(value))
    for version, every in ((4, "0.0.0.0"), (6, "::")):  # noqa: S104 - named, not bound
        same = [each for each in found if ipaddress.ip_address(each).version == version]
        if len(same) > 1 and (every in same or len(set(same)) < len(same)):
            raise ValueError(f"{', '.join(same)}: an address once, and none beside {every}")
    return found


def origins(value: str) -> tuple[str, ...]:
    found = tuple(words(value))
    for origin in found:
        if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", origin):
            raise ValueError(f"{origin!r} is not an origin, such as https://forms.example.org")
    return found


def networks(value: str) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(part, strict=False)) for part in words(value))


def words(value: str) -> list[str]:
    return [part for part in re.split(r"[,\s]+", value) if part]


def filters(value: str) -> tuple[str, ...]:
    found = tuple(words(value))
    for name in found:
        if name not in ("control", "echo", "length", "mail", "iban", "phone"):
            raise ValueError(f"{name!r} is none of control, echo, length, mail, iban, phone")
    return found


def command(value: str) -> str:
    try:
        found = vault.words(value, "NAME")
    except ValueError as fault:
        raise ValueError(f"a command and its arguments are needed ({fault})") from None
    if not found or "{name}" not in value:
        raise ValueError("a command with {name} is needed, such as vault kv get -field={name} forms")
    return value


def signing_key(value: str) -> str:
    if len(value.encode()) < 32:
        raise ValueError("32 bytes or more are needed (RFC 7518, 3.2); make one with: openssl rand -hex 32")
    return value


def mongodb_uri(value: str) -> str:
    """Its form only; whether the driver can read it, `up` asks the driver (runtime.preflight)."""
    if not re.fullmatch(r"mongodb(\+srv)?://[^\s/]\S*", value):
        raise ValueError("an address such as mongodb://user:password@host:27017/name is needed")
    return value


def redis_url(value: str) -> str:
    if not re.fullmatch(r"rediss?://[^\s/]\S*|unix://\S*/\S*", value):
        raise ValueError("an address such as redis://:password@host:6379/0 or unix:///a/path is needed")
    return value


def mail_addresses(value: str) -> tuple[str, ...]:
    return tuple(map(mail_address, words(value)))


def web_address(value: str) -> str:
    """As Go's URLs are, too: Alertmanager refuses its whole configuration for one that it cannot read."""
    found = re.fullmatch(
        r"https?://([\w.~!$&()*+,;=:%-]*@)?([\w.-]+|\[[0-9a-f:.]+\])(:(\d{1,5}))?([/?#][!-~]*)?",
        value,
        re.ASCII | re.IGNORECASE,
    )
    if not found:
        raise ValueError(
            "an address such as https://host/path is needed, other characters than ASCII's written as %C3%A4"
        )
    if found[4] and not 1 <= int(found[4]) <= 65535:
        raise ValueError("a port from 1 to 65535 is needed")
    if found[2].startswith("["):
        ipaddress.IPv6Address(found[2].strip("[]"))
    if re.search(r"%(?![0-9A-Fa-f]{2})", value):
        raise ValueError("a % begins an escape such as %20; a % itself is %25")
    if bad := sorted(set("\"'\\<>^`{|}") & set(value)):
        raise ValueError(f"{' '.join(bad)} must be escaped, as %{ord(bad[0]):02X}")
    return value


def integration_key(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{8,128}", value):
        raise ValueError("a key of letters and digits is needed, as PagerDuty's page shows it")
    return value


def smtp_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        is_one = parts.scheme in ("smtp", "smtps") and parts.hostname and parts.path in ("", "/")
        _ = parts.port
    except ValueError:
        is_one = False
    if not is_one:
        raise ValueError("an address such as smtp://user:password@host:587 or smtps://host is needed")
    return value


def pem(value: str) -> Path:
    if "-----BEGIN" in value:
        raise ValueError("the path of a file is needed, not what is in it")
    return path(value)


def hsts(value: str) -> str:
    if value not in ("auto", "on", "off"):
        raise ValueError("must be auto, on or off")
    return value


def domains(value: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(name.lower() for name in words(value)))
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    for name in found:
        is_one = re.fullmatch(rf"({label}\.)+{label}", name) and not name.rpartition(".")[2].isdigit()
        if len(name) > 253 or not is_one:
            raise ValueError(
                f"{name!r} is no name that http-01 can prove, such as forms.example.org: no address, no *,"
                " and others than letters and digits in their xn-- form"
            )
    if len(found) > 100:
        raise ValueError("at most 100 names go into a certificate")
    return found


def directory(value: str) -> str:
    if not re.fullmatch(r"https://[A-Za-z0-9.\-\[\]:]+/[!-~]*", value):
        raise ValueError("an address such as https://acme.example.org/directory is needed")
    return value


def mail_address(value: str) -> str:
    if not re.fullmatch(r"[^\s@<>\",;:]+@[^\s@<>\",;:]+", value):
        raise ValueError("an address such as forms@example.org is needed")
    return value


def password(value: str) -> str:
    """One that can be signed in with, and kept as the one line of a file."""
    if not 8 <= len(value) <= 1024:
        raise ValueError("a password has 8 to 1024 characters")
    if value != value.strip():
        raise ValueError("a password must not begin or end with a space")
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise ValueError("a password must not hold control characters")
    return value


def log_level(value: str) -> str:
    if value.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError("debug, info, warning or error is needed")
    return value.lower()


def drafts(value: str) -> str:
    if value not in ("auto", "on", "off"):
        raise ValueError("must be auto, on or off")
    return value


def mongo_kind(value: str) -> str:
    if value not in ("auto", "mongod", "secantusdb"):
        raise ValueError("auto, mongod or secantusdb is needed")
    return value
