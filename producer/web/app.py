"""Builds the web application: its routes, its context, and one form for all errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from producer.web import error_handlers
from producer.web.api import (
    callbacks,
    campaign_upload,
    campaigns,
    doors,
    enqueue,
    health,
    lookups,
    messages,
    metrics,
    openapi,
    opt_outs,
    pushes,
    templates,
)
from producer.web.api.api_route import operation_id
from producer.web.api.keyring import Keyring
from producer.web.body_limits import BodyLimits
from producer.web.context import AppContext
from producer.web.pages import site as pages
from worker.config.settings import Settings

#: The modules of the API; each has a `router`.
API_MODULES = (
    *(messages, campaign_upload, campaigns, lookups, opt_outs),
    *(templates, callbacks, pushes, health),
)


def create(settings: Settings) -> FastAPI:
    """Return the application of a configuration; it connects to nothing before it is started."""
    context = AppContext(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        context.close()

    # Traces would hold paths and bodies, and these hold tokens, numbers and texts.
    app = FastAPI(
        title="Xinshi",
        version="1",
        summary="Text messages through Chinese SMS gateways: never lost, never doubled.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        separate_input_output_schemas=False,
        generate_unique_id_function=operation_id,
        # They would go to http:// behind a proxy with TLS, with numbers and texts in clear.
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.context, app.state.keyring = context, Keyring()
    app.add_middleware(BodyLimits, settings=settings.top.web)
    error_handlers.install(app)
    pushes.install(app, context)
    enqueue.install(app, context)
    for module in API_MODULES:
        app.include_router(module.router)
    app.state.routes = [route for module in API_MODULES for route in module.router.routes]
    pages.install(app, settings)
    doors.install(app, context)
    metrics.install(app, context)
    openapi.install(app)
    return app
