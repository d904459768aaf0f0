"""Whether the process lives, and whether it can serve. No key is asked for, nothing is told."""

import asyncio
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from producer.web.context import STUCK, AppContext, Context
from producer.web.problems import HttpProblem, responses
from worker.store import migrations

router = APIRouter(tags=["health"])

#: How long the database may take to answer a probe, in seconds.
PATIENCE = 3.0


class Health(BaseModel):
    """All is well."""

    status: Literal["ok"] = "ok"


@router.get("/healthz", summary="Does it make progress?", responses=responses(503))
async def lives(here: Context) -> Health:
    """Answer, unless calls wait and none has been finished for a minute: then restart it."""
    if here.stuck_for > STUCK:
        raise HttpProblem(503, "stuck", "calls wait and none is finished; restart this process")
    return Health()


@router.get("/readyz", summary="Can it serve?", responses=responses(503))
async def ready(here: Context) -> Health:
    """Answer when the database does, and its schema is this version's."""
    try:
        async with asyncio.timeout(PATIENCE):
            behind = await here.probe(lambda: _behind(here))
    except TimeoutError:
        behind = "the database does not answer"
    if behind:
        raise HttpProblem(503, "not-ready", behind)
    return Health()


def _behind(here: AppContext) -> str | None:
    there, newest = migrations.revision(here.engine), migrations.newest()
    if there == newest:
        return None
    return "the database's schema is not this version's; run `xinshi migrate`"
