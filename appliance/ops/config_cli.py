"""`appliance config …`: settings."""

from __future__ import annotations

import argparse

from appliance.ops.command_line import Commands, add_command, add_group, add_json


def add(commands: Commands) -> None:
    config = add_group(commands, "config", "settings")
    for name, command, what in (
        ("show", _show, "each setting: what holds, what is asked for, its default, and its source"),
        ("diff", _diff, "what is not the default, and what waits for a reload or restart; exit 1 then"),
        ("check", _check, "would a start or a reload take them; exit 1 when not"),
    ):
        add_json(add_command(config, name, command, what))


def _show(chosen: argparse.Namespace) -> int:
    from appliance.ops import config

    return config.show(as_json=chosen.json)


def _diff(chosen: argparse.Namespace) -> int:
    from appliance.ops import config

    return config.diff(as_json=chosen.json)


def _check(chosen: argparse.Namespace) -> int:
    from appliance.ops import config

    return config.check(as_json=chosen.json)
