"""Campaigns: how far they are, and their controls."""

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from producer.web.api.campaigns import exported
from producer.web.context import AppContext, Context
from producer.web.pages import page_routes
from producer.web.pages.rendering import draw
from producer.web.pages.sign_in import Looking, operator
from producer.web.problems import HttpProblem
from worker.domain.enums import CampaignState
from worker.domain.errors import NotFound
from worker.domain.transitions import CAMPAIGN_MOVES
from worker.intake import campaigns, lookup
from worker.store import requests
from worker.store.campaigns import CampaignProgress
from worker.store.db import database

router = page_routes.router("/campaigns")

MOST = 50
#: What may be done to a campaign, by the state that it leads to.
_ACTS = {
    "run": (CampaignState.RUNNING, campaigns.run),
    "pause": (CampaignState.PAUSED, campaigns.pause),
    "cancel": (CampaignState.CANCELLED, campaigns.cancel),
}


@router.get("")
async def listed(request: Request, here: Context, who: Looking) -> Response:
    """Draw the newest campaigns."""
    found = await here.run(lookup.progress, here.engine, MOST)
    return draw(request, "campaigns.html", who, campaigns=found)


@router.get("/{campaign_id}")
async def one(request: Request, here: Context, who: Looking, campaign_id: int) -> Response:
    """Draw one campaign; its block `now` is drawn again every two seconds."""
    found, text = await here.run(_one, here, campaign_id)
    acts = [name for name, (to, _) in _ACTS.items() if to in CAMPAIGN_MOVES[found.state]]
    return draw(
        request,
        "campaign.html",
        who,
        campaign=found,
        acts=acts,
        text=text if who.operates else None,
    )


def _one(here: AppContext, campaign_id: int) -> tuple[CampaignProgress, str]:
    found = campaigns.show(here.engine, campaign_id)
    with database.reading(here.engine) as connection:
        row = requests.by_id(connection, campaign_id)
    return found, row.content.text if row else ""


@router.get("/{campaign_id}/export")
async def export(here: Context, who: Looking, campaign_id: int) -> Response:
    """Stream every message of a campaign as CSV: it holds whole numbers."""
    if not who.operates:
        raise HttpProblem(403, "no-scope", "this key may look and not export: it has not operate")
    found = await here.run(campaigns.show, here.engine, campaign_id)
    return exported(here, campaign_id, found.total)


@router.post("/{campaign_id}/{act}", dependencies=[Depends(operator)])
async def act(here: Context, campaign_id: int, act: str) -> Response:
    """Start, pause, resume or cancel a campaign."""
    if act not in _ACTS:
        msg = "a campaign can be run, paused and cancelled"
        raise NotFound(msg)
    _, move = _ACTS[act]
    await here.run(move, here.engine, campaign_id)
    return RedirectResponse(f"/campaigns/{campaign_id}", 303)
