"""Unknown submissions: what speaks for what, and a person's word on it."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Form as Field
from fastapi import Request
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from producer.web.context import AppContext, Context
from producer.web.pages import page_routes
from producer.web.pages.rendering import draw
from producer.web.pages.sign_in import Looking, Operating
from worker.config.settings import Settings
from worker.domain.errors import (
    NotFound,
    Problem,
    Refused,
    TooLate,
)
from worker.settlement import sent_counter
from worker.store import events, unknown
from worker.store.db import database
from worker.store.unknown import UnknownSubmission

router = page_routes.router("/unknown")

MOST = 100
#: What a person may say, and the event that keeps it, as the command line writes them.
ACTS: dict[str, tuple[Callable[[Connection, Settings, UnknownSubmission], bool], str]] = {
    "submitted": (sent_counter.mark_submitted, "settle.submitted"),
    "not_sent": (sent_counter.mark_not_sent, "settle.not_sent"),
    "resend": (sent_counter.resend_once, "settle.resent"),
}


@router.get("")
async def listed(request: Request, here: Context, who: Looking) -> Response:
    """Draw what is unknown, the oldest first, with the evidence."""
    facts = await here.run(_facts, here)
    return draw(request, "doubts.html", who, acts=list(ACTS), **facts)


def _facts(here: AppContext) -> dict[str, Any]:
    with database.reading(here.engine) as connection:
        found = unknown.unknown_ones(connection, limit=MOST)
        evidence = {one.id: events.of_submission(connection, one.id) for one in found}
    return {"doubts": found, "evidence": evidence}


@router.post("/{submission_id}")
async def settle(
    here: Context,
    who: Operating,
    submission_id: int,
    act: Annotated[str, Field()],
    why: Annotated[str, Field()] = "",
) -> Response:
    """End the doubt about one submission, for the record."""
    if act not in ACTS:
        msg = "say what became of it: submitted, not_sent or resend"
        raise NotFound(msg)
    if not why.strip():
        raise Refused([Problem("why", "say what you know; it is kept with your name")])
    await here.run(_settle, here, submission_id, act, who.name, why.strip()[:200])
    return RedirectResponse("/unknown", 303)


def _settle(here: AppContext, submission_id: int, act: str, who: str, why: str) -> None:
    mark, name = ACTS[act]
    with database.writing(here.engine) as connection:
        done = sent_counter.mark(
            connection, here.settings, [submission_id], mark, name=name, who=who, why=why
        )
    if not done:
        msg = f"submission {submission_id} is not unknown any more, or was sent once more already"
        raise TooLate(msg)
