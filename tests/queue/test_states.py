"""Any order of steps: the scripts on a real Redis beside the drawing of `states`, compared after each."""

from __future__ import annotations

import functools
import os
from typing import Any

import hypothesis
from hypothesis.stateful import run_state_machine_as_test

from tests.queue.conftest import Engine
from tests.queue.machine import Machine

EXAMPLES = int(os.environ.get("STATES_EXAMPLES", "100"))
"""Orders that are tried, of 40 steps each; a night may have more."""


def test_the_scripts_do_what_the_drawing_says(engine: Engine) -> None:
    made: Any = functools.partial(Machine, engine)
    bounds = hypothesis.settings(
        max_examples=EXAMPLES, stateful_step_count=40, deadline=None, database=None,
        phases=[hypothesis.Phase.generate],  # add `shrink` to see the shortest way to what it found
    )  # fmt: skip
    run_state_machine_as_test(made, settings=bounds)
