"""The process that answers searches by meaning: one of worker-high's, beside those that run tasks.

Once there are vectors, it holds their model and the map of their file, so that no other process needs to. It
answers one search after the other (`ai.search_socket`). Killed, it is replaced by its pool, and asked again;
one that does not show life between two answers is killed. An answer takes a look at each record of the file:
154 MB of vectors for 100,000 responses, in some 15 ms of one core.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import signal
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from appliance import llama_install, logs
from appliance.addresses import Paths
from appliance.ai.engine import ModelFault, Vectors
from appliance.ai.search_socket import LONGEST, Asked, Found
from appliance.queue.pulse import Pulse
from appliance.services import ai_models, vector_place
from appliance.settings import Settings

if TYPE_CHECKING:
    from appliance.ai.models import Models
    from appliance.ai.vectors import Index

_KEPT = 256
"""Vectors of queries that are kept: who looks on changes a filter more often than the words."""
_LOOK = 10.0
"""Seconds between two looks at what is idle."""

_BEAT = 1.0
"""Seconds between two signs of life."""
_LOADING = 120.0
"""Seconds that it may take to load the model and take in the file, on a disk and cores that are busy."""

log = logs.get(__name__)


def serve(asked: Settings, pulse: Pulse) -> None:
    """Until SIGTERM or SIGINT. Call in a process that has not loaded NumPy yet."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # one core is as fast: it waits for the memory
    asyncio.run(_serve(Searcher(asked, pulse), asked, pulse))


async def _serve(searcher: Searcher, asked: Settings, pulse: Pulse) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            question = msgspec.json.decode(await reader.readline(), type=Asked)
            writer.write(msgspec.json.encode(searcher.answer(question)) + b"\n")
            await writer.drain()
        except (OSError, ValueError) as fault:  # they have hung up
            log.info("a search was not answered", extra={"error": str(fault)[:200]})
        finally:
            writer.close()

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # nobody waits for what is loading
    searcher.warm()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    path = Paths(asked.data).search_socket
    server = await asyncio.start_unix_server(answer, path, limit=LONGEST)
    next_look = time.monotonic() + _LOOK
    while not stopped.is_set():
        pulse.beat()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), _BEAT)
        if time.monotonic() >= next_look:
            next_look = time.monotonic() + _LOOK
            searcher.rest()
    server.close()
    path.unlink(missing_ok=True)  # else the next start tells of a stale socket after a clean stop


class Searcher:
    def __init__(self, asked: Settings, pulse: Pulse) -> None:
        self._asked, self._pulse = asked, pulse
        self._place: vector_place.Place | None = None
        self._models: Models | None = None
        self._index: Index | None = None
        self._queries: OrderedDict[str, Vectors] = OrderedDict()

    def answer(self, question: Asked) -> Found:
        if self._index is None or self._models is None or not self._models.loaded:
            self._pulse.promise(_LOADING)
        try:
            return self._search(question)
        except (ModelFault, ImportError) as fault:
            log.warning("the model for vectors cannot be used", extra={"error": str(fault)})
            return Found(fault=str(fault))
        except (ValueError, IndexError) as fault:  # what the map shows was changed after it was looked at
            log.warning("the file of vectors is damaged", extra={"error": str(fault)})
            broken, self._index = self._index, None
            return Found(inode=broken.inode if broken else 0)

    def warm(self) -> None:
        """Load the model, and take in the file, which takes a second for 100,000 responses, before somebody
        waits for it. Does nothing where no file is there yet.
        """
        if self._index is not None or not llama_install.is_ready():
            return
        try:
            if (place := vector_place.find(self._asked)) is not None and place.path.is_file():
                self._pulse.promise(_LOADING)
                self._open()
                self._load().embed(["warm"])
        except (ModelFault, ImportError, OSError) as fault:
            log.warning("search by meaning is not ready", extra={"error": str(fault)})

    def rest(self) -> None:
        """Call from time to time: a file that has come is taken in, a model that nobody needs is unloaded."""
        self.warm()
        if self._models and self._models.loaded and self._models.idle() > 60 * self._asked.ai_idle_minutes:
            self._models.close()

    def _search(self, question: Asked) -> Found:
        if self._index is None and not self._find().path.is_file():
            return Found()  # nothing is embedded yet, so there is nothing to load for it
        index = self._open()
        hits = index.search(
            self._vector(question.query),
            question.limit,
            form_id=question.form_id,
            since=_moment(question.since),
            until=_moment(question.until),
            among=question.among,
        )
        found = [(hit.response_id, hit.score) for hit in hits]
        return Found(found, inode=index.inode, sound=index.sound)

    def _find(self) -> vector_place.Place:
        """What it was when it was first found: another model is used from the next `reload` on."""
        self._place = self._place or vector_place.get(self._asked)
        return self._place

    def _open(self) -> Index:
        from appliance.ai.vectors import Index

        if self._index is None:
            place = self._find()
            self._index = Index(place.path, place.dimensions)
        return self._index

    def _vector(self, query: str) -> Vectors:
        if query in self._queries:
            self._queries.move_to_end(query)
        else:
            self._queries[query] = self._load().embed([query])[0]
            if len(self._queries) > _KEPT:
                self._queries.popitem(last=False)
        return self._queries[query]

    def _load(self) -> Models:
        if self._models is None:
            from appliance.ai.chosen import Chosen
            from appliance.ai.models import Models

            llama_install.use()
            given = ai_models.chosen(self._asked)
            self._models = Models(Chosen(None, self._find().model, given.context, given.memory, threads=1))
        return self._models


def _moment(seconds: float | None) -> dt.datetime | None:
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)
