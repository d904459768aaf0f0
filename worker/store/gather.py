"""Single messages that are gathered into one submission, because a gateway wants few of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, func, insert, or_, select, tuple_, update

from worker.domain.enums import MessageClass, MessageState
from worker.domain.enums import SubmissionState as S
from worker.gateways.base import Content
from worker.store import outcomes, submission_messages
from worker.store.claims import Lease
from worker.store.db.clock import later, now
from worker.store.db.dialects import new_id
from worker.store.requests import content_of
from worker.store.schema.tables import (
    account_state,
    campaign,
    message,
    request,
    submission,
)

#: Messages named in one statement.
MANY = 400


@dataclass(frozen=True, slots=True)
class Single:
    """One message that waits alone: as a fresh request, or as a planned submission of its own."""

    request_id: int
    n: int
    msisdn: str
    account: str | None
    content: Content
    kinds: str
    #: The planned submission that carries it; None while it is fresh.
    submission_id: int | None
    attempts: int
    #: Since when it waits, and how long that is, in seconds.
    since: datetime
    waited: float


def ask_for(connection: Connection, account: str, seconds: float) -> None:
    """Let equal singles of an account be gathered for so many seconds from now on."""
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account)
        .values(gather_until=later(seconds))
    )


_of_campaign = exists().where(campaign.c.request_id == request.c.id)


def fresh(
    connection: Connection, message_class: MessageClass, within: float, limit: int
) -> list[Single]:
    """Lock fresh requests for one message that are due `within` seconds, the oldest first."""
    rows = connection.execute(
        select(request, now().label("at"))
        .where(
            request.c.message_class == message_class.value,
            request.c.next_at <= later(within),
            request.c.total == 1,
            request.c.next_n == 0,
            request.c.rest == MessageState.QUEUED.value,
            or_(request.c.not_before.is_(None), request.c.not_before <= now()),
            ~_of_campaign,
        )
        .order_by(request.c.next_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    plain = _plain(connection, [row.id for row in rows])
    return [
        _single(row, row, plain[row.id], None, 0, max(row.created_at, row.not_before or _EVER))
        for row in rows
        if row.id in plain
    ]


_EVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _plain(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[int, str]]:
    """Return the number of each request's message, unless that has gone or ended already."""
    found: dict[int, tuple[int, str]] = {}
    for first in range(0, len(ids), MANY):
        rows = connection.execute(
            select(message.c.request_id, message.c.n, message.c.msisdn).where(
                message.c.request_id.in_(ids[first : first + MANY]),
                message.c.n == 0,
                message.c.state.is_(None),
                message.c.submission_id.is_(None),
                message.c.variables.is_(None),
            )
        )
        found |= {row.request_id: (row.n, row.msisdn) for row in rows}
    return found


def planned(
    connection: Connection, message_class: MessageClass, within: float, limit: int
) -> list[Single]:
    """Lock planned submissions of one message that are due `within` seconds, the oldest first."""
    rows = connection.execute(
        select(submission, now().label("at"))
        .where(
            submission.c.message_class == message_class.value,
            submission.c.state == S.PLANNED.value,
            submission.c.next_at <= later(within),
            submission.c.size == 1,
            submission.c.resend_of.is_(None),
            ~exists().where(campaign.c.request_id == submission.c.request_id),
        )
        .order_by(submission.c.next_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not rows:
        return []
    carried = {
        one.submission_id: one
        for one in submission_messages.of(connection, [row.id for row in rows], ())
        if one.state is None and one.variables is None
    }
    wanted = {one.request_id for one in carried.values()}
    found = connection.execute(select(request).where(request.c.id.in_(wanted)))
    requests = {row.id: row for row in found}
    return [
        _single(
            row,
            requests[one.request_id],
            (one.n, one.msisdn),
            row.id,
            row.attempts,
            row.created_at,
        )
        for row in rows
        if (one := carried.get(row.id)) is not None
    ]


def _single(
    row: Any,
    its_request: Any,
    its_message: tuple[int, str],
    submission_id: int | None,
    attempts: int,
    since: datetime,
) -> Single:
    return Single(
        its_request.id,
        *its_message,
        its_request.account,
        content_of(its_request),
        its_request.kinds,
        submission_id,
        attempts,
        since,
        (row.at - since).total_seconds(),
    )


def wait(connection: Connection, singles: Collection[Single], seconds: float) -> None:
    """Let singles wait for each other for so many seconds."""
    ids = [one.submission_id for one in singles if one.submission_id is not None]
    of = [one.request_id for one in singles if one.submission_id is None]
    if ids:
        connection.execute(
            update(submission)
            .where(submission.c.id.in_(ids), submission.c.state == S.PLANNED.value)
            .values(next_at=later(seconds))
        )
    if of:
        connection.execute(
            update(request)
            .where(request.c.id.in_(of), request.c.next_at.is_not(None))
            .values(next_at=later(seconds))
        )


def open_together(
    connection: Connection,
    singles: Sequence[Single],
    lease: Lease,
    *,
    segments: int,
    seconds: float,
    owner: str,
) -> int:
    """Insert a submission that carries locked singles, in flight from the start; returns its id.

    Its messages name it, requests have handed theirs out, what was planned for them has ended. It
    is valid until the first of them is not.
    """
    of = [one.request_id for one in singles]
    earliest = select(func.min(request.c.not_after)).where(request.c.id.in_(of))
    made = new_id(
        connection.execute(
            insert(submission).values(
                account=lease.account,
                message_class=lease.message_class.value,
                state=S.IN_FLIGHT.value,
                request_id=lease.request_id,
                size=len(singles),
                segments=segments,
                fence=lease.fence,
                owner=owner,
                attempts=lease.attempts,
                reference=lease.reference or None,
                parent_id=next((one.submission_id for one in singles if one.submission_id), None),
                lease_until=later(seconds),
                created_at=now(),
                called_at=now(),
                not_after=earliest.scalar_subquery(),
            )
        )
    )
    named = [(one.request_id, one.n) for one in singles]
    for first in range(0, len(named), MANY):
        connection.execute(
            update(message)
            .where(
                tuple_(message.c.request_id, message.c.n).in_(named[first : first + MANY]),
                message.c.state.is_(None),
            )
            .values(submission_id=made)
        )
    handed_out = [one.request_id for one in singles if one.submission_id is None]
    if handed_out:
        connection.execute(
            update(request)
            .where(request.c.id.in_(handed_out), request.c.next_n == 0)
            .values(next_n=1, next_at=None)
        )
    ended = [one.submission_id for one in singles if one.submission_id is not None]
    if ended:
        outcomes.close(connection, ended, S.PLANNED)
    return made


def by_content(singles: Sequence[Single]) -> Mapping[str, list[Single]]:
    """Sort singles by what they have in common: content, kind of number, the account they name."""
    found: dict[str, list[Single]] = {}
    for one in singles:
        found.setdefault(key(one.account, one.content, one.kinds), []).append(one)
    return found


def key(account: str | None, content: Content, kinds: str) -> str:
    """Return what is the same for singles that one submission can carry."""
    variables = list(content.variables.items())
    options = sorted(content.options.items(), key=lambda each: each[0])
    shared = (account, content.text, content.template, content.extension, variables, options, kinds)
    return repr(shared)
