"""Show unknown submissions: how each ended, to whom it went, and what speaks for what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from producer.cli import output
from producer.cli.session import Session

if TYPE_CHECKING:
    from worker.store.settlement.unknown import UnknownSubmission

#: How many numbers of a submission are shown, masked.
SHOWN_NUMBERS = 3

_COLUMNS = (
    "id",
    "account",
    "class",
    "request",
    "messages",
    "numbers",
    "called",
    "code",
    "words",
    "events",
)


@dataclass(frozen=True, slots=True)
class UnknownFilter:
    """Which unknown submissions are meant; all of them where nothing is given."""

    account: str | None = None
    code: str | None = None
    since: datetime | None = None
    campaign: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it means all of them."""
        return self == UnknownFilter()


@dataclass(frozen=True, slots=True)
class ShownSubmission:
    """An unknown submission with its first numbers, masked, and its events."""

    submission: "UnknownSubmission"
    numbers: Sequence[str]
    evidence: Sequence[dict[str, Any]]

    def row(self) -> list[Any]:
        """Return its row of the table."""
        submission = self.submission
        more = ", …" if submission.size > len(self.numbers) else ""
        event_names = [event["name"] for event in self.evidence]
        return [
            submission.id,
            submission.account,
            submission.message_class.value,
            submission.request_id,
            submission.size,
            ", ".join(self.numbers) + more,
            submission.called_at,
            submission.code,
            submission.words,
            ", ".join([*event_names, *(["sent once more"] if submission.resent else [])]),
        ]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        submission = self.submission
        return {
            "id": submission.id,
            "account": submission.account,
            "class": submission.message_class.value,
            "request": submission.request_id,
            "messages": submission.size,
            "numbers": list(self.numbers),
            "segments": submission.segment_sum,
            "called_at": submission.called_at and submission.called_at.isoformat(),
            "code": submission.code,
            "code_text": submission.words,
            "resent": submission.resent,
            "evidence": list(self.evidence),
        }


def find(session: Session, wanted: UnknownFilter, limit: int) -> "list[UnknownSubmission]":
    """Return the unknown submissions that are meant, the oldest first."""
    from worker.store.db import database
    from worker.store.settlement import unknown

    with database.reading(session.engine) as connection:
        return unknown.unknown_submissions(
            connection,
            account=wanted.account,
            code=wanted.code,
            since=wanted.since,
            request_id=wanted.campaign,
            limit=limit,
        )


def with_evidence(
    session: Session, submissions: "Sequence[UnknownSubmission]"
) -> list[ShownSubmission]:
    """Return submissions with what is shown beside them."""
    from worker.domain import msisdn
    from worker.store import events
    from worker.store.db import database
    from worker.store.settlement import unknown_messages

    with database.reading(session.engine) as connection:
        return [
            ShownSubmission(
                submission,
                [
                    msisdn.mask(number)
                    for number in unknown_messages.first_numbers(
                        connection, submission.id, SHOWN_NUMBERS
                    )
                ],
                events.of_submission(connection, submission.id),
            )
            for submission in submissions
        ]


def print_table(shown: Sequence[ShownSubmission]) -> None:
    """Print submissions as a table."""
    output.print_table(_COLUMNS, [submission.row() for submission in shown])
