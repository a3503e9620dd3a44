"""`appliance upgrade FOLDER`: newer code for an installation; the older comes back when that fails.

    prepare beside ─▶ drain ─▶ stop ─▶ code exchanged ─▶ start, which migrates ─▶ ready ─▶ committed ─▶ open

Contract: until "committed" the door is closed and queues are paused, so nothing is stored that a way back
would lose; from then on it only goes forward. A fault, a signal: this process goes back. Killed, a second one
does, which waits for that; both killed, the next attempt or the next start of the service (`ExecStartPre` of
the unit) does. Code is never half there: two folders change names in one step.

All that is needed for the way back is imported before the first step: later imports would be of the other
code.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Final

from appliance import disk, settings
from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.ops import front, release, service, upgrade_check, upgrade_code, upgrade_journal
from appliance.ops.upgrade_journal import Journal
from appliance.settings import HOME, Settings

READY_SECONDS: Final = 300.0
DRAIN_SECONDS: Final = 60
_LOOK: Final = 0.5
_MESSAGE: Final = "It is being brought up to date."
_STOPS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Say = Callable[[str], None]


class Stopped(Exception):
    """A signal came."""


def run(folder: Path, *, drain_seconds: int = DRAIN_SECONDS, ready_seconds: float = READY_SECONDS) -> int:
    """1 when it did not get ready, and all is as it was. Raises CannotStart, before anything was changed."""
    if not service.is_installed():
        raise CannotStart(
            f"{HOME} is not installed as a service, so whoever put its code there changes it;"
            " next: stop it, git pull, ./scripts/up, which migrates the data (docs/operating.md);"
            f" what that would do: ./scripts/appliance upgrade {folder} --check"
        )
    service.check_root(f"upgrade {folder}")
    chosen = settings.load()
    with upgrade_journal.alone():
        end_what_was_begun(chosen, _say)
        found = upgrade_check.look(folder.resolve(), chosen)
        if found.faults:
            raise CannotStart("\n".join(found.faults))
        for line in found.notes:
            _say(line)
        begun = Journal(
            phase="preparing",
            pid=os.getpid(),
            version=found.here.version,
            to=found.there.version,
            level=found.level,
            was_active=service.is_active(),
            was_closed=Paths(chosen.data).maintenance.exists(),
        )
        with _guarded(chosen), _stopped_by_signals():
            upgrade_journal.write(begun)
            return _go(found.there, begun, chosen, drain_seconds, ready_seconds)


def _go(there: release.Release, begun: Journal, chosen: Settings, drain_seconds: int, ready: float) -> int:
    try:
        committed = _go_forward(there, begun, chosen, drain_seconds, ready)
    except (CannotStart, OSError, Stopped, subprocess.SubprocessError) as fault:
        for number in _STOPS:
            signal.signal(number, signal.SIG_IGN)
        _say(f"it did not go well: {fault}")
        roll_back(upgrade_journal.read() or begun, chosen, _say)
        _say(f"all is as it was, with {begun.version}")
        return 1
    _finish(committed, _say)
    _say(f"the appliance is {there.version} now")
    return 0


def _go_forward(
    there: release.Release, now: Journal, chosen: Settings, drain_seconds: int, ready: float
) -> Journal:
    """Raises CannotStart, OSError, Stopped."""
    upgrade_code.prepare(there, upgrade_journal.code(), _say)
    if now.was_active:
        now = now.goes_on("draining")
        _appliance("drain", "--timeout", str(drain_seconds), "--message", _MESSAGE, ok=(0, 1))
        now = now.goes_on("stopping")
        service.systemctl("stop", service.NAME)
        _say("the service is stopped")
    now = now.goes_on("exchanging")
    disk.exchange(HOME, upgrade_journal.code())
    service.write_unit(chosen.data)
    _say(f"the code of {there.version} lies in {HOME}")
    if now.was_active:
        now = now.goes_on("starting")
        _start(chosen, ready)
    return now.goes_on("committed")


def _start(chosen: Settings, seconds: float) -> None:
    """Returns when it is ready. Raises CannotStart."""
    service.systemctl("start", service.NAME)
    deadline = time.monotonic() + seconds
    while not (found := front.ask(chosen)).is_ready:
        if not service.is_active():
            raise CannotStart("the service has ended; see journalctl -u appliance")
        if time.monotonic() > deadline:
            raise CannotStart(f"it is not ready after {seconds:.0f} s: {found.fault}")
        time.sleep(_LOOK)
    _say("it is ready")


def _finish(now: Journal, say: Say) -> None:
    """After the commit. Killed anywhere, it goes on."""
    (HOME / upgrade_code.MARK).unlink(missing_ok=True)
    _open(now, say)
    upgrade_journal.remove()
    if now.was_active and service.is_systemd_running():
        # What runs language models may have been built with other pins: as scripts/install does.
        build = ["systemd-run", "--quiet", "--collect", "--unit=appliance-ai", "--property=Nice=19"]
        with contextlib.suppress(OSError):
            subprocess.run([*build, str(HOME / "scripts" / "ai")], capture_output=True, check=False)


def roll_back(now: Journal, chosen: Settings, say: Say, *, is_starting: bool = False) -> None:
    """The code, the unit and the data of before; the service runs if it did. Killed anywhere, it goes on.

    `is_starting`: the service is about to start and calls this, so it is neither stopped nor started. Raises
    CannotStart, OSError.
    """
    if now.phase in ("exchanging", "starting"):
        if (HOME / upgrade_code.MARK).exists():
            if not is_starting and service.is_systemd_running():
                service.systemctl("stop", service.NAME)
            # The mark goes with the newer code; found there, the unit and the data are left to do.
            disk.exchange(HOME, upgrade_journal.code())
            say(f"the code of {now.version} lies in {HOME} again")
        service.write_unit(chosen.data)
        if now.level is not None:
            _appliance("upgrade", "--back", "--yes", "--above", str(now.level))
    if now.was_active and now.phase != "preparing":
        if not is_starting and not service.is_active():
            service.systemctl("start", service.NAME)
            say("the service is started again")
        _open(now, say)
    upgrade_journal.remove()


def _open(now: Journal, say: Say) -> None:
    if now.was_closed:
        say("maintenance stays on, as it was before; appliance maintenance off ends it, and the drain")
    elif now.was_active:
        # 1: a queue could not be resumed. That is told, and done when the appliance is ready.
        _appliance("maintenance", "off", ok=(0, 1))


def end_what_was_begun(chosen: Settings, say: Say, *, is_starting: bool = False) -> None:
    """Of an attempt before, which was killed. Raises CannotStart, OSError."""
    begun = upgrade_journal.read()
    if begun is None:
        return
    if begun.phase == "committed":
        _finish(begun, say)
    else:
        say(f"the upgrade to {begun.to} was broken off ({begun.phase}); going back to {begun.version}")
        roll_back(begun, chosen, say, is_starting=is_starting)


def resume() -> int:
    """`ExecStartPre` of the unit, as root: nothing when nobody was killed. Raises CannotStart."""
    if not upgrade_journal.folder().is_dir():
        return 0
    try:
        with upgrade_journal.alone():
            end_what_was_begun(settings.load(), _say, is_starting=True)
    except CannotStart as fault:
        if not isinstance(fault, upgrade_journal.Busy):
            raise
    return 0


@contextlib.contextmanager
def _guarded(chosen: Settings) -> Iterator[None]:
    """A second process goes back when this one dies. It has all its code, and a session of its own."""
    source, sink = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        os.close(sink)
        _guard(source, chosen)
    os.close(source)
    try:
        yield
    finally:
        os.write(sink, b".")
        os.close(sink)
        os.waitpid(child, 0)


def _guard(source: int, chosen: Settings) -> None:
    """Never returns."""
    try:
        os.setsid()
        for number in _STOPS:
            signal.signal(number, signal.SIG_IGN)
        if not os.read(source, 1):  # its end: whoever had the other one is gone, without a word
            _say("the upgrade was killed")
            end_what_was_begun(chosen, _say)
    except BaseException as fault:
        _say(f"the guard could not go back: {fault}; next: the same upgrade, or a start of the service")
    finally:
        os._exit(0)


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in _STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _appliance(*words: str, ok: tuple[int, ...] = (0,)) -> None:
    """The command of the code that lies there now, as the data's owner. Raises CannotStart."""
    told = subprocess.run(
        [str(upgrade_code.python(HOME)), "-P", "-m", "appliance", *words],
        env={**os.environ, "PYTHONPATH": str(HOME)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    for line in (told.stdout + told.stderr).splitlines():
        _say(line.removeprefix("appliance: "))
    if told.returncode not in ok:
        raise CannotStart(f"appliance {' '.join(words)}: exit status {told.returncode}")


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads any more: not a reason to stop
        print(text, flush=True)
