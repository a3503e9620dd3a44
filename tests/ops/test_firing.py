"""What fires, in the one line that `status` has for it."""

from __future__ import annotations

from appliance.ops.firing import in_one_line

NEXT = "; next: ./scripts/appliance alerts list"


def row(name: str, severity: str = "warning", quiet: str = "no") -> dict[str, str]:
    return {"name": name, "severity": severity, "quiet": quiet}


def test_those_of_a_name_are_told_once_with_their_number() -> None:
    found = [row("A"), row("B", "critical"), row("A"), row("A", quiet="yes"), row("A")]
    assert in_one_line(found) == f"5: 3 times A (warning), B (critical), A (warning, quiet){NEXT}"


def test_each_that_has_no_room_is_counted() -> None:
    found = [row(name) for name in "AABCDEFGFF"]
    told = ", ".join(["2 times A (warning)", *(f"{name} (warning)" for name in "BCDE")])
    assert in_one_line(found) == f"10: {told} and 4 more{NEXT}"


def test_none_is_not_the_same_as_nobody_can_say() -> None:
    assert in_one_line([]) == "none"
    assert in_one_line(None) == "nobody can say: Alertmanager does not answer"
