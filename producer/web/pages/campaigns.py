"""The pages of campaigns: how far each one is, and what may be done to it."""

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from producer.waiting import waits
from producer.waiting.wait_reasons import WaitCause
from producer.web.api.campaigns import csv_response
from producer.web.context import AppContext, Context
from producer.web.pages import page_routes
from producer.web.pages.rendering import draw
from producer.web.pages.sign_in import Looking, Operating
from producer.web.problems import HttpProblem
from worker.domain.enums import CampaignState, MessageClass
from worker.domain.errors import NotFound
from worker.domain.transitions import CAMPAIGN_MOVES, FAILED_STATES
from worker.intake import campaign_retry, campaigns, lookup
from worker.store.db import database
from worker.store.intake import requests
from worker.store.intake.campaign_progress import CampaignProgress

router = page_routes.router("/campaigns")

MAX_CAMPAIGNS = 50
#: The acts of a person, with the state that each leads to and the function that does it.
_ACTS = {
    "run": (CampaignState.RUNNING, campaigns.run),
    "pause": (CampaignState.PAUSED, campaigns.pause),
    "cancel": (CampaignState.CANCELLED, campaigns.cancel),
}


@router.get("")
async def index(request: Request, context: Context, person: Looking) -> Response:
    """Draw the newest campaigns."""
    progress = await context.run(lookup.newest_campaigns, context.engine, MAX_CAMPAIGNS)
    return draw(request, "campaigns.html", person, campaigns=progress)


@router.get("/{campaign_id}")
async def show(
    request: Request, context: Context, person: Looking, campaign_id: page_routes.Id
) -> Response:
    """Draw one campaign; its block `now` is drawn again every two seconds."""
    progress, text, reasons = await context.run(_facts, context, campaign_id)
    moves = CAMPAIGN_MOVES[progress.state]
    if progress.state is CampaignState.SCHEDULED:
        # It begins by itself.
        moves -= {CampaignState.RUNNING}
    acts = [name for name, (to, _) in _ACTS.items() if to in moves]
    return draw(
        request,
        "campaign.html",
        person,
        campaign=progress,
        acts=acts,
        text=text if person.operates else None,
        waits_for=reasons,
        failed=sum(progress.states.get(state.value, 0) for state in FAILED_STATES),
    )


def _facts(
    context: AppContext, campaign_id: int
) -> tuple[CampaignProgress, str | None, list[WaitCause]]:
    """Return a campaign, its text and why it waits; the text of codes is shown to nobody."""
    progress = campaigns.show(context.engine, campaign_id)
    reasons = waits.of_campaign(context.engine, context.settings, progress)
    if progress.message_class == MessageClass.OTP:
        return progress, None, reasons
    with database.reading(context.engine) as connection:
        row = requests.by_id(connection, campaign_id)
    return progress, row.content.text if row else None, reasons


@router.get("/{campaign_id}/export")
async def export(context: Context, person: Looking, campaign_id: page_routes.Id) -> Response:
    """Stream every message of a campaign as CSV: it holds whole numbers."""
    if not person.operates:
        raise HttpProblem(403, "no-scope", "this key may look and not export: it has not operate")
    progress = await context.run(campaigns.show, context.engine, campaign_id)
    return csv_response(context, campaign_id, progress.total)


@router.post("/{campaign_id}/retry")
async def retry(context: Context, campaign_id: page_routes.Id, person: Operating) -> Response:
    """Send what failed again, as a campaign of its own, and show that; never the unknown."""
    loaded = await context.run(
        campaign_retry.retry, context.engine, context.settings, campaign_id, who=person.name
    )
    return RedirectResponse(f"/campaigns/{loaded.id if loaded else campaign_id}", 303)


@router.post("/{campaign_id}/{act}")
async def act(
    context: Context, campaign_id: page_routes.Id, act: str, person: Operating
) -> Response:
    """Start, pause, resume or cancel a campaign."""
    if act not in _ACTS:
        msg = "a campaign can be run, paused and cancelled"
        raise NotFound(msg)
    _, move = _ACTS[act]
    await context.run(move, context.engine, campaign_id, who=person.name)
    return RedirectResponse(f"/campaigns/{campaign_id}", 303)
