"""`appliance audit …`: the audit log."""

from __future__ import annotations

import argparse

from appliance.ops.command_line import Commands, add_command, add_group, add_json


def add(commands: Commands) -> None:
    audit = add_group(commands, "audit", "the audit log")
    verify = add_command(
        audit, "verify", _verify, "does each entry follow from the one before; exit 1 when not"
    )
    add_json(verify)


def _verify(chosen: argparse.Namespace) -> int:
    from appliance.ops import audit

    return audit.verify(as_json=chosen.json)
