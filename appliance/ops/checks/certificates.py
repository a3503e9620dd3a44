"""The certificate that HTTPS is served with: until when, for whom, and whether a newer one waits in vain."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

from appliance.errors import CannotStart
from appliance.ops import service
from appliance.ops.findings import Fault, Situation, check
from appliance.services import certificates
from appliance.tls import pairs, record, sources, trust
from appliance.tls.sources import Served

EXPIRES_SOON = dt.timedelta(days=14)


@check("certificate", "the certificate is valid and trusted")
def certificate(situation: Situation) -> Iterator[Fault]:
    paths = situation.paths
    if not paths.served.exists():
        return  # the first start makes it
    if not os.access(paths.served, os.R_OK):
        yield "error", f"{paths.served} cannot be read", "run this as the owner of the data folder"
        return
    served = sources.read(paths)
    if served is None:
        yield (
            "error",
            f"{paths.served} is damaged: nginx will not start again",
            f"rm '{paths.served}'; then restart, which makes it anew",
        )
        return
    if not pairs.belong_together(served.pair):
        yield (
            "error",
            f"certificate and key in {paths.served} do not belong together: nginx will not start again",
            f"rm '{paths.served}'; then restart, which makes it anew",
        )
        return
    worse = [*_expiry(situation, served), *_waiting(situation), *_names(situation, served)]
    yield from worse or _trust(situation, served)


def _expiry(situation: Situation, served: Served) -> Iterator[Fault]:
    ends = served.pair.ends
    left = ends - situation.now()
    hint = {
        "files": f"renew it and put it to {situation.settings.tls_certificate}: it is taken up by itself",
        "acme": "see what this and ./scripts/appliance logs scheduler say of ACME",
        "self-signed": f"restart the appliance, which renews it: {service.start_command()}",
    }[served.kind]
    if left < dt.timedelta():
        yield "error", f"the certificate expired on {ends:%Y-%m-%d}: clients refuse it", hint
    elif left < min(EXPIRES_SOON, served.pair.lifetime / 4):
        yield "warning", f"the certificate expires on {ends:%Y-%m-%d}", hint


def _waiting(situation: Situation) -> Iterator[Fault]:
    """A newer one that is not served."""
    if fault := record.find(situation.paths) or _refused(situation):
        meaning, _, after = fault.partition("; next: ")
        yield (
            "error",
            f"a certificate is not taken up, the one of before is served: {meaning}",
            after or "./scripts/appliance reload",
        )
    state = certificates.find_state(situation.settings)
    if state and state.fault:
        meaning, _, after = state.fault.partition("; next: ")
        yield (
            "error",
            (
                f"no new certificate from {situation.settings.acme_directory}: {meaning}"
                f" (failure {state.failures}; next attempt {state.next_at:%Y-%m-%d %H:%M} UTC)"
            ),
            f"{after or 'mend it'}; to have it tried at once: rm '{situation.paths.acme_state}'",
        )


def _refused(situation: Situation) -> str | None:
    """The operator's own files, judged now: what is wrong with them is else told by the next reload only."""
    if situation.settings.tls_certificate is None:
        return None
    try:
        sources.offer(situation.settings, situation.now())
    except CannotStart as fault:
        return str(fault)
    return None


def _names(situation: Situation, served: Served) -> Iterator[Fault]:
    wanted = set(situation.settings.acme_domains)
    if served.kind == "acme" and (missing := sorted(wanted - set(served.pair.names))):
        yield (
            "warning",
            f"the certificate is not for {', '.join(missing)} of ACME_DOMAINS",
            "wait: another one is asked for; ./scripts/appliance logs scheduler",
        )
    elif not served.pair.names:
        yield (
            "error",
            "the certificate names nobody (subjectAltName), so every client refuses it",
            "get one with the name that clients call: docs/tls.md",
        )


def _trust(situation: Situation, served: Served) -> Iterator[Fault]:
    """No more than worth knowing: the clients may know roots that this machine does not."""
    names = ", ".join(served.pair.names)
    if served.kind == "self-signed":
        yield (
            "ok",
            f"the certificate is self-signed: browsers warn of it; docs/tls.md has better ones ({names})",
            "",
        )
    elif doubt := trust.find_doubt(situation.paths.served):
        yield "ok", f"the certificate is valid, but not by this machine's roots: {doubt} ({names})", ""
    if (key := situation.settings.tls_key) and _is_open(key):
        yield "warning", f"{key} can be read by everybody on this machine", f"chmod o= '{key}'"


def _is_open(path: Path) -> bool:
    """What is mounted as a secret is open inside of its container alone."""
    try:
        return bool(path.stat().st_mode & 0o004) and not path.is_relative_to("/run/secrets")
    except OSError:
        return False
