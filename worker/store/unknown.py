"""Unknown submissions: what is known of them, how their doubt ends, and their one resend."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    case,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)

from worker.domain.enums import MessageClass, MessageState, Outcome
from worker.domain.enums import SubmissionState as S
from worker.gateways.base import Content
from worker.store import campaigns, messages
from worker.store.claims import Lease, under_way
from worker.store.db.clock import now
from worker.store.db.dialects import new_id
from worker.store.outcomes import close, succeed
from worker.store.requests import content_of
from worker.store.restored_backup import RESTORED
from worker.store.schema.tables import message, request, submission
from worker.store.submission_messages import carried_by

#: So many submissions may have been made in transactions that have not ended.
UNSEEN = 10_000


@dataclass(frozen=True, slots=True)
class UnknownSubmission:
    """An unknown submission, as whoever settles it sees it."""

    id: int
    fence: int
    account: str
    message_class: MessageClass
    request_id: int
    size: int
    segments: int
    code: str | None
    words: str | None
    called_at: datetime | None
    #: Whether it was sent once more.
    resent: bool
    #: Whether the gateway refused it for one number, and may have taken the others.
    refused: bool = False

    def units(self, unit: str) -> int:
        """What it would have added to a counter of segments or of messages."""
        return self.size * (self.segments if unit == "segments" else 1)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What our side says of an account since its counter was last read."""

    baseline: int | None
    #: When the last call was made before the counter last proved nothing.
    judged: str | None
    #: When the last call was made before the counter was read, and before now: by time and not by
    #: id, since a submission that waited is called after those that were made later.
    baseline_after: str | None
    last: str | None
    #: Submissions up to this id had all been called when the counter was read.
    floor: int
    #: What was accepted since, in the counter's unit.
    accepted: int
    unknown: tuple[UnknownSubmission, ...]
    under_way: int
    #: Seconds since the last call; None when there was none.
    silent: float | None

    def quiet(self, delay: float) -> bool:
        """Whether nothing is under way, and the last call was long enough ago."""
        return self.under_way == 0 and (self.silent is None or self.silent >= delay)

    def same_as(self, other: "Ledger") -> bool:
        """Whether nothing happened between the two."""
        mine = (self.last, self.accepted, self.unknown, self.under_way)
        return mine == (other.last, other.accepted, other.unknown, other.under_way)


def ledger(connection: Connection, account: str, baseline: Mapping[str, Any], unit: str) -> Ledger:
    """Return what happened at an account since the baseline of its counter."""
    floor, after = int(baseline.get("floor", 0)), baseline.get("called")
    since = [submission.c.account == account, submission.c.id > floor]
    if after is not None:
        since.append(submission.c.called_at > datetime.fromisoformat(after))
    units = submission.c.size * (submission.c.segments if unit == "segments" else literal(1))
    last, accepted, called = connection.execute(
        select(
            func.max(submission.c.called_at),
            func.sum(case((submission.c.state == S.ACCEPTED.value, units), else_=0)),
            func.max(func.coalesce(submission.c.answered_at, submission.c.called_at)),
        ).where(submission.c.called_at.is_not(None), *since)
    ).one()
    silent = None
    if called is not None:
        silent = (connection.execute(select(now())).scalar_one() - called).total_seconds()
    return Ledger(
        baseline.get("sent"),
        baseline.get("judged"),
        after,
        after if last is None else last.isoformat(),
        floor,
        int(accepted or 0),
        tuple(one for one in unknown_ones(connection, account=account) if _since(one, after)),
        under_way(connection).get(account, 0),
        silent,
    )


def _since(one: UnknownSubmission, after: str | None) -> bool:
    called = one.called_at
    return after is None or (called is not None and called > datetime.fromisoformat(after))


def floor(connection: Connection) -> int:
    """Return an id up to which every submission has been called, whoever is at it now."""
    lowest, last = select(func.min(submission.c.id)), select(func.max(submission.c.id))
    planned = connection.execute(lowest.where(submission.c.state == S.PLANNED.value)).scalar()
    leased = connection.execute(lowest.where(submission.c.lease_until.is_not(None))).scalar()
    # Transactions that have not ended yet may have made some below the last.
    ends = [(connection.execute(last).scalar() or 0) - UNSEEN]
    ends += [first - 1 for first in (planned, leased) if first is not None]
    return max(0, min(ends))


def unknown_ones(
    connection: Connection,
    *,
    account: str | None = None,
    ids: Collection[int] | None = None,
    limit: int = 1000,
) -> list[UnknownSubmission]:
    """Return unknown submissions, the oldest first."""
    again = submission.alias("again")
    resent = select(again.c.id).where(again.c.resend_of == submission.c.id).exists()
    query = select(submission, resent.label("resent")).where(submission.c.state == S.UNKNOWN.value)
    if account is not None:
        query = query.where(submission.c.account == account)
    if ids is not None:
        query = query.where(submission.c.id.in_(list(ids)))
    return [
        UnknownSubmission(
            row.id,
            row.fence,
            row.account,
            MessageClass(row.message_class),
            row.request_id,
            row.size,
            row.segments,
            row.code,
            row.words,
            row.called_at,
            bool(row.resent),
            row.outcome == Outcome.REJECTED.value,
        )
        for row in connection.execute(query.order_by(submission.c.id).limit(limit))
    ]


def repeatable(connection: Connection, account: str, limit: int) -> list[Lease]:
    """Return unknown submissions of an account that carried a reference and are valid still."""
    rows = connection.execute(
        select(submission)
        .where(
            submission.c.state == S.UNKNOWN.value,
            submission.c.account == account,
            submission.c.reference.is_not(None),
            submission.c.not_after > now(),
            submission.c.code.is_distinct_from(RESTORED),
        )
        .order_by(submission.c.id)
        .limit(limit)
    ).all()
    wanted = {row.request_id for row in rows}
    found = connection.execute(select(request).where(request.c.id.in_(wanted))) if rows else ()
    contents = {row.id: content_of(row) for row in found}
    return [
        replace(_as_lease(row), content=contents[row.request_id], reference=row.reference)
        for row in rows
    ]


def not_taken(
    connection: Connection,
    one: int,
    fence: int,
    go_on: Callable[[Lease, str | None, str], None] | None = None,
) -> bool:
    """End a doubt by proof that nothing was taken: `unknown` → `not_sent`, messages queued.

    `go_on` plans how they go on, and is told the outcome and the code; else they go as they were.
    Of a campaign that was cancelled meanwhile they are `cancelled`.
    """
    # Campaigns are locked before submissions, as those do who cancel them.
    its_request = select(submission.c.request_id).where(submission.c.id == one)
    cancelled = campaigns.cancelled(connection, connection.execute(its_request).scalars().all())
    row = connection.execute(
        select(submission)
        .where(
            submission.c.id == one,
            submission.c.fence == fence,
            submission.c.state == S.UNKNOWN.value,
        )
        .with_for_update()
    ).first()
    if row is None:
        return False
    connection.execute(
        update(submission)
        .where(submission.c.id == one)
        .values(state=S.NOT_SENT.value, outcome=Outcome.NOT_SENT.value)
    )
    if cancelled:
        messages.end_members(connection, [one], MessageState.CANCELLED)
    elif free_resend(connection, one):
        pass
    elif go_on is None:
        succeed(connection, _as_lease(row), None, wait=0.0, tries=row.attempts)
    else:
        go_on(_as_lease(row), row.outcome, row.code or "")
    return True


def _as_lease(row: Any) -> Lease:
    return Lease(
        row.id,
        row.fence,
        row.account,
        MessageClass(row.message_class),
        row.request_id,
        row.lo,
        row.hi,
        row.size,
        row.attempts,
        Content(""),
        "",
        row.resend_of,
    )


def resend(connection: Connection, one: int, only: MessageClass | None = None) -> int | None:
    """Plan to send once more what an unknown submission carried; returns the new one's id.

    Its messages name the new submission; the old one stays unknown, as it is. None when it was
    resent before, is a resend itself, is past its validity, or is not of the class `only`.
    """
    row = connection.execute(
        select(submission, (submission.c.not_after > now()).label("valid"))
        .where(submission.c.id == one, submission.c.state == S.UNKNOWN.value)
        .with_for_update()
    ).first()
    if row is None or not row.valid or row.resend_of is not None:
        return None
    if only is not None and row.message_class != only.value:
        return None
    before = select(submission.c.id).where(submission.c.resend_of == one)
    if connection.execute(before).first() is not None:
        return None
    planning = insert(submission).values(
        account=row.account,
        message_class=row.message_class,
        state=S.PLANNED.value,
        request_id=row.request_id,
        size=row.size,
        attempts=row.attempts,
        parent_id=one,
        resend_of=one,
        next_at=now(),
        not_after=row.not_after,
        created_at=now(),
    )
    made = new_id(connection.execute(planning))
    connection.execute(
        update(message).where(carried_by(row), message.c.state.is_(None)).values(submission_id=made)
    )
    return made


def free_resend(connection: Connection, one: int) -> bool:
    """Let the resend of what was provably not taken stand for itself; False when there is none.

    What becomes of it is from now on what becomes of its messages. One that did not go, and gave
    them back, is none.
    """
    mine = submission.c.resend_of == one
    carries = select(submission.c.id).where(mine, submission.c.state != S.NOT_SENT.value)
    there = connection.execute(carries).first() is not None
    connection.execute(update(submission).where(mine).values(resend_of=None))
    return there


def withdraw_resend(connection: Connection, one: int) -> None:
    """Give messages back to a submission whose doubt has ended, if their resend did not go yet."""
    waiting = connection.execute(
        select(submission.c.id)
        .where(submission.c.resend_of == one, submission.c.state == S.PLANNED.value)
        .with_for_update()
    ).scalars()
    for again in waiting.all():
        give_back(connection, again, one)
        close(connection, [again], S.PLANNED)


def withdraw(connection: Connection, ids: Collection[int]) -> None:
    """Give back what resends among these submissions carry, before they are cancelled."""
    again = select(submission.c.id, submission.c.resend_of).where(
        submission.c.id.in_(list(ids)), submission.c.resend_of.is_not(None)
    )
    for row in connection.execute(again).all():
        give_back(connection, row.id, row.resend_of)


def give_back(
    connection: Connection, again: int, one: int, only: Collection[tuple[int, int]] | None = None
) -> None:
    """Return messages from a resend to the unknown submission `one`: they are unknown again.

    Whatever became of the resend, the first may have been taken: nothing else would be true. It is
    left alone when the first was proven not taken meanwhile.
    """
    still = select(submission.c.resend_of).where(submission.c.id == again)
    if connection.execute(still).scalar() != one:
        return
    lo = connection.execute(select(submission.c.lo).where(submission.c.id == one)).scalar()
    where = [message.c.submission_id == again, message.c.state.is_(None)]
    if only is not None:
        where.append(tuple_(message.c.request_id, message.c.n).in_(list(only)))
    connection.execute(
        update(message).where(*where).values(submission_id=one if lo is None else None)
    )
