"""Count a campaign's messages by state, without looking at each of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, literal, select

from worker.domain.enums import CampaignState, MessageClass, SubmissionState
from worker.domain.transitions import MESSAGE_STATE_OF, OPEN_STATES
from worker.store.db.clock import now
from worker.store.schema import views
from worker.store.schema.tables import campaign, message, request, submission


@dataclass(frozen=True, slots=True)
class CampaignProgress:
    """How far a campaign is: `states` counts its messages by state, and sums up to `total`."""

    id: int
    name: str
    state: CampaignState
    total: int
    states: Mapping[str, int]
    message_class: str
    account: str | None
    retry_of: int | None
    left_out: Mapping[str, int]
    #: Its messages are sent after `not_before` and before `not_after`; None is no bound.
    not_before: datetime | None
    not_after: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    #: Its text, as it is sent or with `{name}`; None for codes and for a gateway's template.
    text: str | None
    #: How many texts have how many segments, and the first texts of rows that have values.
    segments: Mapping[str, int]
    samples: Sequence[Mapping[str, Any]]
    #: The idempotency key and the metadata of its request.
    key: str | None
    metadata: Mapping[str, str]

    @property
    def open(self) -> int:
        """How many messages are still queued or submitting."""
        return sum(self.states.get(state.value, 0) for state in OPEN_STATES)


def progress_of(connection: Connection, request_id: int) -> CampaignProgress | None:
    """Return a campaign with the counts of its messages; None when there is no such campaign."""
    is_scheduled = and_(
        campaign.c.state == CampaignState.RUNNING.value, request.c.not_before > now()
    )
    row = connection.execute(
        select(campaign, request, is_scheduled.label("is_scheduled"))
        .join(request, request.c.id == campaign.c.request_id)
        .where(campaign.c.request_id == request_id)
    ).first()
    if row is None:
        return None
    is_ours = not row.template or row.template_version is not None
    has_shown_text = row.message_class != MessageClass.OTP.value and is_ours
    preview = row.preview or {}
    return CampaignProgress(
        request_id,
        row.name,
        CampaignState.SCHEDULED if row.is_scheduled else CampaignState(row.state),
        row.total,
        count_by_state(connection, request_id),
        row.message_class,
        row.account,
        row.retry_of,
        row.left_out or {},
        row.not_before,
        row.not_after,
        row.created_at,
        _began_at(row),
        row.finished_at,
        row.text if has_shown_text else None,
        preview.get("segments", {}),
        preview.get("samples", ()),
        row.key,
        row.metadata or {},
    )


def _began_at(row: Row[Any]) -> datetime | None:
    """Return when a campaign's messages began to be handed out; None while its time has not come.

    It may have been started long before.
    """
    if row.is_scheduled or row.started_at is None:
        return None
    began_at: datetime = max(row.started_at, row.not_before or row.started_at)
    return began_at


def count_by_state(connection: Connection, request_id: int) -> dict[str, int]:
    """Count a request's messages by state; the counts sum up to its total.

    A submission counts for the messages of its range, and the request's `rest` for those that were
    not handed out. Messages that have a state or a submission of their own are left out of these
    and counted by themselves.
    """
    counts: Counter[str] = Counter()
    for submission_state, number in _count_ranges(connection, request_id):
        counts[MESSAGE_STATE_OF[SubmissionState(submission_state)].value] += int(number)
    rest_state, number = _count_rest(connection, request_id)
    counts[rest_state] += int(number)
    for state, number in _count_with_state(connection, request_id):
        counts[state] += number
    for state, number in _count_with_submission(connection, request_id):
        counts[state] += number
    return {state: number for state, number in counts.items() if number}


_has_state = message.c.state.is_not(None)
_has_submission = and_(message.c.state.is_(None), message.c.submission_id.is_not(None))


def _exceptions(request_id: Any, lo: Any, hi: Any) -> Any:
    """Select how many messages of a range are counted by themselves.

    Two subqueries, each for an index of its own.
    """
    in_range = [message.c.request_id == request_id, message.c.n >= lo]
    if hi is not None:
        in_range.append(message.c.n < hi)
    return sum(
        (
            select(func.count()).select_from(message).where(*in_range, exception).scalar_subquery()
            for exception in (_has_state, _has_submission)
        ),
        start=literal(0),
    )


def _count_ranges(connection: Connection, request_id: int) -> list[Any]:
    """Count the messages that are in the ranges of submissions, by the submissions' states."""
    plain_counts = (
        select(
            submission.c.state,
            (
                submission.c.hi
                - submission.c.lo
                - _exceptions(submission.c.request_id, submission.c.lo, submission.c.hi)
            ).label("plain"),
        )
        .where(
            submission.c.request_id == request_id,
            submission.c.lo.is_not(None),
            submission.c.state != SubmissionState.NOT_SENT.value,
        )
        .subquery()
    )
    return list(
        connection.execute(
            select(plain_counts.c.state, func.sum(plain_counts.c.plain)).group_by(
                plain_counts.c.state
            )
        )
    )


def _count_rest(connection: Connection, request_id: int) -> Any:
    """Return the state of the messages that were not handed out, and how many they are."""
    return connection.execute(
        select(
            request.c.rest,
            request.c.total - request.c.next_n - _exceptions(request.c.id, request.c.next_n, None),
        ).where(request.c.id == request_id)
    ).one()


def _count_with_state(connection: Connection, request_id: int) -> list[Any]:
    """Count the messages that have a state of their own, by that state."""
    return list(
        connection.execute(
            select(message.c.state, func.count())
            .where(message.c.request_id == request_id, _has_state)
            .group_by(message.c.state)
        )
    )


def _count_with_submission(connection: Connection, request_id: int) -> list[Any]:
    """Count the messages that name their submission, by what that says of them."""
    return list(
        connection.execute(
            select(views.state_by_submission, func.count())
            .select_from(message)
            .join(submission, submission.c.id == message.c.submission_id)
            .where(message.c.request_id == request_id, _has_submission)
            .group_by(views.state_by_submission)
        )
    )
