"""One connection to Redis, used by one process for one thing at a time.

The client of redis-py looks after pools, retries and telemetry at each call, which costs a worker more than
the engine itself (190 µs a call against 44 here), and it sends again what may have been done. All this needs
of it is the connection. After any failure, also an interrupt that broke into a call, that is closed, so that
no answer is taken for another one's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, ResponseError
from redis.retry import Retry

Meanwhile = Callable[[], None]


class Script(Protocol):
    """A Lua script that Redis runs."""

    def __call__(self, args: Sequence[Any], meanwhile: Meanwhile | None = None) -> Any: ...


class Line:
    """Connects at the first call, and again after a failure. Every call raises RedisError or OSError."""

    def __init__(self, redis: Redis) -> None:
        self._pool = redis.connection_pool
        self._connection: Any = None

    def call(self, *command: Any, meanwhile: Meanwhile | None = None) -> Any:
        """The answer to one command. `meanwhile` is called while Redis is at work."""
        if self._connection is None:
            self._connection = self._pool.make_connection()
            self._connection.retry = Retry(NoBackoff(), 0)  # whoever calls decides what to do again
        connection, is_whole = self._connection, False
        try:
            connection.send_command(*command, check_health=False)
            if meanwhile is not None:
                meanwhile()
            answer = connection.read_response()
            is_whole = True
        except ResponseError:
            is_whole = True
            raise
        finally:
            if not is_whole:
                connection.disconnect()
        return answer

    def script(self, text: str) -> Script:
        """Call it with its arguments. Redis keeps the text until it restarts; then it is sent again."""
        digest = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 (Redis' own name for it)

        def run(args: Sequence[Any], meanwhile: Meanwhile | None = None) -> Any:
            try:
                return self.call("EVALSHA", digest, 0, *args, meanwhile=meanwhile)
            except NoScriptError:
                return self.call("EVAL", text, 0, *args)

        return run
