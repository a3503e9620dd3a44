"""The life of a task.

    enqueue ─────────────► queued ──claim──► running ──completed──► completed   (kept 1 h)
        │                   ▲ ▲ ▲              │ │ │
        └─(due later)► scheduled│              │ │ └──failed──────► failed      (then a dead letter)
                            │ │ └──given back──┘ │
                            │ └────crash (1st)───┤  lease expired, worker died
                            └─(due)─ retrying ◄──┘  an error, or a crash again

    cancel: queued, scheduled, retrying ─► cancelled at once; running ─► cancelled by its worker

Each arrow is one Lua script, so nothing is ever between two states. `attempts` counts claims that were not
given back, `retries` the errors that were retried, `crashes` the workers that died.
"""

from __future__ import annotations

from typing import Literal

State = Literal["queued", "scheduled", "running", "retrying", "completed", "failed", "cancelled"]
Outcome = Literal["completed", "failed", "cancelled", "retrying", "queued"]
"""What a worker says of an attempt; `queued` gives the task back."""
