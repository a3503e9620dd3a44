"""What HTTPS is served with, settled at a start and looked after while the appliance runs.

A certificate that was replaced on disk is taken up by itself: it is judged once its files have kept still
for one look, then nginx is given it as by a reload. One that cannot be used changes nothing, and is told: by
the parent, `doctor`, `status` and a metric.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from appliance.addresses import Paths
from appliance.clock import Clock, utc_now
from appliance.disk import write_durably
from appliance.errors import CannotStart
from appliance.runtime import certificate
from appliance.settings import Settings
from appliance.tls import distant, record, sources
from appliance.tls.pairs import BadPair, NoAnswer
from appliance.tls.sources import Served

EVERY = 5.0
"""Seconds from look to look."""
_LOOK_SECONDS = 1.0
"""That the parent waits for the operator's files: it has signals to hear."""
_SILENT = "no answer"
_Signature = tuple[object, ...]


def settle(settings: Settings, *, clock: Clock = utc_now) -> list[str]:
    """At a start: tls/served.pem is there, and as new as can be. What was done, a line each.

    Raises CannotStart when the certificate that is asked for cannot be used, and none of its kind was served
    before.
    """
    paths, said = Paths(settings.data), []
    _sweep(paths)
    if reason := certificate.ensure(paths, clock=clock):
        said.append(f"made a self-signed certificate ({reason})")
    held = sources.read(paths)
    try:
        offered = sources.offer(settings, clock())
    except BadPair as fault:
        kind = sources.find(settings).kind
        if kind == "files" and (held is None or held.kind != kind):
            raise
        record.keep(paths, str(fault))
        said.append(f"the certificate of before is served: {fault}")
        if held is None:  # of ACME, and damaged: until there is another one
            put(paths, _self_signed(settings, clock))
        return said
    if held is None or held.text != offered.text:
        put(paths, offered)
        if offered.kind != "self-signed":
            said.append(f"serves {describe(offered)}")
    record.keep(paths, None)
    return said


def put(paths: Paths, offered: Served) -> None:
    write_durably(paths.served, offered.text)


def describe(served: Served) -> str:
    """`the certificate of forms.example.org, until 2026-03-01`."""
    names = ", ".join(served.pair.names[:3]) or "nobody"
    return f"the certificate of {names}, until {served.pair.ends:%Y-%m-%d}"


def _self_signed(settings: Settings, clock: Clock) -> Served:
    return sources.offer(replace(settings, tls_certificate=None, tls_key=None, acme_domains=()), clock())


def _sweep(paths: Paths) -> None:
    """Drafts of those that were killed an hour ago or more: there may be keys in them."""
    before = time.time() - 3600
    for pattern in (".judged-*", ".*.tmp", "offered.pem*"):
        for path in paths.tls.glob(pattern):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()


class Renewing(Protocol):
    """Of the parent: what holds now, whether a reload runs, and nginx alone reloaded."""

    settings: Settings

    @property
    def busy(self) -> bool: ...

    def renew(self, offered: Served) -> None: ...


class Watch:
    """The parent's eye on the files that the certificate comes from."""

    def __init__(
        self, paths: Paths, reloads: Renewing, say: Callable[[str], None], *, clock: Clock = utc_now
    ) -> None:
        self._paths, self._reloads, self._say, self._clock = paths, reloads, say, clock
        self._next = 0.0
        self._seen: _Signature | None = None
        self._judged: _Signature | None = None

    def look(self, now: float) -> None:
        """Every 5 s; a call before that does nothing, nor one while a reload runs."""
        if now < self._next or self._reloads.busy:
            return
        self._next = now + EVERY
        signature = self._signature()
        # Two files that are replaced one after the other do not belong together for a moment.
        if signature == self._seen and signature != self._judged:
            with contextlib.suppress(OSError):  # a full disk: the next look tries again
                # Files that answer a look and are not read in time are read again.
                if self._judge() or signature[-1] == _SILENT:
                    self._judged = signature
        self._seen = signature

    def _judge(self) -> bool:
        """Whether it was read, and so was judged."""
        settings = self._reloads.settings
        try:
            if reason := certificate.ensure(self._paths, clock=self._clock):
                self._say(f"made a self-signed certificate ({reason})")
            offered = sources.offer(settings, self._clock())
            held = sources.read(self._paths)
            if held is None or held.text != offered.text:
                self._reloads.renew(offered)
        except CannotStart as fault:
            if record.find(self._paths) != str(fault):
                self._say(f"the certificate of before goes on being served: {fault}")
            record.keep(self._paths, str(fault))
            return not isinstance(fault, NoAnswer)
        record.keep(self._paths, None)
        return True

    def _signature(self) -> _Signature:
        """Changes with the files, and once a day: the self-signed one is made anew in time."""
        settings, paths = self._reloads.settings, self._paths
        ours = (paths.acme_certificate, paths.certificate, paths.certificate_key, paths.served)
        stamps = [distant.see(path, read=False) for path in ours]
        return (self._clock().date(), *stamps, *_theirs(settings))


def _theirs(settings: Settings) -> _Signature:
    """Of the operator's files, by a child; through links, of which certbot's live/ is made."""
    files = [path for path in (settings.tls_certificate, settings.tls_key) if path]
    if not files:
        return ()
    try:
        return tuple(distant.look(files, seconds=_LOOK_SECONDS))
    except OSError:  # no answer in time, too
        return (_SILENT,)
