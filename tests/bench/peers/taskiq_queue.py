"""Taskiq on the same tasks, over its Redis stream, which acknowledges.

`taskiq worker --workers 1 tests.bench.peers.taskiq_queue:broker`. Results are not stored.
"""

from __future__ import annotations

import asyncio
from typing import Any

from taskiq_redis import RedisStreamBroker

from tests.bench.peers import queue_work

broker = RedisStreamBroker(url=f"unix://{queue_work.SOCKET}")
TASKS = {
    function.__name__: broker.task(task_name=function.__name__)(function)
    for function in (queue_work.noop, queue_work.mark, queue_work.start, queue_work.stall)
}


def main() -> None:
    with asyncio.Runner() as runner:
        runner.run(broker.startup())  # makes the group, so that what comes before a worker is kept

        def send(name: str, *arguments: Any) -> None:
            async def kick() -> None:
                await TASKS[name].kiq(*arguments)

            runner.run(kick())

        queue_work.drive(send)
        runner.run(broker.shutdown())


if __name__ == "__main__":
    main()
