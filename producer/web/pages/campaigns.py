"""Campaigns: how far they are, and their controls."""

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from producer.web.desk import Here
from producer.web.pages import drawn
from producer.web.pages.drawing import draw
from producer.web.pages.signing import Looking, operator
from worker import campaigns, describing
from worker.errors import NotFound
from worker.lifecycle import CAMPAIGN_MOVES
from worker.terms import CampaignState

router = drawn.router("/campaigns")

MOST = 50
#: What may be done to a campaign, by the state that it leads to.
_ACTS = {
    "run": (CampaignState.RUNNING, campaigns.run),
    "pause": (CampaignState.PAUSED, campaigns.pause),
    "cancel": (CampaignState.CANCELLED, campaigns.cancel),
}


@router.get("")
async def listed(request: Request, here: Here, who: Looking) -> Response:
    """Draw the newest campaigns."""
    found = await here.run(describing.progress, here.engine, MOST)
    return draw(request, "campaigns.html", who, campaigns=found)


@router.get("/{campaign_id}")
async def one(request: Request, here: Here, who: Looking, campaign_id: int) -> Response:
    """Draw one campaign; its block `now` is drawn again every two seconds."""
    found = await here.run(campaigns.show, here.engine, campaign_id)
    acts = [name for name, (to, _) in _ACTS.items() if to in CAMPAIGN_MOVES[found.state]]
    return draw(request, "campaign.html", who, campaign=found, acts=acts)


@router.post("/{campaign_id}/{act}", dependencies=[Depends(operator)])
async def act(here: Here, campaign_id: int, act: str) -> Response:
    """Start, pause, resume or cancel a campaign."""
    if act not in _ACTS:
        msg = "a campaign can be run, paused and cancelled"
        raise NotFound(msg)
    _, move = _ACTS[act]
    await here.run(move, here.engine, campaign_id)
    return RedirectResponse(f"/campaigns/{campaign_id}", 303)
