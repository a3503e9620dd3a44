"""Celery on the same tasks, told to lose nothing: late acknowledgement, no prefetch, back when it dies.

`celery -A tests.bench.peers.celery_queue worker --pool prefork --concurrency 1`. Results are not stored.
"""

from __future__ import annotations

from celery import Celery

from tests.bench.peers import queue_work

app = Celery("bench", broker=f"redis+socket://{queue_work.SOCKET}")
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
)
TASKS = {
    function.__name__: app.task(function, name=function.__name__)
    for function in (queue_work.noop, queue_work.mark, queue_work.start, queue_work.stall)
}

if __name__ == "__main__":
    queue_work.drive(lambda name, *arguments: TASKS[name].delay(*arguments))
