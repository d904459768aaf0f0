"""Read and assign the messages of submissions: those of their range, and those that name them.

A message is carried by one submission at a time: by the one that it names, else by the one whose
range it is in. A message that has a state of its own is carried by none.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, func, or_, select, tuple_, update

from worker.domain.enums import MessageState, OptOutScope
from worker.domain.message_ranges import MessageKey
from worker.store.db.clock import now
from worker.store.db.dialects import is_any_of
from worker.store.delivery.claims import Lease
from worker.store.feedback import opt_outs
from worker.store.schema.tables import message, request, submission

#: How many messages one statement names.
MESSAGES_PER_STATEMENT = 400
#: How many messages are read first to find where the variables change.
_FIRST_LOOK = 64


class SubmissionMessage(NamedTuple):
    """A message of a submission; `state` is the end that it has to take instead of being sent."""

    submission_id: int
    request_id: int
    n: int
    msisdn: str
    variables: Mapping[str, str] | None
    state: MessageState | None

    @property
    def key(self) -> MessageKey:
        """The request and the number within it, which name the message."""
        return self.request_id, self.n


def of_submissions(
    connection: Connection, ids: Collection[int], opt_out_classes: Collection[str]
) -> list[SubmissionMessage]:
    """Return the messages that submissions carry, each with the end it must take, if any.

    An end is `expired` (past its validity) or `suppressed` (opted out, for the classes where
    opt-outs hold). A message that has a state of its own is left out. They are in the order of
    submission, request and number.
    """
    carriers = connection.execute(
        select(
            submission.c.id,
            submission.c.message_class,
            submission.c.request_id,
            submission.c.lo,
            submission.c.hi,
            (submission.c.not_after <= now()).label("late"),
        ).where(is_any_of(connection, submission.c.id, ids))
    ).all()
    ranged = [carrier for carrier in carriers if carrier.lo is not None]
    carried = [
        *_of_single_ranges(
            connection, [carrier.id for carrier in ranged if carrier.hi - carrier.lo == 1]
        ),
        *_of_ranges(connection, [carrier for carrier in ranged if carrier.hi - carrier.lo > 1]),
        *_naming(connection, ids),
    ]
    heeding_ids = {carrier.id for carrier in carriers if carrier.message_class in opt_out_classes}
    return sorted(_suppress(connection, carried, heeding_ids), key=itemgetter(0, 1, 2))


def _suppress(
    connection: Connection, messages: list[SubmissionMessage], heeding_ids: Collection[int]
) -> list[SubmissionMessage]:
    """Return messages, with the end `suppressed` for those whose numbers have opted out.

    In the submissions of `heeding_ids`, for whose class opt-outs hold; in the others only where a
    number has opted out of everything. An end that a message has already stays.
    """
    heeding = [carried.msisdn for carried in messages if carried.submission_id in heeding_ids]
    others = [carried.msisdn for carried in messages if carried.submission_id not in heeding_ids]
    opted_out = opt_outs.find(connection, heeding)
    out_of_all = opt_outs.find(connection, others, [OptOutScope.ALL])
    if not opted_out and not out_of_all:
        return messages
    return [
        carried._replace(state=carried.state or MessageState.SUPPRESSED)
        if carried.msisdn in (opted_out if carried.submission_id in heeding_ids else out_of_all)
        else carried
        for carried in messages
    ]


def of_leases(
    connection: Connection, leases: Collection[Lease], opt_out_classes: Collection[str]
) -> list[SubmissionMessage]:
    """Return the messages of leases, as `of_submissions` does; of fresh singles by one short query.

    Those that were read with the claim are not read again.
    """
    fresh_singles = [lease for lease in leases if lease.fresh and lease.size == 1]
    other_ids = [lease.id for lease in leases if not (lease.fresh and lease.size == 1)]
    messages = of_submissions(connection, other_ids, opt_out_classes) if other_ids else []
    heeding_ids = {
        lease.id for lease in fresh_singles if lease.message_class.value in opt_out_classes
    }
    unread_ids = [lease.id for lease in fresh_singles if lease.prefetched_messages is None]
    singles = list(_of_single_ranges(connection, unread_ids))
    singles += [
        SubmissionMessage(lease.id, lease.request_id, lease.lo, *prefetched, None)
        for lease in fresh_singles
        for prefetched in lease.prefetched_messages or ()
        if lease.lo is not None
    ]
    return messages + _suppress(connection, singles, heeding_ids)


def range_numbers(
    connection: Connection, ids: Collection[int], opt_out_classes: Collection[str]
) -> dict[int, tuple[str, ...]]:
    """Return the numbers of submissions whose messages are a range and nothing else, by id.

    One value for each submission, not a row for each message. A submission is left out when one of
    its messages has to take an end, or has one: `of_submissions` tells these apart.
    """
    joined_numbers = func.aggregate_strings(message.c.msisdn, ",")
    is_waiting = and_(_is_in_range(submission.c), message.c.state.is_(None))
    in_range = select(joined_numbers).where(is_waiting).scalar_subquery()
    rows = connection.execute(
        select(
            submission.c.id,
            submission.c.message_class,
            submission.c.lo,
            submission.c.hi,
            in_range.label("numbers"),
        ).where(
            is_any_of(connection, submission.c.id, ids),
            or_(submission.c.not_after.is_(None), submission.c.not_after > now()),
        )
    ).all()
    numbers = {row.id: tuple(row.numbers.split(",")) for row in rows if row.numbers}
    whole = {row.id for row in rows if len(numbers.get(row.id, ())) == row.hi - row.lo}
    numbers = {submission_id: numbers[submission_id] for submission_id in numbers.keys() & whole}
    for heeds in (True, False):
        ids_alike = [
            row.id
            for row in rows
            if row.id in whole and (row.message_class in opt_out_classes) is heeds
        ]
        msisdns = [msisdn for submission_id in ids_alike for msisdn in numbers[submission_id]]
        scopes = tuple(OptOutScope) if heeds else (OptOutScope.ALL,)
        if opted_out := opt_outs.find(connection, msisdns, scopes):
            for submission_id in ids_alike:
                if not opted_out.isdisjoint(numbers[submission_id]):
                    del numbers[submission_id]
    return numbers


def _of_single_ranges(connection: Connection, ids: Collection[int]) -> Iterator[SubmissionMessage]:
    """Read the messages of submissions whose range is one message, all by one statement."""
    if not ids:
        return
    is_in_range = and_(
        message.c.request_id == submission.c.request_id, message.c.n == submission.c.lo
    )
    rows = connection.execute(
        select(
            submission.c.id,
            message.c.request_id,
            message.c.n,
            message.c.msisdn,
            message.c.variables,
            (submission.c.not_after <= now()).label("late"),
        )
        .join(message, is_in_range)
        .where(
            is_any_of(connection, submission.c.id, ids),
            message.c.submission_id.is_(None),
            message.c.state.is_(None),
        )
    )
    for submission_id, request_id, n, msisdn, pairs, late in rows:
        state = MessageState.EXPIRED if late else None
        variables = dict(pairs) if pairs else None
        yield SubmissionMessage(submission_id, request_id, n, msisdn, variables, state)


def _of_ranges(connection: Connection, carriers: Sequence[Any]) -> Iterator[SubmissionMessage]:
    """Read the messages in the ranges of submissions, adjacent ranges by one statement."""
    for neighbours in _adjacent(carriers):
        rows = connection.execute(
            select(message.c.n, message.c.msisdn, message.c.variables)
            .where(
                message.c.request_id == neighbours[0].request_id,
                message.c.n >= neighbours[0].lo,
                message.c.n < neighbours[-1].hi,
                message.c.submission_id.is_(None),
                message.c.state.is_(None),
            )
            .order_by(message.c.n)
        ).all()
        start = 0
        for carrier in neighbours:
            end = bisect_left(rows, carrier.hi, lo=start, key=itemgetter(0))
            state = MessageState.EXPIRED if carrier.late else None
            for n, msisdn, pairs in rows[start:end]:
                variables = dict(pairs) if pairs else None
                yield SubmissionMessage(carrier.id, carrier.request_id, n, msisdn, variables, state)
            start = end


def _adjacent(carriers: Sequence[Any]) -> Iterator[list[Any]]:
    """Group submissions whose ranges follow each other in one request without a gap."""
    group: list[Any] = []
    for carrier in sorted(carriers, key=attrgetter("request_id", "lo")):
        if group and (group[-1].request_id, group[-1].hi) != (carrier.request_id, carrier.lo):
            yield group
            group = []
        group.append(carrier)
    if group:
        yield group


def _naming(connection: Connection, ids: Collection[int]) -> Iterator[SubmissionMessage]:
    """Read the messages that name their submission, which may be of several requests."""
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
        .where(is_any_of(connection, message.c.submission_id, ids), message.c.state.is_(None))
    )
    for submission_id, request_id, n, msisdn, pairs, late in rows:
        state = MessageState.EXPIRED if late else None
        variables = dict(pairs) if pairs else None
        yield SubmissionMessage(submission_id, request_id, n, msisdn, variables, state)


def assign(connection: Connection, keys: Sequence[MessageKey], submission_id: int) -> None:
    """Let messages that have no end name a submission."""
    for start in range(0, len(keys), MESSAGES_PER_STATEMENT):
        named = list(keys[start : start + MESSAGES_PER_STATEMENT])
        connection.execute(
            update(message)
            .where(
                tuple_(message.c.request_id, message.c.n).in_(named),
                message.c.state.is_(None),
            )
            .values(submission_id=submission_id)
        )


def is_carried_by(row: Any) -> Any:
    """Return the condition that the submission of `row` carries a message.

    It carries those of its range that name no other submission, and those that name it. The state
    of the message is not part of the condition.
    """
    names_it = message.c.submission_id == row.id
    if row.lo is None:
        return names_it
    return or_(names_it, _is_in_range(row))


def _is_in_range(row: Any) -> Any:
    return and_(
        message.c.request_id == row.request_id,
        message.c.n >= row.lo,
        message.c.n < row.hi,
        message.c.submission_id.is_(None),
    )


def msisdn_of(connection: Connection, request_id: int, n: int) -> str | None:
    """Return the number of a message; None when there is no such message."""
    return connection.execute(
        select(message.c.msisdn).where(message.c.request_id == request_id, message.c.n == n)
    ).scalar()


def variables_in(
    connection: Connection, request_id: int, lo: int, hi: int
) -> list[Mapping[str, str] | None]:
    """Return the variables of the messages `lo <= n < hi` of a request, in their order."""
    rows = connection.execute(
        select(message.c.variables)
        .where(message.c.request_id == request_id, message.c.n >= lo, message.c.n < hi)
        .order_by(message.c.n)
    ).scalars()
    return [dict(pairs) if pairs else None for pairs in rows]


def equal_ranges(
    connection: Connection, request_id: int, bounds: tuple[int, int], cap: int, limit: int
) -> list[tuple[int, int]]:
    """Cut the messages `lo <= n < hi` of a request where their variables change.

    Returns the first `limit` ranges, none with more than `cap` messages. It reads no more messages
    than these need: a few first, then twice as many each time, up to `cap`.
    """
    lo, hi = bounds
    ranges: list[tuple[int, int]] = []
    range_start = read_from = lo
    previous, step = None, _FIRST_LOOK
    while read_from < hi:
        rows = connection.execute(
            select(message.c.variables)
            .where(
                message.c.request_id == request_id,
                message.c.n >= read_from,
                message.c.n < read_from + step,
            )
            .order_by(message.c.n)
            .limit(hi - read_from)
        ).scalars()
        for n, variables in enumerate(rows, read_from):
            if n > range_start and (variables != previous or n - range_start == cap):
                ranges.append((range_start, n))
                range_start = n
                if len(ranges) == limit:
                    return ranges
            previous = variables
        read_from, step = read_from + step, min(2 * step, cap)
    return [*ranges, (range_start, hi)]
