"""`appliance model …`: language models."""

from __future__ import annotations

import argparse

from appliance.ops import completers
from appliance.ops.command_line import Commands, add_command, add_group, add_json, add_json_of_lines
from appliance.ops.completers import complete_by


def add(commands: Commands) -> None:
    models = add_group(commands, "model", "language models: which there are and which are used")
    add_json(add_command(models, "list", _list, "the files that are known, and what each is used for"))
    use = add_command(models, "use", _use, "use this one from the next reload on")
    used = use.add_argument(
        "file", metavar="FILE", help="a GGUF file, the name of one that is listed, or default"
    )
    add_json_of_lines(use)
    check = add_command(models, "check", _check, "is it a model, is it whole, does it fit; exit 1 when not")
    checked = check.add_argument("file", metavar="FILE", nargs="?", help="default: those that are used")
    for one in (used, checked):
        complete_by(one, completers.models)
    add_json(check)
    add_json(add_command(models, "bench", _bench, "how fast those that are used are on this machine"))


def _list(chosen: argparse.Namespace) -> int:
    from appliance.ops import models

    return models.show(as_json=chosen.json)


def _use(chosen: argparse.Namespace) -> int:
    from appliance.ops import models

    return models.use(chosen.file)


def _check(chosen: argparse.Namespace) -> int:
    from appliance.ops import models

    return models.check(chosen.file, as_json=chosen.json)


def _bench(chosen: argparse.Namespace) -> int:
    from appliance.ops import models

    return models.bench(as_json=chosen.json)
