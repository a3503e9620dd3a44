"""Stock Huey on the same tasks: `huey_consumer tests.bench.peers.huey_queue.huey -w 1 -k process`."""

from __future__ import annotations

from huey import RedisHuey

from tests.bench.peers import queue_work

huey = RedisHuey("bench", url=f"unix://{queue_work.SOCKET}")
TASKS = {
    function.__name__: huey.task()(function)
    for function in (queue_work.noop, queue_work.mark, queue_work.start, queue_work.stall)
}

if __name__ == "__main__":
    queue_work.drive(lambda name, *arguments: TASKS[name](*arguments))
