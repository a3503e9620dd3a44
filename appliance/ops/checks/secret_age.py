"""Secrets that nobody has replaced for long."""

from __future__ import annotations

from collections.abc import Iterator

from appliance import secret_ages
from appliance.ops import outside_secrets
from appliance.ops.findings import Fault, Situation, check


@check("secret-age", "every secret was replaced within 90 days")
def secret_age(situation: Situation) -> Iterator[Fault]:
    """A password that a person uses is no such secret: age alone is no reason to change it."""
    now = situation.now()
    for name, since in secret_ages.collect(situation.settings).items():
        if name in ("admin", "APPLIANCE_ADMIN_PASSWORD") or now - since <= secret_ages.OLD:
            continue
        rotated = outside_secrets.ROTATED_AS.get(name, name)
        yield (
            "warning",
            f"{name} is {(now - since).days} days old; secrets are to be replaced each quarter",
            f"./scripts/appliance secrets rotate {rotated}",
        )
