"""What a refused reload says: who is at fault, and what to do next, whatever it was."""

from __future__ import annotations

import errno

import pytest

from appliance.errors import CannotStart, SettingError
from appliance.runtime import reloading

_CORRECT = "next: correct it, then ./scripts/appliance reload; docs/settings.md lists every setting"
_LOOK = "next: ./scripts/appliance doctor; mend that, then reload again"


@pytest.mark.parametrize(
    "fault, told",
    [
        (SettingError("SMTP_URL from .env:3: an address"), f"SMTP_URL from .env:3: an address; {_CORRECT}"),
        (SettingError("X: no answer; next: run it"), "X: no answer; next: run it"),
        (CannotStart("a; next: b\nthere is no nginx"), f"a; next: b\nthere is no nginx; {_CORRECT}"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/data/run/dotenv"),
            f"/data/run/dotenv: Permission denied; {_LOOK}",
        ),
    ],
)
def test_each_refusal_names_the_culprit_and_what_is_next(fault: Exception, told: str) -> None:
    assert reloading.refusal(fault) == told
