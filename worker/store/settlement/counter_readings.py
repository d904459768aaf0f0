"""Read what was sent through an account since its sent counter was last read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, select

from worker.domain.enums import SubmissionState
from worker.store.db.clock import now
from worker.store.delivery.claims import count_in_flight
from worker.store.schema.tables import submission
from worker.store.settlement.unknown import UnknownSubmission, unknown_submissions

#: How many submissions may have been inserted by transactions that are not committed yet.
MAX_UNCOMMITTED_SUBMISSIONS = 10_000


@dataclass(frozen=True, slots=True)
class SentSinceReading:
    """What was sent through an account, as we know it, since its sent counter was last read."""

    #: What the counter said when it was last read; None when it never was.
    baseline: int | None
    #: When the last call was made before the counter last proved nothing.
    last_call_when_judged: str | None
    #: When the last call was made before the counter was read. By time and not by id, since a
    #: submission that waited is called after those that were inserted later.
    last_call_when_read: str | None
    #: When the last call was made before now.
    last_call: str | None
    #: Submissions up to this id had all been called when the counter was read.
    floor: int
    #: What was accepted since, in the counter's unit.
    accepted_units: int
    unknown: tuple[UnknownSubmission, ...]
    #: How many submissions are in flight.
    in_flight: int
    #: Seconds since the last call; None when there was none.
    silent_seconds: float | None

    def is_quiet(self, delay: float) -> bool:
        """Tell whether nothing is in flight, and the last call is at least `delay` seconds ago."""
        return self.in_flight == 0 and (self.silent_seconds is None or self.silent_seconds >= delay)

    def same_as(self, other: "SentSinceReading") -> bool:
        """Tell whether nothing was sent or settled between the two."""
        activity = (self.last_call, self.accepted_units, self.unknown, self.in_flight)
        return activity == (
            other.last_call,
            other.accepted_units,
            other.unknown,
            other.in_flight,
        )


def sent_since_reading(
    connection: Connection, account: str, baseline: Mapping[str, Any], unit: str
) -> SentSinceReading:
    """Return what was sent through an account since `baseline`, the last reading of its counter."""
    floor, last_call_when_read = int(baseline.get("floor", 0)), baseline.get("called")
    is_since = [submission.c.account == account, submission.c.id > floor]
    if last_call_when_read is not None:
        is_since.append(submission.c.called_at > datetime.fromisoformat(last_call_when_read))
    segment_sum = func.coalesce(submission.c.segment_sum, submission.c.size * submission.c.segments)
    units = segment_sum if unit == "segments" else submission.c.size
    last_call, accepted_units, last_activity = connection.execute(
        select(
            func.max(submission.c.called_at),
            func.sum(case((submission.c.state == SubmissionState.ACCEPTED.value, units), else_=0)),
            func.max(func.coalesce(submission.c.answered_at, submission.c.called_at)),
        ).where(submission.c.called_at.is_not(None), *is_since)
    ).one()
    silent_seconds = None
    if last_activity is not None:
        silence = connection.execute(select(now())).scalar_one() - last_activity
        silent_seconds = silence.total_seconds()
    return SentSinceReading(
        baseline.get("sent"),
        baseline.get("judged"),
        last_call_when_read,
        last_call_when_read if last_call is None else last_call.isoformat(),
        floor,
        int(accepted_units or 0),
        tuple(
            unknown
            for unknown in unknown_submissions(connection, account=account)
            if _was_called_after(unknown, last_call_when_read)
        ),
        count_in_flight(connection).get(account, 0),
        silent_seconds,
    )


def _was_called_after(unknown: UnknownSubmission, moment: str | None) -> bool:
    if moment is None:
        return True
    return unknown.called_at is not None and unknown.called_at > datetime.fromisoformat(moment)


def called_up_to(connection: Connection) -> int:
    """Return an id up to which every submission has been called, by any worker."""
    lowest_id, last_id = select(func.min(submission.c.id)), select(func.max(submission.c.id))
    first_planned = connection.execute(
        lowest_id.where(submission.c.state == SubmissionState.PLANNED.value)
    ).scalar()
    first_leased = connection.execute(
        lowest_id.where(submission.c.lease_until.is_not(None))
    ).scalar()
    # Transactions that have not ended yet may have inserted some below the last.
    ends = [(connection.execute(last_id).scalar() or 0) - MAX_UNCOMMITTED_SUBMISSIONS]
    ends += [first_id - 1 for first_id in (first_planned, first_leased) if first_id is not None]
    return max(0, min(ends))
