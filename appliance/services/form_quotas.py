"""A form's setting `quotas`, as the write of a response needs it."""

from __future__ import annotations

import contextlib

from appliance.domain.quota import BadQuota
from appliance.domain.rules import Rules
from appliance.errors import FieldError, Invalid, pointer
from appliance.stores.mongo import Document
from appliance.stores.quotas import Quota


def check(rules: Rules, settings: Document) -> None:
    """Raises Invalid with the place of each quota that does not fit the form's questions."""
    faults, seen = [], set[str]()
    for place, given in enumerate(settings.get("quotas", ())):
        try:
            term = rules.quota(given["question"], given["value"]).term
        except BadQuota as fault:
            faults.append(FieldError(pointer("settings", "quotas", place, fault.field), fault.message))
            continue
        if term in seen:
            path = pointer("settings", "quotas", place, "value")
            faults.append(FieldError(path, "has a quota already"))
        seen.add(term)
    if faults:
        raise Invalid("A quota does not fit the form.", errors=faults)


def of_form(rules: Rules | None, settings: Document) -> tuple[Quota, ...]:
    """Those that hold; a change of the form has checked them."""
    if rules is None:
        return ()
    found = []
    for given in settings.get("quotas", ()):
        with contextlib.suppress(BadQuota):
            key, term = rules.quota(given["question"], given["value"])
            found.append(Quota(term, given["limit"], pointer("data", key)))
    return tuple(found)
