"""`appliance up`: the small parent of the supervisor, and PID 1 in the image.

It holds the data folder's lock, prepares what the programs need, runs supervisord as its child and waits. It
ends with 0 after a clean stop and with 1 when supervisord could not go on, which supervisord itself does not
tell (it exits 0 after a shutdown call). When the parent is killed, the kernel ends supervisord.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from appliance import llama_install, processes, settings
from appliance.addresses import Paths, front_url
from appliance.clock import utc_now
from appliance.errors import CannotStart
from appliance.metrics import counts
from appliance.runtime import (
    allowance,
    cgroups,
    door,
    folders,
    leftovers,
    migrating,
    mongo,
    ownership,
    preflight,
    programs,
    records,
    reloading,
    rendering,
    serving,
    snapshots,
    stderr,
    supervisor_socket,
    swapping,
    unfinished,
)
from appliance.runtime.control import FAULTS
from appliance.runtime.guardian.watch import Watch
from appliance.runtime.notify import NAMES, Notifier
from appliance.runtime.readiness import Readiness
from appliance.runtime.reloading import Reloads, hold_dotenv, hold_secrets
from appliance.settings import HOME, Settings

STOP_SECONDS = 30.0
UNREADY_SECONDS = 90.0
"""Then systemd is told that the start is over although a database is away: it may be so for hours."""
STOP = (signal.SIGTERM, signal.SIGINT)
WATCHED = (*STOP, signal.SIGHUP, signal.SIGCHLD)


def up() -> int:
    """Run the appliance until it is stopped; the exit status. Raises CannotStart and SettingError."""
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)  # they are waited for, never interrupt
    steps = Steps()
    chosen = settings.load()
    paths = Paths(chosen.data)
    gives = ownership.is_wanted(chosen)
    if gives:
        _check_user(chosen)
    lock = take_lock(steps, paths, chosen)
    try:
        _prepare(steps, paths, chosen, gives=gives)
        return Parent(steps, paths, chosen).run()
    finally:
        for line in cgroups.remove(paths):
            steps.say(line)
        os.close(lock)


BEGAN = "SCRIPTS_UP_BEGAN"
"""In the environment: when ./scripts/up began, in seconds since 1970. Its setup counts from there too."""


class Steps:
    """Says what is done, each line with the seconds since the start: of ./scripts/up where that called us."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self._before = _seconds_since(os.environ.pop(BEGAN, None))

    @property
    def seconds(self) -> float:
        """Of our own."""
        return time.monotonic() - self.started

    @property
    def shown(self) -> float:
        return self._before + self.seconds

    def say(self, text: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads any more: not a reason to stop
            print(f"[{self.shown:5.1f} s] {text}", flush=True)


def _seconds_since(moment: str | None) -> float:
    """0 where that cannot be: the machine's clock may have been set since."""
    try:
        seconds = time.time() - float((moment or "").replace(",", "."))
    except ValueError:
        return 0.0
    return seconds if 0 <= seconds < 86_400 else 0.0


def take_lock(steps: Steps, paths: Paths, chosen: Settings) -> int:
    """The descriptor that holds the data folder. Raises CannotStart, naming who holds it already."""
    preflight.check_place(chosen)
    try:
        for line in folders.create(paths):
            steps.say(line)
        descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as fault:
        faults = preflight.find_faults(chosen) or [f"{fault.filename}: {fault.strerror}"]
        raise CannotStart("\n".join(faults)) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode().strip()
        os.close(descriptor)
        raise CannotStart(
            f"the appliance already runs on {paths.data} as process {holder or '?'};"
            f" next: `kill {holder or 'PID'}` stops it, or set APPLIANCE_DATA to another folder"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _check_user(chosen: Settings) -> None:
    """Raises CannotStart. What is the user's already is not obeyed by root from here on."""
    if faults := ownership.find_faults(chosen):
        raise CannotStart("\n".join(faults))
    if ownership.is_given(chosen):
        ownership.step_aside(chosen)


def _prepare(steps: Steps, paths: Paths, chosen: Settings, *, gives: bool) -> None:
    steps.say(f"data folder {paths.data}")
    _end_what_was_begun(steps, paths, chosen)
    if gives:
        _hand_over(steps, paths, chosen)
    for line in cgroups.remove(paths):
        steps.say(line)
    _share_out(steps, paths, chosen, gives=gives)
    if gives:
        ownership.become(chosen)
    preflight.check(chosen)
    unfinished.check(chosen)
    steps.say("checked ports, disk, permissions, programs")
    for path in folders.create_secrets(paths, chosen):
        steps.say(f"generated {path.relative_to(paths.data)}")
    for line in serving.settle(chosen):
        steps.say(line)
    if chosen.mongodb_uri is None:
        steps.say(f"database port 127.0.0.1:{mongo.ensure_port(paths)}")
    migrating.bring_up_to_date(paths, chosen, steps.say)
    rendering.nginx(chosen)
    counts.wipe(paths.counts)
    reloading.forget(paths)
    _raise_open_files()


def _end_what_was_begun(steps: Steps, paths: Paths, chosen: Settings) -> None:
    """A restore, a run, a migration."""
    if (before := swapping.finish(paths.data)) is not None:
        steps.say(f"finished a restore that was broken off; what was there before is {before}")
        folders.create(paths)
    if leftovers.are_there(paths):
        steps.say("an earlier run did not end; ending what is left of it takes some seconds")
    for line in leftovers.end(paths):
        steps.say(line)
    try:
        for line in migrating.recover(paths, chosen):
            steps.say(line)
    except OSError as fault:
        raise CannotStart(f"the data of before an upgrade cannot be put back: {fault}") from None


def _share_out(steps: Steps, paths: Paths, chosen: Settings, *, gives: bool) -> None:
    made = cgroups.establish(paths, allowance.find_budget(chosen))
    if gives:
        cgroups.give(made, *ownership.ids(chosen))
    given = made.budget
    by = "nothing but their cores" if made.backend == "none" else f"cgroups {made.backend}"
    steps.say(f"programs share {given.cpus} CPUs and {given.memory / 2**30:.1f} GiB, held to it by {by}")
    for reason, controls in made.reasons().items():
        steps.say(f"not enforced: {', '.join(controls)} ({reason})")


def _hand_over(steps: Steps, paths: Paths, chosen: Settings) -> None:
    """From here on we act as the user too."""
    try:
        with ownership.as_root():
            changed = ownership.hand_over(chosen)
        if os.geteuid() == 0:
            ownership.step_aside(chosen)
    except OSError as fault:
        raise CannotStart(f"APPLIANCE_USER={chosen.user}: {fault.filename or ''} {fault.strerror}") from None
    steps.say(
        f"everything runs as {chosen.user}" + (f"; {changed} files were given to him" if changed else "")
    )


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Parent:
    """supervisord's parent: starts it, passes signals on, tells when the appliance is ready."""

    def __init__(self, steps: Steps, paths: Paths, chosen: Settings) -> None:
        self.steps, self.paths, self.settings = steps, paths, chosen
        self.stop_by: float | None = None
        self.supervisor = 0
        self.readiness = Readiness(front_url(chosen))
        self.ready = False
        self.notifier = Notifier(os.environ)
        self.held = settings.held()
        hold_dotenv(paths, chosen)
        hold_secrets(paths, self.held)
        self.watch = Watch(paths, steps.say)
        self.reloads = Reloads(paths, chosen, self.held, steps.say, self.notifier)
        self.serving = serving.Watch(paths, self.reloads, steps.say)

    def run(self) -> int:
        self.supervisor = self._start()
        self.steps.say(f"supervisord runs as process {self.supervisor}")
        while True:
            received = signal.sigtimedwait(WATCHED, 0.25 if self._busy() else 5.0)
            if self.supervisor in processes.reap():
                return self._ended()
            if received:
                self._pass_on(signal.Signals(received.si_signo))
            if self.stop_by is not None and time.monotonic() > self.stop_by:
                self.steps.say("supervisord did not stop in time and is killed")
                os.kill(self.supervisor, signal.SIGKILL)
                self.stop_by = time.monotonic() + STOP_SECONDS
            self._look_after_the_data()
            self.reloads.look()
            if self.stop_by is None:
                self.watch.look(time.monotonic())
                if self.ready:
                    self.serving.look(time.monotonic())
            self._tell_when_ready()
            self.notifier.prove_life(self._lives)

    def _start(self) -> int:
        parent = os.getpid()

        def become_child() -> None:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
            processes.die_with_parent(signal.SIGTERM, parent)

        source, sink = os.pipe2(os.O_CLOEXEC)
        child = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "supervisor.supervisord",
                "-n",
                "-c",
                str(HOME / "supervisord.conf"),
                # Root is warned unless it says so; any other user, it would look up in /etc/passwd.
                *(("-u", "root") if programs.runs_as_root() else ()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=self._environment(),
            cwd=self.paths.run,
            # Its own group: Ctrl-C in the terminal reaches us alone, and we pass it on once.
            process_group=0,
            preexec_fn=become_child,
        )
        os.close(sink)
        stderr.drain(source)
        child.returncode = 0  # reaped by us, not by subprocess
        records.write(self.paths, leftovers.SUPERVISOR, child.pid)
        return child.pid

    def _environment(self) -> dict[str, str]:
        secrets = {row.name for row in settings.rows().values() if row.secret}  # by a file, or as they came
        ours_alone = {*NAMES, *(f"{name}_FILE" for name in self.held)}
        environment = {key: value for key, value in os.environ.items() if key not in ours_alone}
        binaries = str(Path(sys.executable).parent)
        path = f"{binaries}:{os.environ.get('PATH', os.defpath)}"
        ours = programs.supervisor_environment(self.settings)
        ours |= {"PATH": path, "PYTHONPATH": str(HOME), settings.HELD: str(self.paths.dotenv)}
        ours[settings.HELD_SECRETS] = str(self.paths.held_secrets)
        held = {name: found.text or "" for name, found in self.held.items() if name not in secrets}
        return environment | held | ours

    def _busy(self) -> bool:
        return self.stop_by is not None or not self.ready or self.reloads.busy

    def _lives(self) -> bool:
        """Not that we go round in a loop, but that the supervisor answers."""
        try:
            with supervisor_socket.connect(self.paths) as proxy:
                proxy.supervisor.getState()
        except FAULTS:
            return False
        return True

    def _pass_on(self, received: signal.Signals) -> None:
        if received in STOP and self.stop_by is None:
            self.steps.say(f"stopping ({received.name})")
            self.notifier.tell(STOPPING=1, STATUS="stopping")
            self.stop_by = time.monotonic() + STOP_SECONDS
            self.reloads.cancel()
            os.kill(self.supervisor, signal.SIGTERM)
        elif received == signal.SIGHUP and self.stop_by is None:
            self.reloads.begin()

    def _look_after_the_data(self) -> None:
        """What ends with time: the wait that others are told, and the copy of an upgrade."""
        with contextlib.suppress(OSError):  # the disk is full: doctor says so
            if self.paths.maintenance.exists():
                door.refresh(self.paths, utc_now())
            kept = snapshots.find(self.paths)
            if kept is not None and snapshots.is_old(kept, utc_now()):
                self.steps.say(f"removed the copy of the data of {kept.at}")
                snapshots.throw_away(self.paths)

    def _tell_when_ready(self) -> None:
        if self.stop_by is not None or self.ready:
            return
        self.ready, news = self.readiness.ask()
        if self.ready:
            password = self.paths.admin_password
            where = f"{front_url(self.settings)}/"
            kept = f" admin password in {password}" if password.exists() else ""
            self.steps.say(f"ready after {self.steps.shown:.1f} s: {where}{kept}")
            if self.paths.maintenance.exists():
                tasks = ", and a drain has paused queues" if self.paths.drained.exists() else ""
                self.steps.say(
                    f"maintenance is on: everybody is answered 503{tasks};"
                    " next: ./scripts/appliance maintenance off"
                )
            elif self.paths.drained.exists():
                self._resume()
            if (told := llama_install.tell_operator()) is not None:
                self.steps.say(told)
            self.notifier.tell(READY=1, STATUS=f"ready at {where}")
        elif news:
            self.steps.say(news)
            self.notifier.tell(STATUS=news, **self._start_is_over())

    def _resume(self) -> None:
        """Somebody has opened the door while nothing ran: what a drain has paused goes on too."""
        subprocess.Popen(
            [sys.executable, "-P", "-m", "appliance", "maintenance", "off"],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(HOME)},
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED),
        ).returncode = 0  # reaped by us, not by subprocess

    def _start_is_over(self) -> dict[str, int]:
        return {"READY": 1} if self.steps.seconds > UNREADY_SECONDS else {}

    def _ended(self) -> int:
        clean = self.stop_by is not None
        if not clean:
            self.steps.say(f"supervisord ended by itself; see {self.paths.logs / 'supervisord.log'}")
        records.remove(self.paths, leftovers.SUPERVISOR)
        for line in leftovers.end(self.paths):
            self.steps.say(line.replace("an earlier run", "this run"))
        self.steps.say("stopped")
        return 0 if clean else 1
