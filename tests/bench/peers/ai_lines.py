"""How a side of `scripts/bench ai` is spoken to: a question a line in, an answer a line out, both JSON.

The first line out says that the model is loaded. Standard library only: peers have no appliance.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol


class Side(Protocol):
    def score(self, prefix: str, rests: list[str], labels: list[str]) -> list[list[float]]:
        """A row for each rest: of each label the logarithm of its probability after `prefix + rest`."""
        ...

    def generate(self, prompt: str, most: int) -> list[float]:
        """When each token of the likeliest continuation was there, in seconds of `time.monotonic`."""
        ...


def serve(load: Callable[[], Side]) -> None:
    """Until there are no more questions."""
    started = time.monotonic()
    side = load()
    _say({"load": time.monotonic() - started})
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        started, cpu = time.monotonic(), time.process_time()
        if "rests" in asked:
            found: dict[str, Any] = {"scores": side.score(**asked)}
        else:
            found = {"times": [at - started for at in side.generate(**asked)]}
        _say(found | {"seconds": time.monotonic() - started, "cpu": time.process_time() - cpu})


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)
