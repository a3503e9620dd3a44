"""`appliance secrets …`: keys and generated passwords."""

from __future__ import annotations

import argparse

from appliance import known_secrets
from appliance.ops.command_line import Commands, add_command, add_group, add_json, add_json_of_lines


def add(commands: Commands) -> None:
    secrets = add_group(commands, "secrets", "keys and generated passwords")
    add_json(add_command(secrets, "list", _list, "names, states and ages; never values"))
    rotate = add_command(secrets, "rotate", _rotate, "another value, without a failed request")
    rotate.add_argument("name", choices=["all", *known_secrets.NAMES])
    add_json_of_lines(rotate)


def _list(chosen: argparse.Namespace) -> int:
    from appliance.ops import secrets

    return secrets.show(as_json=chosen.json)


def _rotate(chosen: argparse.Namespace) -> int:
    from appliance.ops import rotation

    return rotation.run(chosen.name)
