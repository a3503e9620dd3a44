"""Settings that are misspelt, or that should not stay as they are."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterator

from appliance import settings
from appliance.errors import CannotStart
from appliance.ops.findings import Fault, Situation, check

# What the appliance itself gives to its programs.
_OURS = {"APPLIANCE_PROGRAM", settings.HELD, settings.HELD_SECRETS}


@check("setting-names", "no unknown setting is set")
def names(situation: Situation) -> Iterator[Fault]:
    """A misspelt name is silently the default."""
    known = {row.name for row in settings.rows().values()}
    for name in sorted(situation.environ):
        if name.startswith("APPLIANCE_") and name.removesuffix("_FILE") not in known | _OURS:
            yield _unknown(name, "the environment", known)
    if situation.dotenv.is_file():
        text = situation.dotenv.read_text(errors="replace")
        for name in re.findall(r"^\s*([A-Z][A-Z0-9_]*)\s*=", text, re.MULTILINE):
            if name not in known:
                yield _unknown(name, str(situation.dotenv), known)


def _unknown(name: str, where: str, known: set[str]) -> Fault:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"rename it to {close[0]}" if close else "remove it; docs/settings.md lists every setting"
    return "warning", f"{name} in {where} is no setting and has no effect", hint


@check("rate-limit", "requests are limited")
def rate_limit(situation: Situation) -> Iterator[Fault]:
    if not situation.settings.rate_limit:
        yield "warning", "RATE_LIMIT=off: nothing stops a flood, or guessing of passwords", "unset RATE_LIMIT"


@check("trusted-proxies", "nobody but proxies is believed where a request comes from")
def trusted_proxies(situation: Situation) -> Iterator[Fault]:
    if wide := _wide(situation.settings.trusted_proxies):
        meaning = (
            f"APPLIANCE_TRUSTED_PROXIES has {wide}: whoever is there may name any address as his own,"
            " so limits by address hold nobody"
        )
        mend = "name the proxies alone, such as 10.0.0.5/32; then ./scripts/appliance reload"
        yield "error", meaning, mend


@check("egress-allow", "webhooks reach no more of the inner network than they must")
def egress_allow(situation: Situation) -> Iterator[Fault]:
    if wide := _wide(situation.settings.egress_allow):
        yield (
            "warning",
            f"EGRESS_ALLOW has {wide}: who may make a webhook may have this machine call all of it",
            "name the receivers alone in EGRESS_ALLOW; then ./scripts/appliance reload",
        )


def _wide(networks: tuple[str, ...]) -> str:
    """Those that are larger than the largest network that is anybody's own: 10.0.0.0/8, and fc00::/7."""
    found = [ipaddress.ip_network(each) for each in networks]
    return ", ".join(str(each) for each in found if each.prefixlen < (8 if each.version == 4 else 7))


@check("database-kind", "the database is a MongoDB")
def database_kind(situation: Situation) -> Iterator[Fault]:
    """A young server is fine to try things with, so no fault; its users should know that it is one."""
    from appliance.runtime import mongo

    if situation.settings.mongodb_uri:
        return
    try:
        kind, _ = mongo.server(situation.settings)
    except CannotStart as fault:
        yield "error", f"there is no database: {fault}", "./scripts/up"
        return
    made_by = mongo.made_by(situation.paths)
    if made_by not in (None, kind):
        yield (
            "error",
            f"{situation.paths.mongo} was made by {made_by}, which {kind} cannot read: it does not start",
            f"set APPLIANCE_MONGO={made_by}; ./scripts/appliance backup create, then restore, moves the data",
        )
    elif kind == "secantusdb":
        yield (
            "ok",
            "the embedded trial database SecantusDB holds the data; its format has no upgrade in place",
            "for data that matters set MONGODB_URI, or install mongod before the first start",
        )
