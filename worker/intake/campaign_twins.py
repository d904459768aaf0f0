"""Warn of a campaign whose text went to the same list lately: it may be sent twice by mistake."""

from datetime import timedelta

from sqlalchemy import Engine

from worker.domain.errors import Problem
from worker.domain.timezone import SHANGHAI
from worker.intake.enqueue_request import EnqueueRequest
from worker.store.db import database
from worker.store.intake import campaign_twins

#: For how long a campaign of the same text and the same list is remembered.
TWIN_AGE = timedelta(days=1)


def warnings(
    engine: Engine, request: EnqueueRequest, fingerprint: str, campaign_id: int | None = None
) -> tuple[Problem, ...]:
    """Return a warning for each campaign of a fingerprint that was started within a day.

    A sender is told of its own campaigns alone; who is at this machine, of all. Those newer than
    `campaign_id` do not count, so that a repeated call is answered as it was the first time.
    """
    sender = request.sender or None
    with database.reading(engine) as connection:
        twins = campaign_twins.started_since(
            connection, fingerprint, TWIN_AGE, sender=sender, before_id=campaign_id
        )
    return tuple(
        Problem(
            "recipients",
            f"campaign {twin.request_id} ({twin.name}), started"
            f" {twin.started_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}, has the same text and the"
            f" same list",
        )
        for twin in twins
    )
