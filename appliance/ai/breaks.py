"""How a signal ends what llama.cpp is in the middle of.

Python runs its handlers between two of its own instructions, so never while llama.cpp works, and that may
be minutes for a long prompt. llama.cpp asks, between two steps of a graph, a C function whether to go on.
Asked in Python that would cost several percent of each token, there are a thousand steps in one; so it
asks strlen(3) how long a text is that is empty, until a thread that waits for signals has put a letter
there. The handlers then run as ever, and raise what they raise.
"""

from __future__ import annotations

import ctypes
import signal
import socket
import threading
from collections.abc import Sequence

_libc = ctypes.CDLL(None)
_STRLEN = ctypes.cast(_libc.strlen, ctypes.c_void_p)


class Breaks:
    """One a process, made in its main thread. Whoever else sets a wakeup descriptor takes it from us."""

    function = _STRLEN
    """For llama.cpp: true when it is to stop, given `asked`."""

    def __init__(
        self, signals: Sequence[signal.Signals] = (signal.SIGALRM, signal.SIGUSR1, signal.SIGTERM)
    ) -> None:
        self._text = ctypes.create_string_buffer(2)
        self._signals = frozenset(signals)
        self._heard, heard = socket.socketpair()
        heard.setblocking(False)
        self._kept = heard
        signal.set_wakeup_fd(heard.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._listen, name="breaks", daemon=True).start()

    @property
    def asked(self) -> ctypes.c_void_p:
        return ctypes.cast(self._text, ctypes.c_void_p)

    def begin(self) -> None:
        """Before each call: what was asked for by then has been heard by the handlers."""
        self._text[0] = b"\0"

    def _listen(self) -> None:
        while numbers := self._heard.recv(64):
            if self._signals.intersection(numbers):
                self._text[0] = b"x"
