"""`appliance lake …`: the files of the analytics."""

from __future__ import annotations

import argparse

from appliance.ops.command_line import Commands, add_command, add_group, add_json


def add(commands: Commands) -> None:
    lake = add_group(commands, "lake", "the files of the analytics")
    add_json(add_command(lake, "path", _path, "the folder, for other tools to read"))
    add_json(add_command(lake, "verify", _verify, "read them all: are they whole; exit 1 when not"))
    rebuild = add_command(lake, "rebuild", _rebuild, "empty it: the next run makes it anew from the database")
    share = add_command(lake, "share", _share, "a read-only copy for somebody else, with checksums")
    share.add_argument("folder", metavar="FOLDER", help="it must be empty, or not there yet")
    share.add_argument(
        "--form", metavar="ID", action="append", default=[], help="only this form; may be repeated"
    )
    share.add_argument(
        "--without",
        metavar="COLUMN",
        action="append",
        default=[],
        help="leave it out, such as submitter; may be repeated",
    )
    share.add_argument("--link", action="store_true", help="hard links, which take no room: for your own use")
    for one in (rebuild, share):
        add_json(one)


def _path(chosen: argparse.Namespace) -> int:
    from appliance.ops import lake

    return lake.path(as_json=chosen.json)


def _verify(chosen: argparse.Namespace) -> int:
    from appliance.ops import lake

    return lake.check(as_json=chosen.json)


def _rebuild(chosen: argparse.Namespace) -> int:
    from appliance.ops import lake

    return lake.rebuild(as_json=chosen.json)


def _share(chosen: argparse.Namespace) -> int:
    from appliance.ops import lake

    return lake.share(
        chosen.folder, forms=chosen.form, without=chosen.without, link=chosen.link, as_json=chosen.json
    )
