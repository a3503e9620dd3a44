"""The parent's side of reloads: one at a time, and what became of the last, for `appliance reload`."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from appliance import secret_ages, vault
from appliance.addresses import Paths
from appliance.disk import write_atomically
from appliance.errors import CannotStart, SettingError
from appliance.runtime import reload, rendering, serving
from appliance.runtime.notify import Notifier
from appliance.settings import COMMAND, Found, Settings, find_dotenv, find_texts, load, rows
from appliance.tls import record
from appliance.tls.sources import Served


@dataclass(frozen=True, slots=True)
class Outcome:
    """`refused` touched nothing; `failed` ended midway: some programs have the new settings."""

    number: int
    """Counted since the start of the appliance."""
    state: Literal["running", "done", "refused", "failed"]
    lines: list[str]


def read_outcome(paths: Paths) -> Outcome | None:
    """Of the last reload; None when there was none since the start."""
    try:
        return Outcome(**json.loads(paths.reload_outcome.read_text()))
    except (OSError, ValueError, TypeError):
        return None


_MEND = "correct it, then ./scripts/appliance reload; docs/settings.md lists every setting"
_LOOK = "./scripts/appliance status; mend that, then reload again"
_DISK = "./scripts/appliance doctor; mend that, then reload again"


def refusal(fault: Exception) -> str:
    """Which setting, file or server is at fault, and what to do next, a line each."""
    if isinstance(fault, OSError):
        return with_next(f"{fault.filename or 'a file'}: {fault.strerror or fault}", _DISK)
    return "\n".join(with_next(line, _MEND) for line in str(fault).splitlines())


def with_next(told: str, mend: str) -> str:
    return told if "; next: " in told else f"{told}; next: {mend}"


def forget(paths: Paths) -> None:
    """At the start: what an earlier run left."""
    paths.reload_outcome.unlink(missing_ok=True)
    for mark in (paths.reloading, paths.closing):
        mark.unlink(missing_ok=True)


def hold_dotenv(paths: Paths, judged: Settings) -> None:
    """Keep `.env` for the programs, as it was judged.

    Raises CannotStart when it has changed since, and OSError.
    """
    path, draft = find_dotenv(os.environ), paths.dotenv.with_suffix(".new")
    write_atomically(draft, path.read_bytes() if path.is_file() else b"")
    try:
        is_same = load(dotenv=draft) == judged
    except SettingError:
        is_same = False
    if not is_same:
        draft.unlink()
        raise CannotStart(f"{path} was changed while it was read; next: the same command again")
    draft.replace(paths.dotenv)


def hold_secrets(paths: Paths, held: Mapping[str, Found]) -> None:
    """Keep for the programs what a command has told, and what only a restart changes. What came by the
    environment goes on by the environment.
    """
    secret = {row.name for row in rows().values() if row.secret}
    found = {name: each for name, each in find_texts().items() if each.source == COMMAND}
    found |= {name: each for name, each in held.items() if name in secret}
    kept = {name: each for name, each in found.items() if each.source != "environment"}
    write_atomically(paths.held_secrets, json.dumps(kept))
    outside = {name: each for name, each in find_texts().items() if name in secret} | {
        name: held[name] for name in held.keys() & secret
    }
    secret_ages.note(paths, {name: each.text for name, each in outside.items() if each.text})


class Reloads:
    """Told of each SIGHUP, and looked after by the parent's loop. `settings` are those that hold."""

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        held: Mapping[str, Found],
        say: Callable[[str], None],
        notifier: Notifier,
    ) -> None:
        self.settings = settings
        self._paths, self._held, self._tell, self._notifier = paths, held, say, notifier
        self._served = reload.fingerprint(rendering.nginx_text(settings), paths.served.read_bytes())
        self._running: reload.Reload | None = None
        self._again = False
        self._number, self._lines = 0, list[str]()

    @property
    def busy(self) -> bool:
        return self._running is not None

    def begin(self) -> None:
        """Once more when this one is done, if one runs: what has changed since, it may have missed."""
        if self._running:
            self._again = True
            if self._running.only:  # that is not recorded: who waits must see that he is heard
                with contextlib.suppress(OSError):
                    self._record("running")
            return
        self._number, self._lines, self._again = self._number + 1, [], False
        # systemd.service(5): the time tells this reload from an earlier one.
        self._notifier.tell(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000, STATUS="reloading")
        try:
            self._record("running")  # on a disk that is full no program would come back either
            vault.forget()
            wanted = reload.prepare(self.settings, self._held)
            hold_dotenv(self._paths, wanted.asked)
            hold_secrets(self._paths, wanted.held)
            self._held = wanted.held
        except Exception as fault:  # whatever it is: this is the parent, and the programs run on
            self._say(f"not reloaded, everything runs on as before: {refusal(fault)}")
            self._end("refused")
            return
        self._say("reloading: each program in turn, without a pause")
        for name in wanted.for_restart:
            self._say(f"{name} was changed, but only a restart takes it")
        self._running = reload.Reload(self._paths, wanted, self._served, self._say)
        self._running.start()

    def renew(self, offered: Served) -> None:
        """Give nginx another certificate; no other program is touched. Raises CannotStart, OSError."""
        text = reload.judge(self.settings, offered)
        wanted = reload.Wanted(self.settings, self.settings, text, offered, ())
        self._running = reload.Reload(self._paths, wanted, self._served, self._tell, only="nginx")
        self._running.start()

    def look(self) -> None:
        """Has it come to its end?"""
        ended = self._running
        if ended is None or ended.is_alive():
            return
        self._running, self._served = None, ended.served
        if ended.only:
            self._end_renewal(ended)
        else:
            self._end_reload(ended)
        if self._again:
            self.begin()

    def _end_renewal(self, ended: reload.Reload) -> None:
        """Not recorded: `appliance reload` waits for one of its own."""
        if ended.fault is None:
            self._tell(f"nginx serves {serving.describe(ended.wanted.certificate)}")
            return
        self._tell(f"the certificate of before goes on being served: {ended.fault}")
        with contextlib.suppress(OSError):
            record.keep(self._paths, ended.fault)

    def _end_reload(self, ended: reload.Reload) -> None:
        if ended.fault is None:
            self.settings = ended.wanted.settings
            self._say("reloaded")
            self._end("done")
        else:
            how = "the reload ended midway" if ended.touched else "not reloaded, no program was touched"
            self._say(f"{how}: {with_next(ended.fault, _LOOK)}")
            self._end("failed")

    def cancel(self) -> None:
        self._again = False
        if self._running:
            self._running.cancelled.set()

    def _say(self, text: str) -> None:
        self._lines.append(text)
        self._tell(text)
        with contextlib.suppress(OSError):  # no reason to end what runs
            self._record("running")

    def _end(self, state: Literal["done", "refused", "failed"]) -> None:
        try:
            self._record(state)
        except OSError:  # who waits for it learns at least that nothing more will come
            with contextlib.suppress(OSError):
                self._paths.reload_outcome.unlink(missing_ok=True)
        self._notifier.tell(READY=1, STATUS=self._lines[-1])

    def _record(self, state: Literal["running", "done", "refused", "failed"]) -> None:
        outcome = Outcome(self._number, state, self._lines)
        write_atomically(self._paths.reload_outcome, json.dumps(asdict(outcome)))
