"""The route that shows Prometheus what only the database knows (GET /metrics).

A key with the scope `look` may read it. What each process counts is on that process's own port
(`metrics_port`), and not here.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.responses import Response

from producer.web.api.api_route import ApiRoute
from producer.web.api.authentication import Caller, RequireScope
from producer.web.context import AppContext
from producer.web.database_metrics import DatabaseMetrics, Reading
from producer.web.problems import HttpProblem
from worker.domain.enums import Scope
from worker.store import migrations

router = APIRouter(route_class=ApiRoute, include_in_schema=False)


def install(app: FastAPI, context: AppContext) -> None:
    """Give an application its route for metrics."""
    app.state.metrics = MetricsReader(context)
    app.include_router(router)


class MetricsReader:
    """The metrics of the database, read for one caller at a time."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._metrics = DatabaseMetrics(context.engine, context.settings)
        self._lock = asyncio.Lock()

    async def render(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        async with self._lock:
            return await self._context.run(self._render)

    def _render(self) -> bytes:
        return render(self._metrics.read(), is_outdated=self._is_outdated())

    def _is_outdated(self) -> bool:
        """Whether the database's schema is older than this version's."""
        revision = migrations.revision(self._context.engine)
        return revision != migrations.newest_revision() and not migrations.is_newer(revision)


def render(readings: Sequence[Reading], *, is_outdated: bool) -> bytes:
    """Return readings in Prometheus's text format."""
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    for figure, values in readings:
        gauge = Gauge(figure.name, figure.help_text, figure.labels, registry=registry)
        for labels, value in (values or {}).items():
            gauge.labels(*labels).set(value)
    unread = Gauge("xinshi_unread_figures", "Figures that took too long.", registry=registry)
    unread.set(sum(values is None for _, values in readings))
    outdated = Gauge("xinshi_schema_outdated", "1 until `xinshi migrate` ran.", registry=registry)
    outdated.set(is_outdated)
    return generate_latest(registry)


@router.get("/metrics")
async def show_metrics(
    request: Request, _caller: Annotated[Caller, Depends(RequireScope(Scope.LOOK))]
) -> Response:
    """Return the metrics; 503 when the database does not answer."""
    try:
        content = await request.app.state.metrics.render()
    except ModuleNotFoundError:
        advice = "the web process has no metrics: pip install 'xinshi[metrics]'"
        raise HttpProblem(404, "not-found", advice) from None
    return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")
