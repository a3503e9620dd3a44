"""The command `appliance`. Each command's code is imported when it runs, so that `launch` starts fast.

Exit status: 0 done and well, 1 done and not well, 2 refused or could not be done; for doctor 1 warnings,
2 errors.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from appliance import __version__
from appliance.errors import CannotStart, SettingError, with_mend
from appliance.ops import upgrade_cli

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status. A fault that the operator can mend is told without a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser, names = _parser()
    if words and not words[0].startswith("-") and words[0] not in names:
        parser.error(_unknown(words[0], names))
    chosen = parser.parse_args(words)
    command: Command = chosen.command
    try:
        # Called by other code, such as a test, it must leave that process who it is.
        if arguments is None and os.geteuid() == 0 and chosen.as_owner:
            from appliance.runtime import ownership

            ownership.step_down()
        return command(chosen)
    except (SettingError, CannotStart) as fault:
        told = with_mend(fault) if isinstance(fault, SettingError) else str(fault)
        for line in told.splitlines():
            print(f"appliance: {line}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): no fault. Python would complain again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _unknown(word: str, names: Collection[str]) -> str:
    import difflib

    shown = [name for name in names if name not in ("launch", "migrate")]
    close = difflib.get_close_matches(word, shown, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(shown)}"
    return f"there is no command {word!r}; {hint}"


def _parser() -> tuple[argparse.ArgumentParser, Collection[str]]:
    """The parser and the commands' names."""
    parser = argparse.ArgumentParser(
        prog="appliance",
        description="The forms appliance. Settings: docs/settings.md.",
        epilog="Exit status: 0 done and well, 1 done and not well, 2 refused or could not be done;"
        " of doctor: 1 warnings, 2 errors.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"appliance {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    running = _add(commands, "up", _up, "run in the foreground until Ctrl-C or SIGTERM")
    running.set_defaults(as_owner=False)
    _add(commands, "reload", _reload, "read settings, certificates and keys anew, without a failed request")
    # Without help: supervisord's own way in, which --help does not show.
    launch = commands.add_parser("launch", description="become one of the programs", allow_abbrev=False)
    launch.set_defaults(command=_launch, as_owner=False)
    launch.add_argument("name", metavar="NAME")

    migrate = commands.add_parser("migrate", description="what up does with data", allow_abbrev=False)
    migrate.set_defaults(command=_migrate, as_owner=False)
    migrate.add_argument("mode", choices=["look", "run", "back"])

    status = _add(commands, "status", _status, "programs, doors, dependencies; exit 1 when it is not up")
    _add_json(status)
    _add(commands, "healthcheck", _healthcheck, "the same in one line, for a container engine")
    doctor = _add(commands, "doctor", _doctor, "look for what is or will be wrong; changes nothing")
    _add_json(doctor)
    _add_config(commands)
    _add_logs(commands)

    _add_users(commands)
    _add_secrets(commands)
    _add_queues(commands)
    _add_models(commands)
    _add_lake(commands)
    _add_backups(commands)
    _add_erasures(commands)
    audit = _group(commands, "audit", "the audit log")
    _add(audit, "verify", _audit_verify, "does each entry follow from the one before; exit 1 when not")

    upgrade_cli.hang_in(commands)
    _add_installation(commands)
    control = _add(commands, "supervisorctl", _supervisorctl, "supervisor's own control program")
    control.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser, commands.choices.keys()


def _add_installation(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    move = _add(commands, "move", _move, "move the data folder to another place or disk; the old one is kept")
    move.add_argument("folder", metavar="FOLDER", help="where it is to lie")
    uninstall = _add(commands, "uninstall", _uninstall, "undo scripts/install; state and settings are kept")
    uninstall.add_argument(
        "--purge", action="store_true", help="delete state and settings too, when confirmed"
    )
    uninstall.add_argument("--yes", action="store_true", help="without being asked")
    for one in (move, uninstall):
        one.set_defaults(as_owner=False)
    size = _add(commands, "size", _size, "CPUs, memory and disk for so many responses a day: advice")
    size.add_argument("responses", metavar="RESPONSES", type=int, help="a day")
    size.add_argument(
        "--kilobytes", metavar="KB", type=float, default=1.0, help="of one response (default 1)"
    )
    _add_json(size)


def _add_users(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    users = _group(commands, "user", "accounts")
    add = _add(users, "add", _user_add, "a new account; its password is asked for, or read from stdin")
    add.add_argument("name", metavar="NAME")
    add.add_argument(
        "--role", action="append", metavar="ROLE", help="admin, editor, analyst or viewer; may be repeated"
    )
    add.add_argument("--email", metavar="ADDRESS")
    add.add_argument("--invite", action="store_true", help="no password: print a one-time token to set it")
    _add_json(add)
    for name, command, what in (
        ("reset", _user_reset, "print a one-time token that sets a new password"),
        ("disable", _user_status, "no more logins; all sessions and keys end"),
        ("enable", _user_status, "logins again"),
    ):
        one = _add(users, name, command, what)
        one.add_argument("name", metavar="NAME")
        one.set_defaults(status="disabled" if name == "disable" else "active")
        _add_json(one)
    _add_json(_add(users, "list", _user_list, "all accounts"))


def _add_queues(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    queues = _group(commands, "queue", "background tasks: what waits, runs and failed")
    _add_json(_add(queues, "list", _queue_list, "the queues, and the tasks that failed for good"))
    for name, what in (
        ("pause", "begin nothing more of this queue; what runs goes on"),
        ("resume", "begin its tasks again"),
    ):
        one = _add(queues, name, _queue_pause, what)
        one.add_argument("queue", metavar="QUEUE", help="high, default or batched")
        one.set_defaults(paused=name == "pause")
    retry = _add(queues, "retry", _queue_retry, "do failed tasks anew, with all their tries before them")
    retry.add_argument("ids", nargs="*", metavar="ID", help="of a dead letter")
    retry.add_argument("--all", action="store_true", help="all dead letters")
    purge = _add(queues, "purge", _queue_purge, "cancel what waits on a queue, for good")
    purge.add_argument("queue", metavar="QUEUE", help="high, default or batched")
    purge.add_argument("--yes", action="store_true", help="without being asked")


def _add_models(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    models = _group(commands, "model", "language models: which there are and which are used")
    _add_json(_add(models, "list", _model_list, "the files that are known, and what each is used for"))
    use = _add(models, "use", _model_use, "use this one from the next reload on")
    use.add_argument("file", metavar="FILE", help="a GGUF file, the name of one that is listed, or default")
    check = _add(models, "check", _model_check, "is it a model, is it whole, does it fit; exit 1 when not")
    check.add_argument("file", metavar="FILE", nargs="?", help="default: those that are used")
    _add_json(check)
    _add_json(_add(models, "bench", _model_bench, "how fast those that are used are on this machine"))


def _add_backups(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    backups = _group(commands, "backup", "everything in one encrypted file, and back again")
    create = _add(backups, "create", _backup_create, "make one while the appliance runs")
    listed = _add(backups, "list", _backup_list, "those that were made, oldest first")
    for one in (create, listed):
        one.add_argument("--folder", metavar="FOLDER", type=Path, help="default: BACKUP_FOLDER")
    check = _add(backups, "verify", _backup_verify, "read all of one: is it whole")
    drill = _add(backups, "drill", _backup_drill, "restore one aside, compare it, take it away again")
    drill.add_argument("file", metavar="FILE", type=Path, nargs="?", help="default: the newest")
    drill.add_argument("--key", metavar="FILE", type=Path, help="default: secrets/backup_key")
    prune = _add(
        backups, "prune", _backup_prune, "remove those that BACKUP_KEEP_DAILY and _WEEKLY do not keep"
    )
    restore = _add(backups, "restore", _backup_restore, "make the data folder what it was")
    restore.set_defaults(as_owner=False)
    restore.add_argument(
        "--replace", action="store_true", help="also when it is not empty; it is kept beside"
    )
    restore.add_argument(
        "--erased", metavar="FOLDER", type=Path, help="records of erasures, beside the data folder's own"
    )
    for one in (check, restore):
        one.add_argument("file", metavar="FILE", type=Path)
        one.add_argument("--key", metavar="FILE", type=Path, help="default: secrets/backup_key")
    _add(backups, "key", _backup_key, "print the key that opens them, to keep it elsewhere")
    for one in (create, listed, check, drill, prune):
        _add_json(one)


def _add_erasures(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    erase = _group(commands, "erase", "what is kept of a person: found, read out, erased")
    find = _add(erase, "find", _erase_find, "look for it in all forms, and show how much there is")
    find.add_argument("--user", metavar="NAME", help="what this account has submitted")
    find.add_argument("--answer", action="store_true", help="an answer, asked for or read from stdin")
    find.add_argument("--response", metavar="ID", action="append", help="this response; may be repeated")
    find.add_argument("--form", metavar="ID", help="in this form only")
    find.add_argument("--account", action="store_true", help="the account of --user too")
    export = _add(erase, "export", _erase_export, "write all of it to stdout, a JSON document a line")
    run = _add(erase, "run", _erase_run, "erase what was found, for good")
    run.add_argument("--yes", action="store_true", help="without being asked")
    for one in (export, run):
        one.add_argument("id", metavar="ID", help="as `erase find` told it")
    listed = _add(erase, "list", _erase_list, "all that were asked for, newest first")
    for one in (find, run, listed):
        _add_json(one)


def _add_lake(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    lake = _group(commands, "lake", "the files of the analytics")
    _add(lake, "path", _lake_path, "the folder, for other tools to read")
    _add_json(_add(lake, "verify", _lake_verify, "read them all: are they whole; exit 1 when not"))
    _add(lake, "rebuild", _lake_rebuild, "empty it: the next run makes it anew from the database")
    share = _add(lake, "share", _lake_share, "a read-only copy for somebody else, with checksums")
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


def _add_secrets(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    secrets = _group(commands, "secrets", "keys and generated passwords")
    _add_json(_add(secrets, "list", _secrets_list, "names, states and ages; never values"))
    rotate = _add(secrets, "rotate", _secrets_rotate, "another value, without a failed request")
    names = ["all", "jwt", "database", "redis", "webhooks", "cursors", "backup", "admin", "smtp"]
    rotate.add_argument("name", choices=names)


def _add_config(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    config = _group(commands, "config", "settings")
    show = _add(config, "show", _config, "each setting with its value and source")
    _add_json(show)


def _add_logs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    logs = _add(commands, "logs", _logs, "the programs' logs, merged by time")
    logs.add_argument(
        "programs", nargs="*", metavar="NAME", help="only these programs; `api` means every api-N"
    )
    logs.add_argument("-f", "--follow", action="store_true", help="go on with what is written from now on")
    logs.add_argument("-n", "--lines", type=int, default=100, help="the last N lines (default 100; 0: all)")
    logs.add_argument(
        "--since", metavar="WHEN", help="15m, 2h, 3d or an RFC 3339 time; then all lines are shown"
    )
    logs.add_argument("--request-id", metavar="ID", help="only lines of one request")
    logs.add_argument("--level", choices=["debug", "info", "warning", "error"], help="this level and above")
    _add_json(logs)


def _group(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help: str
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    return commands.add_parser(name, help=help, description=help).add_subparsers(
        required=True, metavar="COMMAND"
    )


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    command: Command,
    help: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
    parser.set_defaults(command=command, as_owner=True)
    return parser


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _up(_: argparse.Namespace) -> int:
    from appliance.runtime.up import up

    return up()


def _reload(_: argparse.Namespace) -> int:
    from appliance.ops import reload

    return reload.run()


def _launch(chosen: argparse.Namespace) -> int:
    from appliance.runtime.launch import launch

    launch(chosen.name)
    return 0


def _migrate(chosen: argparse.Namespace) -> int:
    from appliance.ops import migrating

    return migrating.run(chosen.mode)


def _status(chosen: argparse.Namespace) -> int:
    from appliance.ops import status

    return status.run(as_json=chosen.json)


def _healthcheck(_: argparse.Namespace) -> int:
    from appliance.ops import healthcheck

    return healthcheck.run()


def _doctor(chosen: argparse.Namespace) -> int:
    from appliance.ops import doctor

    return doctor.run(as_json=chosen.json)


def _config(chosen: argparse.Namespace) -> int:
    from appliance.ops import config

    return config.run(as_json=chosen.json)


def _logs(chosen: argparse.Namespace) -> int:
    from appliance.ops import logs
    from appliance.ops.log_lines import Wanted

    wanted = Wanted(
        programs=tuple(chosen.programs),
        since=logs.parse_since(chosen.since) if chosen.since else None,
        request_id=chosen.request_id,
        level=chosen.level,
    )
    return logs.run(wanted, lines=chosen.lines, follow=chosen.follow, as_json=chosen.json)


def _user_add(chosen: argparse.Namespace) -> int:
    from appliance.ops import users

    roles = chosen.role or ["editor"]
    return users.add(chosen.name, roles, chosen.email, invite=chosen.invite, as_json=chosen.json)


def _user_reset(chosen: argparse.Namespace) -> int:
    from appliance.ops import users

    return users.reset(chosen.name, as_json=chosen.json)


def _user_status(chosen: argparse.Namespace) -> int:
    from appliance.ops import users

    return users.set_status(chosen.name, chosen.status, as_json=chosen.json)


def _user_list(chosen: argparse.Namespace) -> int:
    from appliance.ops import users

    return users.show(as_json=chosen.json)


def _queue_list(chosen: argparse.Namespace) -> int:
    from appliance.ops import queues

    return queues.show(as_json=chosen.json)


def _queue_pause(chosen: argparse.Namespace) -> int:
    from appliance.ops import queues

    return queues.set_paused(chosen.queue, paused=chosen.paused)


def _queue_retry(chosen: argparse.Namespace) -> int:
    from appliance.ops import queues

    return queues.retry(chosen.ids, every=chosen.all)


def _queue_purge(chosen: argparse.Namespace) -> int:
    from appliance.ops import queues

    return queues.purge(chosen.queue, sure=chosen.yes)


def _model_list(chosen: argparse.Namespace) -> int:
    from appliance.ops import models

    return models.show(as_json=chosen.json)


def _model_use(chosen: argparse.Namespace) -> int:
    from appliance.ops import models

    return models.use(chosen.file)


def _model_check(chosen: argparse.Namespace) -> int:
    from appliance.ops import models

    return models.check(chosen.file, as_json=chosen.json)


def _model_bench(chosen: argparse.Namespace) -> int:
    from appliance.ops import models

    return models.bench(as_json=chosen.json)


def _backup_create(chosen: argparse.Namespace) -> int:
    from appliance.ops import backup

    return backup.create(chosen.folder, as_json=chosen.json)


def _backup_key(_: argparse.Namespace) -> int:
    from appliance.ops import backup

    return backup.show_key()


def _backup_list(chosen: argparse.Namespace) -> int:
    from appliance.ops import backup

    return backup.show(chosen.folder, as_json=chosen.json)


def _backup_verify(chosen: argparse.Namespace) -> int:
    from appliance.ops import backup

    return backup.check(chosen.file, chosen.key, as_json=chosen.json)


def _backup_drill(chosen: argparse.Namespace) -> int:
    from appliance.ops import backup

    return backup.drill(chosen.file, chosen.key, as_json=chosen.json)


def _backup_prune(chosen: argparse.Namespace) -> int:
    from appliance.ops import backup

    return backup.prune(as_json=chosen.json)


def _backup_restore(chosen: argparse.Namespace) -> int:
    from appliance.ops import backup

    return backup.restore(chosen.file, chosen.key, chosen.erased, replace=chosen.replace)


def _erase_find(chosen: argparse.Namespace) -> int:
    from appliance.ops import erase

    wanted = erase.Wanted(chosen.user, chosen.answer, chosen.response, chosen.form, chosen.account)
    return erase.find(wanted, as_json=chosen.json)


def _erase_export(chosen: argparse.Namespace) -> int:
    from appliance.ops import erase

    return erase.export(chosen.id)


def _erase_run(chosen: argparse.Namespace) -> int:
    from appliance.ops import erase

    return erase.run(chosen.id, sure=chosen.yes, as_json=chosen.json)


def _erase_list(chosen: argparse.Namespace) -> int:
    from appliance.ops import erase

    return erase.show(as_json=chosen.json)


def _lake_path(_: argparse.Namespace) -> int:
    from appliance.ops import lake

    return lake.path()


def _lake_verify(chosen: argparse.Namespace) -> int:
    from appliance.ops import lake

    return lake.check(as_json=chosen.json)


def _lake_rebuild(_: argparse.Namespace) -> int:
    from appliance.ops import lake

    return lake.rebuild()


def _lake_share(chosen: argparse.Namespace) -> int:
    from appliance.ops import lake

    return lake.share(chosen.folder, forms=chosen.form, without=chosen.without, link=chosen.link)


def _secrets_list(chosen: argparse.Namespace) -> int:
    from appliance.ops import secrets

    return secrets.show(as_json=chosen.json)


def _secrets_rotate(chosen: argparse.Namespace) -> int:
    from appliance.ops import rotation

    return rotation.run(chosen.name)


def _audit_verify(_: argparse.Namespace) -> int:
    from appliance.ops import audit

    return audit.verify()


def _move(chosen: argparse.Namespace) -> int:
    from pathlib import Path

    from appliance.ops import move

    return move.run(Path(chosen.folder))


def _uninstall(chosen: argparse.Namespace) -> int:
    from appliance.ops import uninstall

    return uninstall.run(purge=chosen.purge, sure=chosen.yes)


def _size(chosen: argparse.Namespace) -> int:
    from appliance.ops import size

    return size.run(chosen.responses, kilobytes=chosen.kilobytes, as_json=chosen.json)


def _supervisorctl(chosen: argparse.Namespace) -> int:
    from appliance.ops import supervisor

    supervisor.become_supervisorctl(chosen.arguments)
