"""Landlock (landlock(7)): a process gives up rights over files, the network and others for good.

Linux has it from 5.13 on, unless it was built or started without; containers may forbid the calls. It needs
no right and no other user.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every architecture
_PR_SET_NO_NEW_PRIVS: Final = 38
_READ_FILE, _LIST = 0b101, 0b1000
"""Execute and read a file; list a folder."""
_FILES: Final = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many kinds of access to files each version of Landlock knows; later ones one more."""
_TCP, _OTHERS = 0b11, 0b11
"""Bind and connect; sockets without a name and signals to others."""
_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """Of the kernel's Landlock; 0 where there is none."""
    return max(0, int(_libc.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))))


def only_read(places: Iterable[Path]) -> bool:
    """From here on this thread, and those that it starts, can read these files and what is below these
    folders, and do nothing else with files, nor speak TCP. False where there is no Landlock. Raises OSError.
    """
    known = version()
    if not known:
        return False
    kinds = (1 << _FILES.get(known, 16)) - 1
    about = struct.pack("QQQ", kinds, _TCP if known >= 4 else 0, _OTHERS if known >= 6 else 0)
    rules = _done(_libc.syscall(_CREATE, about, ctypes.c_size_t(len(about)), ctypes.c_uint32(0)))
    try:
        for place in places:
            with contextlib.suppress(FileNotFoundError):
                _allow(rules, place)
        _done(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _done(_libc.syscall(_RESTRICT, rules, ctypes.c_uint32(0)))
    finally:
        os.close(rules)
    return True


def _allow(rules: int, path: Path) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        kinds = _READ_FILE | (_LIST if stat.S_ISDIR(os.fstat(place).st_mode) else 0)
        beneath = struct.pack("=Qi", kinds, place)
        _done(_libc.syscall(_ADD, rules, ctypes.c_int(1), beneath, ctypes.c_uint32(0)))
    finally:
        os.close(place)


def _done(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
