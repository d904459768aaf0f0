"""Routes for health probes: whether the process lives and can serve; they need no key."""

import asyncio
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from producer.web.context import STUCK_SECONDS, AppContext, Context
from producer.web.problems import HttpProblem, responses
from worker.store import migrations

router = APIRouter(tags=["health"])

#: How long the database may take to answer a probe, in seconds.
DATABASE_TIMEOUT = 3.0


class Health(BaseModel):
    """The answer of a process that is well."""

    status: Literal["ok"] = "ok"


@router.get("/healthz", summary="Does it make progress?", responses=responses(503))
async def show_health(context: Context) -> Health:
    """Answer, unless calls wait and none has been finished for a minute: then restart it."""
    if context.stuck_for > STUCK_SECONDS:
        raise HttpProblem(503, "stuck", "calls wait and none is finished; restart this process")
    return Health()


@router.get("/readyz", summary="Can it serve?", responses=responses(503))
async def show_readiness(context: Context) -> Health:
    """Answer when the database does, and its schema is this version's or a newer one's."""
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT):
            problem = await context.probe(lambda: _schema_problem(context))
    except TimeoutError:
        problem = "the database does not answer"
    if problem:
        raise HttpProblem(503, "not-ready", problem)
    return Health()


def _schema_problem(context: AppContext) -> str | None:
    revision, newest = migrations.revision(context.engine), migrations.newest_revision()
    if revision == newest or migrations.is_newer(revision):
        return None
    return "the database's schema is not this version's; run `xinshi migrate`"
