"""The page of unknown submissions: the evidence for each, and a form to settle it."""

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
from worker.settlement import manual
from worker.store import events
from worker.store.db import database
from worker.store.settlement import unknown
from worker.store.settlement.unknown import UnknownSubmission

router = page_routes.router("/unknown")

MAX_SUBMISSIONS = 100
#: The answers of a person, each with the function that applies it and its event, as on the command
#: line.
ACTS: dict[str, tuple[Callable[[Connection, Settings, UnknownSubmission], bool], str]] = {
    "submitted": (manual.mark_submitted, "settle.submitted"),
    "not_sent": (manual.mark_not_sent, "settle.not_sent"),
    "resend": (manual.resend_once, "settle.resent"),
}


@router.get("")
async def index(request: Request, context: Context, person: Looking) -> Response:
    """Draw the unknown submissions, the oldest first, with their evidence."""
    facts = await context.run(_facts, context)
    return draw(request, "unknown.html", person, acts=list(ACTS), **facts)


def _facts(context: AppContext) -> dict[str, Any]:
    with database.reading(context.engine) as connection:
        submissions = unknown.unknown_submissions(connection, limit=MAX_SUBMISSIONS)
        evidence = {
            submission.id: events.of_submission(connection, submission.id)
            for submission in submissions
        }
    return {"submissions": submissions, "evidence": evidence}


@router.post("/{submission_id}")
async def settle(
    context: Context,
    person: Operating,
    submission_id: page_routes.Id,
    act: Annotated[str, Field()],
    why: Annotated[str, Field()] = "",
) -> Response:
    """Settle one unknown submission by a person's word, which is kept as an event."""
    if act not in ACTS:
        msg = "say what became of it: submitted, not_sent or resend"
        raise NotFound(msg)
    if not why.strip():
        raise Refused([Problem("why", "say what you know; it is kept with your name")])
    await context.run(_settle, context, submission_id, act, person.name, why.strip()[:200])
    return RedirectResponse("/unknown", 303)


def _settle(context: AppContext, submission_id: int, act: str, person_name: str, why: str) -> None:
    mark, name = ACTS[act]
    with database.writing(context.engine) as connection:
        settled = manual.settle(
            connection,
            context.settings,
            [submission_id],
            mark,
            event_name=name,
            who=person_name,
            reason=why,
        )
    if not settled:
        msg = f"submission {submission_id} is not unknown any more, or was sent once more already"
        raise TooLate(msg)
