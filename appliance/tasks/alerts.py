"""What the guardian left to tell: each file of run/alerts becomes an `alert.fired` event, and is removed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pymongo
from pymongo.errors import PyMongoError

from appliance import logs
from appliance.addresses import Paths
from appliance.clock import parse_rfc3339
from appliance.errors import Problem
from appliance.services import alerts
from appliance.services.context import Context, open_context
from appliance.settings import Settings

SECONDS = 10
"""That the database has for one; a transaction would be tried again for two minutes."""

log = logs.get(__name__)


def run(asked: Settings) -> int:
    """0 when all are told, 1 when some have to wait: their files stay."""
    return asyncio.run(_run(asked, sorted(Paths(asked.data).alerts.glob("*.json"))))


async def _run(asked: Settings, waiting: list[Path]) -> int:
    context = open_context(asked)
    try:
        for path in waiting:
            with pymongo.timeout(SECONDS):
                await _tell(context, path)
    except (PyMongoError, OSError, Problem) as fault:
        log.warning("alerts wait", extra={"error": str(fault)[:200]})
        return 1
    finally:
        await context.close()
    return 0


async def _tell(context: Context, path: Path) -> None:
    """Dying before the file is removed tells it again, and that changes nothing."""
    kept = msgspec.json.decode(path.read_bytes())  # noqa: ASYNC240 (nobody else runs here)
    await alerts.fire(context, kept["id"], parse_rfc3339(kept["at"]), kept["data"])
    path.unlink()  # noqa: ASYNC240
    log.info("told", extra={"alert": kept["id"]})
