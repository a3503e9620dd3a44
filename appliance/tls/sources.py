"""Where the certificate comes from, and the one file that nginx reads it from.

    files         APPLIANCE_TLS_CERTIFICATE and APPLIANCE_TLS_KEY: the operator's
    acme          tls/acme.pem: obtained for ACME_DOMAINS (services/certificates.py)
    self-signed   until there is one of those

Whatever is served lies in tls/served.pem: a copy of chain and key, with its origin in the first line. So a
source may vanish, change or be broken at any moment, and what was good goes on being served, also after a
restart; and one rename takes a new one up.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.settings import Settings
from appliance.tls import pairs
from appliance.tls.pairs import BadPair, Pair

Kind = Literal["files", "acme", "self-signed"]
READ_SECONDS = 5.0
"""Within which two files of a megabyte come from anywhere that answers."""
_HEAD = re.compile(rb"# appliance: ([a-z-]+)\n")


class Source(NamedTuple):
    kind: Kind
    certificate: Path
    key: Path


class Served(NamedTuple):
    kind: Kind
    pair: Pair
    text: bytes
    """Of tls/served.pem."""


def find(settings: Settings) -> Source:
    """Raises CannotStart where the settings contradict one another."""
    if faults := list(find_faults(settings)):
        raise CannotStart("\n".join(faults))
    paths = Paths(settings.data)
    if settings.tls_certificate and settings.tls_key:
        return Source("files", settings.tls_certificate, settings.tls_key)
    if settings.acme_domains and paths.acme_certificate.exists():
        return Source("acme", paths.acme_certificate, paths.acme_certificate)
    return Source("self-signed", paths.certificate, paths.certificate_key)


def find_faults(settings: Settings) -> Iterator[str]:
    """Of the settings alone; no file is looked at."""
    given = {
        "APPLIANCE_TLS_CERTIFICATE": settings.tls_certificate,
        "APPLIANCE_TLS_KEY": settings.tls_key,
    }
    missing = [name for name, path in given.items() if path is None]
    if len(missing) == 1:
        (there,) = given.keys() - missing
        yield f"{there} is set, but not {missing[0]}; next: set both (they may name one file), or neither"
    if settings.acme_domains and len(missing) < 2:
        yield (
            "ACME_DOMAINS and APPLIANCE_TLS_CERTIFICATE are both set, and there is one certificate;"
            " next: unset one of them"
        )
    if settings.acme_domains and not settings.acme_agree_tos:
        yield (
            "ACME_DOMAINS is set, but nobody has agreed to the terms of service of"
            f" {settings.acme_directory}; next: read them (docs/tls.md), then set ACME_AGREE_TOS=on"
        )


def offer(settings: Settings, now: dt.datetime) -> Served:
    """What is to be served now. Raises BadPair, and CannotStart where the settings contradict one another.

    What is served already is not judged again: an expired certificate is better than none.
    """
    source = find(settings)
    # Ours lie in the data folder, the operator's anywhere.
    seconds = READ_SECONDS if source.kind == "files" else None
    pair = pairs.read(source.certificate, source.key, seconds=seconds)
    made = Served(source.kind, pair, f"# appliance: {source.kind}\n".encode() + pair.pem())
    held = read(Paths(settings.data))
    if held is None or held.text != made.text:
        pairs.check(pair, now, str(source.certificate), str(source.key))
    return made


def read(paths: Paths) -> Served | None:
    """What is served; None when there is nothing, or nothing that can be used."""
    try:
        text = paths.served.read_bytes()
        head = _HEAD.match(text)
        pair = pairs.parse(text, text, str(paths.served), str(paths.served))
    except (OSError, BadPair):
        return None
    kind = head[1].decode() if head else ""
    return Served(cast(Kind, kind), pair, text) if kind in get_args(Kind) else None
