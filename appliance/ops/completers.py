"""What a shell offers for a word of a command: what can be looked up in a few milliseconds, without a server.

    complete_by(parser.add_argument("queue"), completers.queues)

Nothing is told of what goes wrong: who presses Tab gets nothing then.
"""

from __future__ import annotations

import contextlib
import os
import re
from argparse import Action, ArgumentParser
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Completer = Callable[..., Iterable[str]]


def complete_by(action: Action, completer: Completer) -> None:
    vars(action)["completer"] = completer  # what argcomplete looks for


def answer(parser: ArgumentParser) -> None:
    """For who called us to ask what may come next (`_ARGCOMPLETE`); ends this process."""
    import argcomplete
    from argcomplete.completers import SuppressCompleter

    if os.geteuid() == 0:
        from appliance.runtime import ownership

        ownership.step_down()
    argcomplete.autocomplete(parser, default_completer=SuppressCompleter(), always_complete_options=False)


def script(shell: str) -> str:
    """What teaches a shell to ask."""
    from argcomplete.shell_integration import shellcode

    return shellcode(["appliance"], shell=shell).rstrip() + "\n"


def queues(**_: Any) -> list[str]:
    return ["high", "default", "batched"]


def programs(**_: Any) -> list[str]:
    """Those that have a log, and `api` for all of them."""
    from appliance.runtime import programs as known

    names = set(known.STOP_SIGNALS)
    with contextlib.suppress(Exception):
        names |= {path.stem for path in _paths().logs.glob("*.log")}
    return sorted(names | {re.sub(r"-\d+$", "", name) for name in names if name.startswith("api-")})


_ACTIONS = ("start", "stop", "restart", "status", "tail", "signal", "clear", "pid", "fg")


def control(*, parsed_args: Any, **_: Any) -> list[str]:
    """supervisorctl's actions, then programs."""
    return programs() if parsed_args.arguments else list(_ACTIONS)


def backups(*, prefix: str, **_: Any) -> list[str]:
    """By name those that are where backups are kept, and files."""
    found: list[str] = []
    with contextlib.suppress(Exception):
        from appliance import settings

        others = settings.find_alone("backup_folder")
        for folder in {_paths().backups, others} - {None}:
            found += [path.name for path in folder.glob("*.tar.zst.age")]
    return sorted(found, reverse=True) + files(prefix=prefix)


def models(*, prefix: str, **_: Any) -> list[str]:
    found: list[str] = []
    with contextlib.suppress(Exception):
        from appliance import llama_install

        places = (_paths().data / "models", llama_install.MODELS)
        found = sorted({path.stem for place in places for path in place.glob("*.gguf")})
    return ["default", *found, *files(prefix=prefix)]


def files(*, prefix: str, **_: Any) -> list[str]:
    from argcomplete.completers import FilesCompleter

    return list(FilesCompleter()(prefix))


def folders(*, prefix: str, **_: Any) -> list[str]:
    from argcomplete.completers import DirectoriesCompleter

    return list(DirectoriesCompleter()(prefix))


def _paths() -> Any:
    from appliance import settings
    from appliance.addresses import Paths

    return Paths(Path(settings.find_data()))
