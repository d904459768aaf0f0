"""Claim planned submissions and write them ahead; every write is guarded by state and fence.

`new_submissions` inserts submissions; `outcomes` writes what becomes of their calls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, Integer, bindparam, exists, func, select, update

from worker.domain.enums import MessageClass, SubmissionState
from worker.domain.renderings import Rendering, TemplateKey
from worker.domain.transitions import SENDING_CAMPAIGN_STATES
from worker.gateways.base import Content
from worker.store.db.clock import later, now
from worker.store.db.dialects import is_any_of
from worker.store.intake.requests import content_of, request_rows, template_of
from worker.store.schema.tables import campaign, submission


@dataclass(frozen=True, slots=True)
class Lease:
    """The exclusive right to call the gateway for a submission, until a time and under a fence.

    `lo` and `hi` bound its messages in the request; both are None when the messages name the
    submission themselves.
    """

    id: int
    fence: int
    account: str
    message_class: MessageClass
    request_id: int
    lo: int | None
    hi: int | None
    size: int
    #: How many tries count so far, including the call that this lease is for.
    attempts: int
    content: Content
    reference: str
    #: The unknown submission whose messages this one sends once more.
    resend_of: int | None = None
    #: The receipt of its concurrency slot in Redis; "" where the database counts the slots.
    permit: str = ""
    #: Whether its submission was inserted by this claim: no message names that submission yet.
    fresh: bool = False
    #: Whether its messages have variables of their own.
    personal: bool = False
    #: Whether it is the probe of a doubtful account, which waits for the answer.
    probe: bool = False
    #: The rendering of its template, and the binding that it is of; None where its text goes as it
    #: is. Of a lease that was read from a spool only the binding is known.
    rendering: Rendering | None = None
    binding_id: int | None = None
    #: What cannot carry its messages in the form that they have: bindings by id, accounts by name.
    barred: tuple[int | str, ...] = ()
    #: The segments of each message as they were written with the claim; 0 where that is not known.
    segments: int = 0
    #: The message of a fresh single, where the claim has read it: () when that message has ended,
    #: None when the claim has read nothing.
    prefetched_messages: "tuple[SingleMessage, ...] | None" = None

    @property
    def is_plain_range(self) -> bool:
        """Whether it is a fresh range of several messages that differ in their numbers only."""
        return self.fresh and self.size > 1 and not self.personal


class SingleMessage(NamedTuple):
    """The number and the variables of a message that is alone in its submission."""

    msisdn: str
    variables: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class PlannedSubmission:
    """A submission that waits for its time, with what is needed to choose its account anew."""

    id: int
    fence: int
    account: str
    #: The account that its request names, if it names one.
    requested_account: str | None
    message_class: MessageClass
    request_id: int
    lo: int | None
    hi: int | None
    size: int
    attempts: int
    content: Content
    kinds: str
    #: The unknown submission whose messages this one sends once more.
    resend_of: int | None
    #: The registered template that its request names, if it names one.
    template: TemplateKey | None = None
    #: What cannot carry its messages in their form.
    barred: tuple[int | str, ...] = ()
    #: Whether its messages have variables of their own.
    personal: bool = False
    #: The code with which a gateway refused it last in its form, or why it waits.
    code: str = ""


#: Whether a submission belongs to a campaign that is stopped: it waits until that is resumed.
in_stopped_campaign = exists().where(
    campaign.c.request_id == submission.c.request_id,
    campaign.c.state.not_in([state.value for state in SENDING_CAMPAIGN_STATES]),
)


# These statements run in each claim and are built once.
_is_due = (
    submission.c.message_class == bindparam("of"),
    submission.c.state == SubmissionState.PLANNED.value,
    submission.c.next_at <= now(),
    ~in_stopped_campaign,
)
#: Whether `lock_due` would return anything for the class `of`.
due_submission_exists = exists().where(*_is_due)
_select_due = (
    select(submission)
    .where(*_is_due)
    .order_by(submission.c.next_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)


def lock_due(
    connection: Connection, message_class: MessageClass, limit: int
) -> list[PlannedSubmission]:
    """Lock up to `limit` planned submissions whose time has come, the longest waiting first."""
    rows = connection.execute(_select_due, {"of": message_class.value, "most": limit}).all()
    rows_by_request = request_rows(connection, {row.request_id for row in rows})
    return [_planned_submission(row, rows_by_request[row.request_id]) for row in rows]


def _planned_submission(row: Any, request_row: Any) -> PlannedSubmission:
    return PlannedSubmission(
        row.id,
        row.fence,
        row.account,
        request_row.account,
        MessageClass(row.message_class),
        row.request_id,
        row.lo,
        row.hi,
        row.size,
        row.attempts,
        content_of(request_row),
        request_row.kinds,
        row.resend_of,
        template_of(request_row),
        tuple(row.barred or ()),
        bool(request_row.personal),
        row.code or "",
    )


def write_ahead(
    connection: Connection,
    planned: PlannedSubmission,
    account: str,
    segments: int,
    reference: str,
    *,
    seconds: float,
    owner: str,
    binding_id: int | None = None,
) -> Lease | None:
    """Write a planned submission ahead: `planned` → `in_flight`, fence + 1.

    Returns its lease, for `seconds`; None when another worker has it already. Once this is
    committed, what becomes of its messages is unknown until it is proven.
    """
    updated = connection.execute(
        update(submission)
        .where(
            submission.c.id == planned.id,
            submission.c.state == SubmissionState.PLANNED.value,
            submission.c.fence == planned.fence,
        )
        .values(
            state=SubmissionState.IN_FLIGHT.value,
            fence=planned.fence + 1,
            account=account,
            segments=segments,
            segment_sum=None,
            binding_id=binding_id,
            reference=reference or None,
            lease_until=later(seconds),
            owner=owner,
            attempts=planned.attempts + 1,
            called_at=now(),
        )
    )
    if updated.rowcount != 1:
        return None
    lease = _lease_of(planned, account, reference)
    return replace(lease, binding_id=binding_id, segments=segments)


def _lease_of(planned: PlannedSubmission, account: str, reference: str) -> Lease:
    """Return the lease of a submission that has just been written ahead for an account."""
    return Lease(
        planned.id,
        planned.fence + 1,
        account,
        planned.message_class,
        planned.request_id,
        planned.lo,
        planned.hi,
        planned.size,
        planned.attempts + 1,
        planned.content,
        reference,
        planned.resend_of,
        personal=planned.personal,
        barred=planned.barred,
    )


def postpone(connection: Connection, submission_id: int, seconds: float) -> None:
    """Let a planned submission wait for `seconds`, because no account can take it now."""
    connection.execute(
        update(submission)
        .where(
            submission.c.id == submission_id, submission.c.state == SubmissionState.PLANNED.value
        )
        .values(next_at=later(seconds))
    )


def in_flight_ids(connection: Connection, leases: Sequence[Lease]) -> set[int]:
    """Return the ids of the submissions that are in flight under the fences of these leases."""
    fences = {lease.id: lease.fence for lease in leases}
    rows = connection.execute(
        select(submission.c.id, submission.c.fence).where(
            is_any_of(connection, submission.c.id, fences),
            submission.c.state == SubmissionState.IN_FLIGHT.value,
        )
    )
    return {row.id for row in rows if fences[row.id] == row.fence}


def count_in_flight(connection: Connection) -> dict[str, int]:
    """Count the submissions that are in flight, by account."""
    rows = connection.execute(
        select(submission.c.account, func.count())
        .where(submission.c.lease_until.is_not(None))
        .group_by(submission.c.account)
    )
    return dict(rows.all())
