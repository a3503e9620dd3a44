"""Secrets from a store outside, by the command of SECRETS_COMMAND: its output is the value, and only that.

The command is run without a shell. What it says on stderr goes to ours, so into the log; what it says on
stdout goes nowhere else. Each answer is kept for the life of the process, until `forget`: a start and each
reload ask once.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys

from appliance.errors import SettingError

SECONDS = 10.0
_answers: dict[tuple[str, str], str] = {}


def words(command: str, name: str) -> list[str]:
    """The argument list, with each `{name}` replaced. Raises ValueError for a quote that is not closed."""
    return [word.replace("{name}", name) for word in shlex.split(command)]


def ask(command: str, name: str) -> str:
    """The secret of this name. Raises SettingError: which one, how the command ended, what is next."""
    if (command, name) not in _answers:
        _answers[command, name] = _run(words(command, name), name)
    return _answers[command, name]


def forget() -> None:
    """Ask anew from now on."""
    _answers.clear()


def _run(arguments: list[str], name: str) -> str:
    head = f"{name}: SECRETS_COMMAND"
    mend = f"next: run it yourself: {shlex.join(arguments)} >/dev/null"
    try:
        # A group of its own: what it has started ends with it.
        child = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=_stderr(), process_group=0
        )
    except OSError as fault:
        raise SettingError(
            f"{head} names {arguments[0]}, which cannot be run ({fault.strerror}); {mend}"
        ) from None
    try:
        told, _ = child.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise SettingError(f"{head} gave no answer within {SECONDS:.0f} s; {mend}") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
    if child.returncode:
        raise SettingError(f"{head} ended with status {child.returncode}; {mend}")
    try:
        secret = told.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise SettingError(f"{head} gave something else than UTF-8; {mend}") from None
    if not secret:
        raise SettingError(f"{head} gave nothing; {mend}")
    return secret


def _stderr() -> int:
    """Ours, whatever a test has put there for Python."""
    try:
        return sys.__stderr__.fileno() if sys.__stderr__ else subprocess.DEVNULL
    except (OSError, ValueError):
        return subprocess.DEVNULL
