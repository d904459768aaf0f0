"""Settle unknown submissions by a person's word: taken, not sent, or sent once more."""

from collections.abc import Callable, Collection

from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.delivery import recipient_ends
from worker.domain.enums import SubmissionState
from worker.store import events
from worker.store.db import database
from worker.store.delivery import outcomes
from worker.store.settlement import unknown
from worker.store.settlement.restored_backup import RESTORED
from worker.store.settlement.unknown import UnknownSubmission

#: Ends the doubt about one submission; False when it could not.
Decision = Callable[[Connection, Settings, UnknownSubmission], bool]


def settle(
    connection: Connection,
    settings: Settings,
    ids: Collection[int],
    decide: Decision,
    *,
    event_name: str,
    who: str,
    reason: str,
) -> list[int]:
    """End the doubt about submissions as a person decides; return the ids of those it ended for.

    Each of them leaves an event with who and why.
    """
    settled_ids = []
    for submission in unknown.unknown_submissions(connection, ids=ids):
        if decide(connection, settings, submission):
            events.add(
                connection,
                event_name,
                who,
                account=submission.account,
                submission_id=submission.id,
                detail={"why": reason},
            )
            settled_ids.append(submission.id)
    return settled_ids


def refusals(engine: Engine, ids: Collection[int]) -> list[str]:
    """Say of each submission why it could not be settled."""
    with database.reading(engine) as connection:
        return [_refusal(connection, submission_id) for submission_id in ids]


def _refusal(connection: Connection, submission_id: int) -> str:
    row = unknown.facts(connection, submission_id)
    if row is None:
        return f"there is no submission {submission_id}"
    if row.state != SubmissionState.UNKNOWN.value:
        return f"submission {submission_id} is {row.state}, and not unknown"
    if row.code == RESTORED and row.size > 1:
        return (
            f"submission {submission_id} stands for {row.size} messages that a restored backup"
            " forgot: they were no one submission, and cannot be sent once more together"
        )
    return f"submission {submission_id} was sent once more already"


def mark_submitted(connection: Connection, _: Settings, submission: UnknownSubmission) -> bool:
    """Settle a submission that the gateway took, as a person says; a `Decision`."""
    settled = outcomes.accept(connection, submission.id, submission.fence, None)
    if settled:
        unknown.withdraw_resend(connection, submission.id)
    return settled


def mark_not_sent(
    connection: Connection, settings: Settings, submission: UnknownSubmission
) -> bool:
    """Put the messages of a submission back that was not taken, as a person says; a `Decision`."""
    return recipient_ends.settle_not_taken(connection, settings, submission)


def resend_once(connection: Connection, _: Settings, submission: UnknownSubmission) -> bool:
    """Send a submission once more, as a person decides who knows that it may arrive twice.

    A `Decision`. It is False for a submission that stands for several messages of a restored
    backup: they were no one submission.
    """
    if submission.code == RESTORED and submission.size > 1:
        return False
    return unknown.resend(connection, submission.id) is not None
