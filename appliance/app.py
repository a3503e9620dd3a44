"""The composition root: settings → stores → services → Litestar. Granian loads `create_app`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import signal
from collections.abc import AsyncIterator

from litestar import Litestar
from litestar.types import ASGIApp

from appliance import logs, processes, settings
from appliance.api import document, problems
from appliance.api.cors import Cors
from appliance.api.edge import Edge
from appliance.api.guards import known_parameters, room_to_write
from appliance.api.lane import Lane
from appliance.api.requests import ApiRequest
from appliance.api.routes import api_keys, audit, auth, forms, health, responses, users
from appliance.services import forms as service_forms
from appliance.services import readiness
from appliance.services.callers import Callers
from appliance.services.context import open_context
from appliance.web import routes as pages

BODY_LIMIT = 1024 * 1024
"""Bytes of a JSON body at most; nginx refuses more before it comes here."""


def create_app() -> ASGIApp:
    """The ASGI application. Raises SettingError."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:  # Granian's main, which may be killed
        processes.die_with_parent(signal.SIGKILL, parent.pid)
    asked = settings.load()
    app = create_litestar(asked)

    async def form_origins(form_id: str) -> frozenset[str]:
        return await service_forms.origins(app.state.context, form_id)

    return Edge(Cors(Lane(app), asked.cors_origins, form_origins))


def create_litestar(asked: settings.Settings) -> Litestar:
    logs.configure(asked.log_level)

    @contextlib.asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        context = open_context(asked)
        app.state.context = context
        app.state.callers = Callers(context)
        context.writer.start()
        context.sender.start()
        preparing = asyncio.create_task(readiness.prepare(context), name="prepare")
        _spare_the_collector()
        try:
            yield
        finally:
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)
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


def _spare_the_collector() -> None:
    """What stands after the start stays: walking it again and again was a tenth of the CPU of a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
