"""The application: all rooms, one desk, one form of errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from producer.web import problems
from producer.web.api import (
    callbacks,
    campaign_upload,
    campaigns,
    doors,
    enqueue,
    health,
    lookups,
    messages,
    openapi,
    pushes,
)
from producer.web.api.authentication import Keyring
from producer.web.body_limits import Bounded
from producer.web.context import AppContext
from producer.web.pages import site as pages
from worker.config.settings import Settings

#: Every room; each has a `router`.
ROOMS = (messages, campaign_upload, campaigns, lookups, callbacks, pushes, health)


def create(settings: Settings) -> FastAPI:
    """Return the application of a configuration; nothing is connected before it is started."""
    desk = AppContext(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        desk.close()

    # What OpenTelemetry is told holds paths and bodies, and these hold tokens, numbers and texts.
    app = FastAPI(
        title="Xinshi",
        version="1",
        summary="Text messages through Chinese SMS gateways: never lost, never doubled.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        separate_input_output_schemas=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.context, app.state.keyring = desk, Keyring()
    app.add_middleware(Bounded, settings=settings.top.web)
    problems.install(app)
    pushes.prepare(app, desk)
    enqueue.prepare(app, desk)
    for room in ROOMS:
        app.include_router(room.router)
    app.state.routes = [route for room in ROOMS for route in room.router.routes]
    pages.install(app, settings)
    doors.install(app, desk)
    openapi.install(app)
    return app
