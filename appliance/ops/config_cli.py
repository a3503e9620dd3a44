"""`appliance config …`: settings."""

from __future__ import annotations

import argparse

from appliance.ops.command_line import Commands, add_command, add_group, add_json


def add(commands: Commands) -> None:
    config = add_group(commands, "config", "settings")
    show = add_command(config, "show", _config, "each setting with its value and source")
    add_json(show)


def _config(chosen: argparse.Namespace) -> int:
    from appliance.ops import config

    return config.run(as_json=chosen.json)
