"""The composition root: settings → stores → services → Litestar. Granian loads it by `serve`."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator
from types import FrameType

from litestar import Litestar
from litestar.types import ASGIApp

from appliance import known_secrets, logs, processes, settings
from appliance.addresses import Paths
from appliance.api import document, problems
from appliance.api.cors import Cors
from appliance.api.edge import Edge
from appliance.api.guards import known_parameters, room_to_write
from appliance.api.lane import Lane
from appliance.api.requests import ApiRequest
from appliance.api.routes import (
    ai,
    alerts,
    analytics,
    api_keys,
    audit,
    auth,
    dead_letters,
    exports,
    files,
    form_pages,
    forms,
    health,
    metrics,
    partials,
    queues,
    responses,
    subjects,
    system,
    system_backups,
    tasks,
    users,
    webhooks,
)
from appliance.metrics import counts
from appliance.services import forms as service_forms
from appliance.services import readiness
from appliance.services.callers import Callers
from appliance.services.context import Context, open_context
from appliance.web import routes as pages

BODY_LIMIT = 1024 * 1024
"""Bytes of a JSON body at most; nginx refuses more before it comes here."""
_LOOK = 0.1
"""Seconds between two looks for our own socket."""


def create_app() -> ASGIApp:
    """The ASGI application. Raises SettingError."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:  # Granian's main, which may be killed
        processes.die_with_parent(signal.SIGKILL, parent.pid)
    asked = settings.load()
    if program := os.environ.get("APPLIANCE_PROGRAM"):  # else by hand, for nobody's numbers
        counts.keep_in(Paths(asked.data).counts, program)
    app = create_litestar(asked)

    async def form_origins(form_id: str) -> frozenset[str]:
        return await service_forms.origins(app.state.context, form_id)

    def leaves() -> bool:
        return bool(app.state.context.stopping)

    return Edge(Cors(Lane(app), asked.cors_origins, form_origins), leaves)


def create_litestar(asked: settings.Settings) -> Litestar:
    logs.configure(asked.log_level)
    logs.hide(known_secrets.finder(asked))

    @contextlib.asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        context = open_context(asked)
        app.state.context = context
        app.state.callers = Callers(context)
        context.writer.start()
        context.sender.start()
        preparing = asyncio.create_task(readiness.prepare(context), name="prepare")
        leaving = asyncio.create_task(_leave_when_taken_away(context), name="leave")
        processes.spare_the_collector()
        _tell_of_the_end(context)
        try:
            yield
        finally:
            for task in (preparing, leaving):
                task.cancel()
            await asyncio.gather(preparing, leaving, return_exceptions=True)
            await context.close()

    return Litestar(
        route_handlers=[
            health.healthz,
            health.readyz,
            auth.router,
            users.router,
            api_keys.router,
            audit.router,
            forms.router,
            responses.router,
            files.router,
            partials.router,
            exports.router,
            subjects.router,
            tasks.router,
            queues.router,
            dead_letters.router,
            system.router,
            system_backups.router,
            webhooks.router,
            ai.router,
            analytics.router,
            metrics.router,
            alerts.router,
            alerts.inner,
            form_pages.router,
            *pages.handlers,
        ],
        lifespan=[lifespan],
        request_class=ApiRequest,
        guards=[known_parameters, room_to_write],
        exception_handlers=problems.HANDLERS,
        request_max_body_size=BODY_LIMIT,
        openapi_config=document.config(),
        logging_config=None,
        debug=False,
    )


async def _leave_when_taken_away(context: Context) -> None:
    """A reload takes our socket away first: then nobody new comes, and who is here is sent off (`Edge`)."""
    program = os.environ.get("APPLIANCE_PROGRAM", "")
    if not program.startswith("api-"):
        return  # by hand
    path = Paths(context.settings.data).api_socket(int(program.removeprefix("api-")))
    while path.exists():
        counts.look_after()
        await asyncio.sleep(_LOOK)
    context.stopping = True


def _tell_of_the_end(context: Context) -> None:
    """Granian waits for open streams before it tells the application to end, so we listen to its signal too.

    The event loop learns of signals by their wakeup descriptor: a handler of Python's own takes it nothing.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        context.stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
        signal.siginterrupt(number, False)
