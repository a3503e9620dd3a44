"""`appliance erase …`: what is kept of a person."""

from __future__ import annotations

import argparse

from appliance.ops.command_line import Commands, add_command, add_group, add_json, add_quiet


def add(commands: Commands) -> None:
    erase = add_group(commands, "erase", "what is kept of a person: found, read out, erased")
    find = add_command(erase, "find", _find, "look for it in all forms, and show how much there is")
    find.add_argument("--user", metavar="NAME", help="what this account has submitted")
    find.add_argument("--answer", action="store_true", help="an answer, asked for or read from stdin")
    find.add_argument("--response", metavar="ID", action="append", help="this response; may be repeated")
    find.add_argument("--form", metavar="ID", help="in this form only")
    find.add_argument("--account", action="store_true", help="the account of --user too")
    export = add_command(erase, "export", _export, "write all of it to stdout, a JSON document a line")
    run = add_command(erase, "run", _run, "erase what was found, for good")
    run.add_argument("--yes", action="store_true", help="without being asked")
    for one in (export, run):
        one.add_argument("id", metavar="ID", help="as `erase find` told it")
    listed = add_command(erase, "list", _list, "all that were asked for, newest first")
    for one in (find, run):
        add_quiet(one)
    for one in (find, run, listed):
        add_json(one)


def _find(chosen: argparse.Namespace) -> int:
    from appliance.ops import erase

    wanted = erase.Wanted(chosen.user, chosen.answer, chosen.response, chosen.form, chosen.account)
    return erase.find(wanted, as_json=chosen.json, quiet=chosen.quiet or chosen.json)


def _export(chosen: argparse.Namespace) -> int:
    from appliance.ops import erase

    return erase.export(chosen.id)


def _run(chosen: argparse.Namespace) -> int:
    from appliance.ops import erase

    return erase.run(chosen.id, sure=chosen.yes, as_json=chosen.json, quiet=chosen.quiet or chosen.json)


def _list(chosen: argparse.Namespace) -> int:
    from appliance.ops import erase

    return erase.show(as_json=chosen.json)
