"""What submissions carry: the messages of their range, and those that name them."""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, func, or_, select

from worker.domain.enums import MessageState
from worker.store import opt_outs
from worker.store.claims import Lease
from worker.store.db.clock import now
from worker.store.db.dialects import one_of
from worker.store.schema.tables import message, request, submission

#: Messages looked at first for others that say the same.
_LOOKED_AT = 64


class SubmissionMessage(NamedTuple):
    """One message of a submission; `state` is the end that it has to take instead of being sent."""

    submission_id: int
    request_id: int
    n: int
    msisdn: str
    variables: Mapping[str, str] | None
    state: MessageState | None


def of(
    connection: Connection, ids: Collection[int], opt_out_classes: Collection[str]
) -> list[SubmissionMessage]:
    """Return the messages that submissions carry, each with the end it must take, if any.

    An end is `expired` (past its validity) or `suppressed` (opted out, for the classes where
    opt-outs hold). A message that has a state of its own is carried by nobody.
    """
    carriers = connection.execute(
        select(
            submission.c.id,
            submission.c.message_class,
            submission.c.request_id,
            submission.c.lo,
            submission.c.hi,
            (submission.c.not_after <= now()).label("late"),
        ).where(one_of(connection, submission.c.id, ids))
    ).all()
    ranged = [one for one in carriers if one.lo is not None]
    found = [
        *_alone(connection, [one.id for one in ranged if one.hi - one.lo == 1]),
        *_by_range(connection, [one for one in ranged if one.hi - one.lo > 1]),
        *_by_name(connection, ids),
    ]
    heeding = {one.id for one in carriers if one.message_class in opt_out_classes}
    return sorted(_suppressed(connection, found, heeding), key=itemgetter(0, 1, 2))


def _suppressed(
    connection: Connection, found: list[SubmissionMessage], heeding: Collection[int]
) -> list[SubmissionMessage]:
    """Give those their end who have opted out, in submissions that heed it."""
    gone = opt_outs.among(connection, [one.msisdn for one in found if one.submission_id in heeding])
    if not gone:
        return found
    return [
        one._replace(state=one.state or MessageState.SUPPRESSED)
        if one.msisdn in gone and one.submission_id in heeding
        else one
        for one in found
    ]


def carried(
    connection: Connection, leases: Collection[Lease], opt_out_classes: Collection[str]
) -> list[SubmissionMessage]:
    """Return the messages of leases, as `of` does; of fresh singles by one short statement.

    Those that were read with the claim are not read again.
    """
    fresh = [one for one in leases if one.fresh and one.size == 1]
    others = [one.id for one in leases if not (one.fresh and one.size == 1)]
    found = of(connection, others, opt_out_classes) if others else []
    heeding = {one.id for one in fresh if one.message_class.value in opt_out_classes}
    alone = list(_alone(connection, [one.id for one in fresh if one.alone is None]))
    alone += [
        SubmissionMessage(one.id, one.request_id, one.lo, *said, None)
        for one in fresh
        for said in one.alone or ()
        if one.lo is not None
    ]
    return found + _suppressed(connection, alone, heeding)


def numbers(
    connection: Connection, ids: Collection[int], opt_out_classes: Collection[str]
) -> dict[int, tuple[str, ...]]:
    """Return the numbers that submissions carry whose messages are a range and nothing else.

    One value for each submission, not a row for each message. Left out is a submission of which a
    message has to take an end, or none is left: `of` tells these apart.
    """
    said = func.aggregate_strings(message.c.msisdn, ",")
    waiting = and_(_in_range(submission.c), message.c.state.is_(None))
    in_range = select(said).where(waiting).scalar_subquery()
    rows = connection.execute(
        select(submission.c.id, submission.c.message_class, in_range.label("numbers")).where(
            one_of(connection, submission.c.id, ids),
            or_(submission.c.not_after.is_(None), submission.c.not_after > now()),
        )
    ).all()
    found = {row.id: tuple(row.numbers.split(",")) for row in rows if row.numbers}
    heeding = [row.id for row in rows if row.message_class in opt_out_classes and row.numbers]
    asked = [number for one in heeding for number in found[one]]
    if gone := opt_outs.among(connection, asked):
        for one in heeding:
            if not gone.isdisjoint(found[one]):
                del found[one]
    return found


def _alone(connection: Connection, ids: Collection[int]) -> Iterator[SubmissionMessage]:
    """Find the messages of submissions whose range is one message, all in one go."""
    if not ids:
        return
    its_own = and_(message.c.request_id == submission.c.request_id, message.c.n == submission.c.lo)
    rows = connection.execute(
        select(
            submission.c.id,
            message.c.request_id,
            message.c.n,
            message.c.msisdn,
            message.c.variables,
            (submission.c.not_after <= now()).label("late"),
        )
        .join(message, its_own)
        .where(
            one_of(connection, submission.c.id, ids),
            message.c.submission_id.is_(None),
            message.c.state.is_(None),
        )
    )
    for one, request_id, n, msisdn, own, late in rows:
        state = MessageState.EXPIRED if late else None
        yield SubmissionMessage(one, request_id, n, msisdn, dict(own) if own else None, state)


def _by_range(connection: Connection, carriers: Sequence[Any]) -> Iterator[SubmissionMessage]:
    """Find the messages in the ranges of submissions; those that follow each other in one go."""
    ranged = sorted(carriers, key=lambda one: (one.request_id, one.lo))
    while ranged:
        its_own = [ranged.pop(0)]
        while ranged and (ranged[0].request_id, ranged[0].lo) == (
            its_own[-1].request_id,
            its_own[-1].hi,
        ):
            its_own.append(ranged.pop(0))
        rows = connection.execute(
            select(message.c.n, message.c.msisdn, message.c.variables)
            .where(
                message.c.request_id == its_own[0].request_id,
                message.c.n >= its_own[0].lo,
                message.c.n < its_own[-1].hi,
                message.c.submission_id.is_(None),
                message.c.state.is_(None),
            )
            .order_by(message.c.n)
        ).all()
        at = 0
        for one in its_own:
            end = bisect_left(rows, one.hi, lo=at, key=itemgetter(0))
            state = MessageState.EXPIRED if one.late else None
            for n, msisdn, own in rows[at:end]:
                yield SubmissionMessage(
                    one.id, one.request_id, n, msisdn, dict(own) if own else None, state
                )
            at = end


def _by_name(connection: Connection, ids: Collection[int]) -> Iterator[SubmissionMessage]:
    """Find the messages that name their submission, which may be of several requests."""
    rows = connection.execute(
        select(
            message.c.submission_id,
            message.c.request_id,
            message.c.n,
            message.c.msisdn,
            message.c.variables,
            # Each is valid for as long as its own request.
            (request.c.not_after <= now()).label("late"),
        )
        .join(request, request.c.id == message.c.request_id)
        .where(one_of(connection, message.c.submission_id, ids), message.c.state.is_(None))
    )
    for one, of, n, msisdn, own, late in rows:
        state = MessageState.EXPIRED if late else None
        yield SubmissionMessage(one, of, n, msisdn, dict(own) if own else None, state)


def carried_by(row: Any) -> Any:
    """Its messages: those of its range that name no other submission, and those that name it."""
    named = message.c.submission_id == row.id
    if row.lo is None:
        return named
    return or_(named, _in_range(row))


def _in_range(row: Any) -> Any:
    return and_(
        message.c.request_id == row.request_id,
        message.c.n >= row.lo,
        message.c.n < row.hi,
        message.c.submission_id.is_(None),
    )


def number(connection: Connection, request_id: int, n: int) -> str | None:
    """Return the number of a message; None when there is no such message."""
    return connection.execute(
        select(message.c.msisdn).where(message.c.request_id == request_id, message.c.n == n)
    ).scalar()


def alike(
    connection: Connection, request_id: int, bounds: tuple[int, int], cap: int, most: int
) -> list[tuple[int, int]]:
    """Cut messages `lo <= n < hi` into ranges that say the same, the first `most` of them.

    No range has more than `cap` messages. It looks no further than it has to.
    """
    begin, end = at, hi = bounds
    found: list[tuple[int, int]] = []
    said, step = None, _LOOKED_AT
    while at < hi:
        rows = connection.execute(
            select(message.c.variables)
            .where(message.c.request_id == request_id, message.c.n >= at, message.c.n < at + step)
            .order_by(message.c.n)
            .limit(hi - at)
        ).scalars()
        for n, own in enumerate(rows, at):
            if n > begin and (own != said or n - begin == cap):
                found.append((begin, n))
                begin = n
                if len(found) == most:
                    return found
            said = own
        at, step = at + step, min(2 * step, cap)
    return [*found, (begin, end)]
