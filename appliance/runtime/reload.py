"""A reload (SIGHUP): settings, certificates and keys are read anew, and no request fails meanwhile.

What cannot be used is refused before anything is touched. Then every program but the stores is replaced, one
after the other:

1. what ended by itself: started again. What the operator has stopped stays so, also when he does it midway.
2. each API, while another one is ready: its socket is taken away, so nginx opens no connection to it any
   more; it sees that, and closes each connection with its next answer; when the last one is closed it is
   stopped, and started again. So nothing that it was asked is lost, or asked twice. The next one waits until
   it is ready.
3. the workers, the scheduler and whatever else runs: stopped as ever, which gives their tasks back, and
   waited for until they show life.
4. nginx, where its configuration or a certificate has changed: for some seconds each answer ends its
   connection, since nginx would close it under the client's next request; then it starts new workers and
   lets the old ones finish.

A program that does not come back ends the reload there: the others run on with what they had.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from appliance import courses, llama_install, processes, settings
from appliance.addresses import Paths
from appliance.clock import utc_now
from appliance.courses import Phase
from appliance.disk import RESERVE_BYTES, free_bytes, write_atomically, write_durably
from appliance.errors import CannotStart
from appliance.runtime import launch, preflight, programs, rendering, waits
from appliance.runtime.control import Cancelled, Control, Failed, Program
from appliance.settings import Found, Settings
from appliance.tls import sources
from appliance.tls.sources import Served

LEFT_ALONE = ("redis", "mongo")
BEATING = ("worker-high", "worker-default", "worker-ai", "scheduler")
"""They touch a file once they have read their settings and work."""
DRAIN_SECONDS = 310.0
"""nginx waits 300 s for the longest answers there are; what lasts longer is cut."""
READY_SECONDS = 300.0
"""A busy machine takes a minute to import a program; one that ends or fails is told at once."""
HUP_SECONDS = 15.0
CLOSE_SECONDS = 5.0
"""A client that sends less often than this is not likely to send at the very moment that nginx closes."""
_LISTENS = 0x10000  # __SO_ACCEPTCON, in the flags of /proc/net/unix


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reload leads to."""

    settings: Settings
    asked: Settings
    """What the sources hold, those settings included that only a restart takes."""
    nginx: str
    certificate: Served
    for_restart: tuple[str, ...]
    """Names of settings that were changed, but only a restart takes."""
    held: Mapping[str, Found] = field(default_factory=dict)
    """What only a restart changes, but for users and passwords of servers outside."""


def prepare(running: Settings, held: Mapping[str, Found]) -> Wanted:
    """Judge what the sources hold now, against what runs. `held` is what only a restart changes, but for
    another user or password of the same database or Redis outside, which is taken when it opens.

    Raises SettingError, CannotStart and OSError for what cannot be used; nothing is changed then.
    """
    if free_bytes(running.data) < RESERVE_BYTES:
        raise CannotStart(
            f"the disk of {running.data} is full, so no program would come back; next: free some"
        )
    asked = settings.load()
    files = {f"{name}_FILE" for name in held}
    held = {**held, **_new_credentials(held, settings.find_texts())}
    texts = {name: found.text or "" for name, found in held.items()}
    chosen = settings.load({**{name: os.environ[name] for name in os.environ.keys() - files}, **texts})
    for name in ("MONGODB_URI", "REDIS_URL"):
        if _of(chosen, name) != _of(running, name) and not waits.opens(chosen, name):
            raise CannotStart(
                f"{name}: its server does not take the new user and password;"
                " next: give them to it first, or correct the setting"
            )
    if faults := preflight.find_door_faults(chosen, running):
        raise CannotStart("\n".join(faults))
    if faults := list(preflight.find_alert_faults(chosen)):
        raise CannotStart("\n".join(faults))
    offered = sources.offer(chosen, utc_now())
    text = judge(chosen, offered)
    differing = [
        row.name for key, row in settings.rows().items() if getattr(asked, key) != getattr(chosen, key)
    ]
    return Wanted(chosen, asked, text, offered, tuple(differing), held)


def _new_credentials(held: Mapping[str, Found], asked: Mapping[str, Found]) -> dict[str, Found]:
    """Of servers outside: what differs in nothing but user and password. Another place would be a restart's:
    some programs would write here while others write there.
    """
    return {
        name: asked[name]
        for name in ("MONGODB_URI", "REDIS_URL")
        if held[name].text
        and held[name].source != "environment"  # a process keeps the one it was started with
        and held[name].text != asked[name].text
        and is_same_place(held[name].text, asked[name].text)
    }


def is_same_place(url: str | None, other: str | None) -> bool:
    """They differ in nothing but user and password."""
    return _place(url) == _place(other)


def _place(url: str | None) -> str:
    return re.sub(r"(?<=://)[^/]*@", "", url or "")


def _of(chosen: Settings, name: str) -> object:
    return next(getattr(chosen, key) for key, row in settings.rows().items() if row.name == name)


def judge(chosen: Settings, offered: Served, *, draft: str = "new") -> str:
    """nginx's configuration for it. Raises CannotStart, in nginx's own words, when it would not take both.

    Two that judge at a time name their files otherwise, by `draft`.
    """
    paths = Paths(chosen.data)
    text = rendering.nginx_text(chosen, offered.text)
    pair = paths.tls / f"offered.pem.{draft}"
    write_atomically(pair, offered.text)
    try:
        _check_nginx(paths, text.replace(f'"{paths.served}"', f'"{pair}"'), draft)
    finally:
        pair.unlink(missing_ok=True)
    return text


def fingerprint(nginx: str, certificate: bytes) -> str:
    """Changes with nginx's configuration and with the certificate that it reads."""
    return sha256(sha256(nginx.encode()).digest() + certificate).hexdigest()


class Reload(threading.Thread):
    """Of the parent, which must go on hearing signals meanwhile. It forks nothing: the parent reaps."""

    def __init__(
        self,
        paths: Paths,
        wanted: Wanted,
        served: str,
        say: Callable[[str], None],
        *,
        only: str | None = None,
    ) -> None:
        """`only` names the one program that it is about."""
        super().__init__(name="reload", daemon=True)
        self.wanted, self.served = wanted, served
        self.fault: str | None = "it ended without a word"
        """None once all is done."""
        self.touched = False
        """Whether it came as far as the first program."""
        self.cancelled = threading.Event()
        self._paths, self._say, self.only = paths, say, only
        self._control = Control(paths, self.cancelled)

    def run(self) -> None:
        try:
            self._paths.reloading.touch()
            self._replace_all()
            self.fault = None
        except Cancelled:
            self.fault = "the appliance stops; next: nothing, the next start reads all of it"
        except Exception as fault:  # a thread's end must be told, whatever it is
            self.fault = str(fault) or repr(fault)
        finally:
            with contextlib.suppress(OSError):
                self._paths.reloading.unlink(missing_ok=True)

    def _replace_all(self) -> None:
        every = self._control.programs()
        self._check_stores(every)
        found = [each for each in every if each.name not in LEFT_ALONE]
        if self.only:
            found = [each for each in found if each.name == self.only]
        wanted = [program for program in found if self._is_wanted(program)]
        apis = [program for program in wanted if program.name.startswith("api-")]
        if len(apis) == 1 and apis[0].runs:
            raise Failed(_alone(apis[0]))
        self.touched = True
        died = [program for program in wanted if program.died]
        for program in died:
            self._start_again(program)
        running = [program for program in wanted if program not in died]
        for api in (each for each in running if each in apis):
            self._replace_api(api, [each for each in apis if each != api])
        for program in running:
            if program not in apis and program.name != "nginx":
                self._restart(program)
        for program in running:
            if program.name == "nginx":
                self._reload_nginx(program)

    def _check_stores(self, every: Sequence[Program]) -> None:
        """What is started anew would wait for one that is stopped."""
        for store in (each for each in every if each.name in LEFT_ALONE and not each.runs):
            if programs.stays_off(store.name, self.wanted.settings) is None:
                next_command = f"./scripts/supervisorctl start {store.name}"
                raise Failed(f"{store.name} does not run; next: {next_command}, then reload again")

    def _is_wanted(self, program: Program) -> bool:
        """It runs, or should: it ended by itself, and nobody has told the guardian to leave it."""
        course = courses.read(self._paths).courses.get(program.name)
        if program.runs or (program.died and not (course and course.phase == Phase.LEFT)):
            return True
        self._say(f"{program.name} does not run and is left so")
        return False

    def _is_still_wanted(self, program: Program) -> bool:
        """Asked right before each step: the operator may have stopped it meanwhile."""
        return self._is_wanted(self._control.find(program.address))

    def _replace_api(self, api: Program, others: list[Program]) -> None:
        if not self._is_still_wanted(api):
            return
        doors = [self._api_socket(other) for other in others]
        self._control.until(lambda: any(map(is_ready, doors)), READY_SECONDS, _alone(api))
        path = self._api_socket(api)
        path.unlink(missing_ok=True)
        try:
            self._control.until(lambda: connections(path) == 0, DRAIN_SECONDS, "")
        except Failed:
            self._say(f"{api.name} still answers after {DRAIN_SECONDS:.0f} s and is stopped")
        self._restart(api)

    def _restart(self, program: Program) -> None:
        if self._is_still_wanted(program):
            self._control.stop(program)
            self._start(program)

    def _start_again(self, program: Program) -> None:
        if self._is_still_wanted(program):
            self._start(program)

    def _start(self, program: Program) -> None:
        """And wait until it works, so has read its settings."""
        before = _touched(self._paths.beat(program.name))
        self._control.start(program)
        self._control.until(
            lambda: self._works(program, before),
            READY_SECONDS,
            f"{program.name} was started, but is not ready; next: ./scripts/appliance logs {program.name}",
        )
        self._say(f"{program.name} runs anew")

    def _works(self, program: Program, before: int) -> bool:
        runs = self._control.runs(program)
        if program.name.startswith("api-"):
            return runs and is_ready(self._api_socket(program))
        if program.name == "worker-ai" and not llama_install.is_ready():
            return runs  # it waits, for how long nobody can say
        if program.name in BEATING:
            return runs and _touched(self._paths.beat(program.name)) != before
        return runs

    def _api_socket(self, api: Program) -> Path:
        return self._paths.api_socket(int(api.name.removeprefix("api-")))

    def _reload_nginx(self, nginx: Program) -> None:
        if not self._is_still_wanted(nginx):
            return
        served = fingerprint(self.wanted.nginx, self.wanted.certificate.text)
        if served == self.served:
            self._say("nginx stays: neither its settings nor a certificate have changed")
            return
        self._paths.closing.touch()
        try:
            if self.cancelled.wait(CLOSE_SECONDS):
                raise Cancelled
            self._renew_nginx(nginx)
        finally:
            self._paths.closing.unlink(missing_ok=True)
        self.served = served
        self._say("nginx has its new settings and certificate")

    def _renew_nginx(self, nginx: Program) -> None:
        config = self._paths.run / "nginx.conf"
        before, workers = config.read_text(), processes.children(nginx.pid)
        certificate = self._paths.served.read_bytes()
        write_durably(self._paths.served, self.wanted.certificate.text)
        write_atomically(config, self.wanted.nginx)
        self._control.signal(nginx, "HUP")
        try:
            self._control.until(lambda: bool(processes.children(nginx.pid) - workers), HUP_SECONDS, "")
        except Failed:
            write_durably(self._paths.served, certificate)
            write_atomically(config, before)  # it is what others learn the doors from
            raise Failed("nginx does not take its settings; next: ./scripts/appliance logs nginx") from None
        self._control.until(lambda: all(map(_quits, workers)), HUP_SECONDS, "nginx keeps its old workers")


def connections(path: Path) -> int:
    """How many are open to the socket that was bound to the path, accepted yet or not."""
    rows = [line.split(maxsplit=7) for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return sum(row[7:] == [str(path)] and not int(row[3], 16) & _LISTENS for row in rows)


def _alone(api: Program) -> str:
    return (
        f"no other API than {api.name} is ready, so requests would fail;"
        " next: ./scripts/supervisorctl start 'api:*', then reload again"
    )


def _touched(beat: Path) -> int:
    try:
        return beat.stat().st_mtime_ns
    except OSError:
        return 0


def is_ready(path: Path) -> bool:
    """Whether the API on this socket says so."""
    connection = http.client.HTTPConnection("localhost", timeout=5)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.sock.settimeout(5)
        connection.sock.connect(str(path))
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _check_nginx(paths: Paths, text: str, draft: str) -> None:
    config = paths.run / f"nginx.conf.{draft}"
    write_atomically(config, text)
    command = [launch.which("nginx"), "-t", "-q", "-e", "stderr", "-p", str(paths.run), "-c", str(config)]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        raise CannotStart("nginx -t did not end within 30 s; next: try again") from None
    finally:
        config.unlink(missing_ok=True)
    if told.returncode != 0:
        words = " ".join(told.stderr.split())
        mend = "./scripts/appliance config diff says what was changed; correct it, then reload again"
        raise CannotStart(f"nginx refuses what is made of the settings: {words}; next: {mend}")


def _quits(worker: int) -> bool:
    """Whether it is gone, or keeps no connection any more: nginx says so in its title."""
    try:
        title = Path(f"/proc/{worker}/cmdline").read_bytes()
    except OSError:
        return True
    return not title or b"shutting down" in title
