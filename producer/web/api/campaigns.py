"""Campaigns: load, look at, start, pause, cancel, export."""

import csv
import io
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import StreamingResponse

from producer.web.api import ownership, schemas
from producer.web.api.authentication import Allowed, Caller
from producer.web.context import AppContext, Context
from producer.web.problems import responses
from worker.domain.enums import MessageClass, Scope
from worker.intake import campaigns, lookup
from worker.store import sender_pages
from worker.store.campaigns import CampaignProgress
from worker.store.db import database

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])

Runner = Annotated[Caller, Depends(Allowed(Scope.CAMPAIGNS))]
Id = Annotated[int, Path(ge=1, le=ownership.MOST_ID, examples=[17])]
#: The columns of an export.
COLUMNS = (
    *("id", "msisdn", "state", "account", "code", "code_text", "segments", "attempts"),
    *("submitted_at", "finished_at", "closed_at"),
)
_ERRORS = responses(400, 401, 403, 404, 408, 409, 413, 422, 429, 503)


@router.get(
    "",
    response_model=schemas.Campaigns,
    summary="List your campaigns",
    responses=responses(401, 403, 422, 429, 503),
)
async def listed(
    here: Context,
    caller: Runner,
    before: Annotated[int | None, Query(ge=1, le=ownership.MOST_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Any:
    """Return your campaigns as they stand, the newest first."""

    def look() -> list[dict[str, Any]]:
        with database.reading(here.engine) as connection:
            ids = sender_pages.campaigns(connection, caller.sender, limit + 1, before)
        return [lookup.campaign(campaigns.show(here.engine, one)) for one in ids]

    found = await here.run(look)
    more = found[limit - 1]["id"] if len(found) > limit else None
    return {"campaigns": found[:limit], "before": more}


@router.get(
    "/{campaign_id}",
    response_model=schemas.Campaign,
    summary="Look at one of your campaigns",
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def show(campaign_id: Id, here: Context, caller: Runner) -> Any:
    """Return a campaign with its messages counted by state."""
    return await _moved(here, caller, campaign_id, campaigns.show)


@router.post(
    "/{campaign_id}/start",
    response_model=schemas.Campaign,
    summary="Start a campaign that is ready",
    responses=_ERRORS,
)
async def start(
    campaign_id: Id, here: Context, caller: Runner, how: schemas.Resumed | None = None
) -> Any:
    """Start a campaign; one whose validity is over needs `until`."""
    return await _run(here, caller, campaign_id, how)


@router.post(
    "/{campaign_id}/resume",
    response_model=schemas.Campaign,
    summary="Go on with a campaign that is paused",
    responses=_ERRORS,
)
async def resume(
    campaign_id: Id, here: Context, caller: Runner, how: schemas.Resumed | None = None
) -> Any:
    """Go on; one whose validity is over needs `until`."""
    return await _run(here, caller, campaign_id, how)


@router.post(
    "/{campaign_id}/pause",
    response_model=schemas.Campaign,
    summary="Pause a campaign",
    responses=_ERRORS,
)
async def pause(campaign_id: Id, here: Context, caller: Runner) -> Any:
    """Submit no more of it until it is resumed; what is under way is finished."""
    return await _moved(here, caller, campaign_id, campaigns.pause)


@router.post(
    "/{campaign_id}/cancel",
    response_model=schemas.Campaign,
    summary="End a campaign",
    responses=_ERRORS,
)
async def cancel(campaign_id: Id, here: Context, caller: Runner) -> Any:
    """Cancel for good what was not handed over yet."""
    return await _moved(here, caller, campaign_id, campaigns.cancel)


async def _run(
    here: AppContext, caller: Caller, campaign_id: int, how: schemas.Resumed | None
) -> Any:
    until = how.until if how else None
    found = await _moved(
        here, caller, campaign_id, lambda engine, one: campaigns.run(engine, one, until)
    )
    here.ring(MessageClass(found["class"]))
    return found


async def _moved(
    here: AppContext, caller: Caller, campaign_id: int, move: Callable[[Any, int], CampaignProgress]
) -> dict[str, Any]:
    def work() -> dict[str, Any]:
        ownership.check(here, caller, campaign_id, f"campaign {campaign_id}")
        return lookup.campaign(move(here.engine, campaign_id))

    return await here.run(work)


@router.get(
    "/{campaign_id}/export",
    response_class=StreamingResponse,
    summary="Export every message as CSV",
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
        **responses(401, 403, 404, 422, 429, 503),
    },
)
async def export(campaign_id: Id, here: Context, caller: Runner) -> StreamingResponse:
    """Stream the messages of a campaign, a line each, UTF-8; times in UTC."""
    found = await _moved(here, caller, campaign_id, campaigns.show)
    return exported(here, campaign_id, found["total"])


def exported(here: AppContext, campaign_id: int, total: int) -> StreamingResponse:
    """Return all messages of a campaign as a file of CSV, made while it is sent."""
    name = f'attachment; filename="campaign-{campaign_id}.csv"'
    return StreamingResponse(
        _lines(here, campaign_id, total),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": name},
    )


async def _lines(here: AppContext, campaign_id: int, total: int) -> AsyncIterator[str]:
    parts = lookup.every(here.engine, campaign_id, total)

    def some() -> str:
        text = io.StringIO()
        writer = csv.writer(text)
        for _, one in zip(range(lookup.PART), parts, strict=False):
            said = one.as_json()
            writer.writerow([_cell(said[column]) for column in COLUMNS])
        return text.getvalue()

    yield ",".join(COLUMNS) + "\r\n"
    while lines := await here.run(some):
        yield lines


def _cell(value: Any) -> Any:
    """Keep a spreadsheet from taking a gateway's words for a formula."""
    is_formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if is_formula else value
