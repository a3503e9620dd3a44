"""`appliance completion`: what makes a shell complete this command."""

from __future__ import annotations

import argparse

from appliance.ops.command_line import Commands, add_command


def add(commands: Commands) -> None:
    completion = add_command(
        commands, "completion", _completion, 'for a shell: eval "$(./scripts/appliance completion bash)"'
    )
    completion.add_argument("shell", choices=["bash", "zsh"])
    completion.set_defaults(as_owner=False)


def _completion(chosen: argparse.Namespace) -> int:
    from appliance.ops import completers

    print(completers.script(chosen.shell), end="")
    return 0
