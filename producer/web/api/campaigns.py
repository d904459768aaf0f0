"""Routes for campaigns: list, show, start, pause, resume, cancel, export."""

import csv
import io
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import StreamingResponse

from producer.waiting import wait_reasons, waits
from producer.web.api import campaign_schemas, ownership
from producer.web.api.api_route import ApiRoute
from producer.web.api.authentication import Caller, RequireScope
from producer.web.context import AppContext, Context
from producer.web.problems import responses
from worker.domain.enums import MessageClass, Scope
from worker.intake import campaign_rows, campaigns, lookup
from worker.store import sender_pages
from worker.store.db import database
from worker.store.intake.campaign_progress import CampaignProgress

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"], route_class=ApiRoute)

Runner = Annotated[Caller, Depends(RequireScope(Scope.CAMPAIGNS))]
CampaignId = Annotated[int, Path(ge=1, le=ownership.MAX_ID, examples=[17])]
#: The columns of an export.
COLUMNS = (
    *("id", "to", "state", "account", "code", "code_text", "segments", "attempts"),
    *("submitted_at", "finished_at", "closed_at", "key", "metadata", "row", "reason"),
)
_ERRORS = responses(400, 401, 403, 404, 408, 409, 413, 422, 429, 503)


@router.get(
    "",
    response_model=campaign_schemas.Campaigns,
    summary="List your campaigns",
    responses=responses(401, 403, 422, 429, 503),
)
async def list_campaigns(
    context: Context,
    caller: Runner,
    before: Annotated[int | None, Query(ge=1, le=ownership.MAX_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Any:
    """Return your campaigns as they stand, the newest first."""

    def read_page() -> list[dict[str, Any]]:
        with database.reading(context.engine) as connection:
            ids = sender_pages.campaign_ids(connection, caller.sender, limit + 1, before)
        return [
            lookup.campaign_json(campaigns.show(context.engine, campaign_id)) for campaign_id in ids
        ]

    page = await context.run(read_page)
    next_before = page[limit - 1]["id"] if len(page) > limit else None
    return {"campaigns": page[:limit], "before": next_before}


@router.get(
    "/{campaign_id}",
    response_model=campaign_schemas.ShownCampaign,
    summary="Look at one of your campaigns",
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def show_campaign(campaign_id: CampaignId, context: Context, caller: Runner) -> Any:
    """Return a campaign with its messages counted by state, and why it does not move."""

    def read() -> dict[str, Any]:
        ownership.check(context, caller, campaign_id, f"campaign {campaign_id}")
        campaign = campaigns.show(context.engine, campaign_id)
        reasons = waits.of_campaign(context.engine, context.settings, campaign)
        return lookup.campaign_json(campaign) | {"waits_for": wait_reasons.as_json(reasons)}

    return await context.run(read)


@router.post(
    "/{campaign_id}/start",
    response_model=campaign_schemas.Campaign,
    summary="Start a campaign that is ready",
    responses=_ERRORS,
)
async def start_campaign(
    campaign_id: CampaignId,
    context: Context,
    caller: Runner,
    terms: campaign_schemas.Resumed | None = None,
) -> Any:
    """Start a campaign; one whose validity is over needs `until`."""
    return await _run(context, caller, campaign_id, terms)


@router.post(
    "/{campaign_id}/resume",
    response_model=campaign_schemas.Campaign,
    summary="Go on with a campaign that is paused",
    responses=_ERRORS,
)
async def resume_campaign(
    campaign_id: CampaignId,
    context: Context,
    caller: Runner,
    terms: campaign_schemas.Resumed | None = None,
) -> Any:
    """Go on; one whose validity is over needs `until`."""
    return await _run(context, caller, campaign_id, terms)


@router.post(
    "/{campaign_id}/pause",
    response_model=campaign_schemas.Campaign,
    summary="Pause a campaign",
    responses=_ERRORS,
)
async def pause_campaign(campaign_id: CampaignId, context: Context, caller: Runner) -> Any:
    """Submit no more of it until it is resumed; what is under way is finished."""
    return await _apply(context, caller, campaign_id, partial(campaigns.pause, who=caller.sender))


@router.post(
    "/{campaign_id}/reschedule",
    response_model=campaign_schemas.Campaign,
    summary="Move the time of a campaign that has not begun",
    responses=_ERRORS,
)
async def reschedule_campaign(
    campaign_id: CampaignId, context: Context, caller: Runner, terms: campaign_schemas.Rescheduled
) -> Any:
    """Send it from another time on; its validity moves with it, unless `not_after` ends it."""
    move = partial(
        campaigns.reschedule,
        not_before=terms.not_before,
        not_after=terms.not_after,
        who=caller.sender,
    )
    return await _apply(context, caller, campaign_id, move)


@router.post(
    "/{campaign_id}/cancel",
    response_model=campaign_schemas.Campaign,
    summary="End a campaign",
    responses=_ERRORS,
)
async def cancel_campaign(campaign_id: CampaignId, context: Context, caller: Runner) -> Any:
    """Cancel for good what was not handed over yet."""
    return await _apply(context, caller, campaign_id, partial(campaigns.cancel, who=caller.sender))


async def _run(
    context: AppContext, caller: Caller, campaign_id: int, terms: campaign_schemas.Resumed | None
) -> Any:
    until = terms.until if terms else None
    run = partial(campaigns.run, not_after=until, who=caller.sender)
    campaign = await _apply(context, caller, campaign_id, run)
    context.ring(MessageClass(campaign["class"]))
    return campaign


async def _apply(
    context: AppContext,
    caller: Caller,
    campaign_id: int,
    move: Callable[[Any, int], CampaignProgress],
) -> dict[str, Any]:
    def work() -> dict[str, Any]:
        ownership.check(context, caller, campaign_id, f"campaign {campaign_id}")
        return lookup.campaign_json(move(context.engine, campaign_id))

    return await context.run(work)


@router.get(
    "/{campaign_id}/export",
    response_class=StreamingResponse,
    summary="Export every message, and every row left out, as CSV",
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
        **responses(401, 403, 404, 422, 429, 503),
    },
)
async def export_campaign(
    campaign_id: CampaignId, context: Context, caller: Runner
) -> StreamingResponse:
    """Stream the messages of a campaign, a line each, UTF-8; times in UTC.

    Behind them come the rows of its list that were left out: `state` is `left out`, `row` and
    `reason` say where the row stands and why.
    """
    campaign = await _apply(context, caller, campaign_id, campaigns.show)
    return csv_response(context, campaign_id, campaign["total"])


def csv_response(context: AppContext, campaign_id: int, total: int) -> StreamingResponse:
    """Return a campaign's messages and the rows left out of it as CSV, made while it is sent.

    It holds whole numbers: nothing on its way keeps it, and no browser shows it as a page.
    """
    return StreamingResponse(
        _lines(context, campaign_id, total),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="campaign-{campaign_id}.csv"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


async def _lines(context: AppContext, campaign_id: int, total: int) -> AsyncIterator[str]:
    rows = campaign_rows.campaign_fields(context.engine, campaign_id, total)

    def next_lines() -> str:
        text = io.StringIO()
        writer = csv.writer(text)
        for _, fields in zip(range(campaign_rows.PART_SIZE), rows, strict=False):
            writer.writerow([campaign_rows.export_cell(fields.get(column)) for column in COLUMNS])
        return text.getvalue()

    yield ",".join(COLUMNS) + "\r\n"
    while lines := await context.run(next_lines):
        yield lines
