"""Children that do what may take any time or memory: a question in, an answer out, then they end.

A child limits its own memory and CPU (`hold_down`), so whatever it is given, it ends; whoever waits for it
decides how long. Its environment holds nothing that is secret.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from asyncio.subprocess import PIPE

from appliance import logs, processes
from appliance.errors import TooMany, Unavailable

_AGAIN = 2
"""Seconds after which whoever found no slot may ask again."""

log = logs.get(__name__)


async def ask(module: str, question: bytes) -> bytes | None:
    """What the child writes; None when it did not get to an answer. Cancelled, the child is killed."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", module, str(os.getpid()),
        stdin=PIPE, stdout=PIPE, stderr=asyncio.subprocess.DEVNULL, env=_environ(),
    )  # fmt: skip
    try:
        answer, _ = await child.communicate(question)
    finally:
        if child.returncode is None:
            child.kill()
            await asyncio.shield(child.wait())
    if child.returncode != 0:
        log.info("a child had too much to do", extra={"child": module, "exit": child.returncode})
        return None
    return answer


def hold_down(parent: int, memory: int, cpu_seconds: int) -> None:
    """For the child itself, first of all: bytes of address space, and seconds."""
    processes.die_with_parent(signal.SIGKILL, parent)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(10)
    processes.raise_oom_score(1000)  # it, and not the program that started it, ends when their memory does


class Turn:
    """One of the slots, waited for at most `patience` seconds. Raises Unavailable, or what is given, saying
    `busy`."""

    def __init__(
        self,
        slots: asyncio.Semaphore,
        patience: float,
        busy: str,
        problem: type[Unavailable | TooMany] = Unavailable,
    ) -> None:
        self._slots, self._patience, self._busy, self._problem = slots, patience, busy, problem

    async def __aenter__(self) -> None:
        try:
            await asyncio.wait_for(self._slots.acquire(), self._patience)
        except TimeoutError:
            raise self._problem(self._busy, retry_after=_AGAIN) from None

    async def __aexit__(self, *_: object) -> None:
        self._slots.release()


def _environ() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
