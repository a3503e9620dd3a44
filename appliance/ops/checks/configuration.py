"""Settings that are misspelt, or that should not stay as they are."""

from __future__ import annotations

import difflib
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


@check("database-kind", "the database is a MongoDB")
def database_kind(situation: Situation) -> Iterator[Fault]:
    """A young server is fine to try things with; its users should know that it is one."""
    from appliance.runtime import mongo

    if situation.settings.mongodb_uri:
        return
    try:
        kind, _ = mongo.server(situation.settings)
    except CannotStart as fault:
        yield "error", f"there is no database: {fault}", "./scripts/up"
        return
    if kind == "secantusdb":
        yield (
            "warning",
            "the embedded trial database SecantusDB holds the data; its format has no upgrade in place",
            "for data that matters set MONGODB_URI, or install mongod before the first start",
        )
