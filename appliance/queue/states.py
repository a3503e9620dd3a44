"""The life of a task.

    enqueue ─────────────► queued ──claim──► running ──completed──► completed   (kept 1 h)
        │                   ▲ ▲ ▲              │ │ │
        └─(due later)► scheduled│              │ │ └──failed──────► failed      (then a dead letter)
                            │ │ └──given back──┘ │
                            │ └────crash (1st)───┤  lease expired, worker died
                            └─(due)─ retrying ◄──┘  an error, or a crash again; the 4th crash: failed

    cancel: queued, scheduled, retrying ─► cancelled at once
            running ─► marked: its worker ends it as cancelled, and so does all that would have it run again
    purge:  queued ─► cancelled
    replay: failed, cancelled ─► enqueue, everything from the start, under a higher replay number than it had

Each arrow is one Lua script, so nothing is ever between two states. A queue is served in the order of
arrival, those that somebody waits for before those that nobody does; what was given back, or crashed for
the first time, goes before the others. `attempts` counts
claims that were not given back, `retries` the errors that were retried and count, `crashes` the workers
that died since the task came further than ever (`furthest`, by its reports). Reports of progress (each
attempt begins without), beats, pausing a queue and settling change no state. Only the
holder of the newest fence may commit, once; said again, it is told that it was done.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["queued", "scheduled", "running", "retrying", "completed", "failed", "cancelled"]
Outcome = Literal["completed", "failed", "cancelled", "retrying", "queued"]
"""What a worker says of an attempt; `queued` gives the task back."""


class Verdict(NamedTuple):
    """What became of an attempt."""

    outcome: Outcome
    result: bytes = b"null"
    """JSON."""
    error: str = ""
    due: float = 0
    """Unix seconds of the next attempt, for `retrying`."""
    counts: bool = True
    """Whether a retry is one of those that the task has."""
