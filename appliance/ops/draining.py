"""Queues that a drain has paused: those that `maintenance off` lets go on, and no others."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from appliance.addresses import Paths
from appliance.disk import write_durably

if TYPE_CHECKING:
    from appliance.services.context import Context


def paused(paths: Paths) -> list[str]:
    try:
        told = json.loads(paths.drained.read_text())
    except (OSError, ValueError):
        return []
    return [str(name) for name in told] if isinstance(told, list) else []


def note(paths: Paths, queues: Iterable[str]) -> None:
    """Before they are paused: killed in between, one that was open is resumed, which harms nobody. Raises
    OSError.
    """
    write_durably(paths.drained, json.dumps(sorted({*paused(paths), *queues})))


def resume(paths: Paths) -> None:
    """Raises CannotStart; the same again goes on."""
    from appliance.ops import inside
    from appliance.services import queues

    async def all_of_them(context: Context) -> None:
        for name in paused(paths):
            await queues.set_paused(context, None, name, paused=False)

    inside.run(all_of_them)
    paths.drained.unlink(missing_ok=True)
