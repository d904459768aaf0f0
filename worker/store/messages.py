"""Messages: how they are described, and their own states where these differ."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Row,
    and_,
    bindparam,
    column,
    exists,
    func,
    or_,
    select,
    table,
    update,
)

from worker.domain.enums import MessageState, SubmissionState
from worker.store import callback_outbox
from worker.store.callback_outbox import MessageRange
from worker.store.db.clock import now
from worker.store.db.dialects import by_index, one_of
from worker.store.schema import views
from worker.store.schema.tables import message, request, submission
from worker.store.schema.tables import report as told
from worker.store.submission_messages import SubmissionMessage, carried_by

#: How often it is looked who carries a message that goes from one submission to the next.
LOOKS = 10

#: The view, as far as statements here name its columns.
seen = table(
    views.NAME, *(column(each.name, each.type) for each in views.described().selected_columns)
)


def described(connection: Connection, ids: Sequence[tuple[int, int]]) -> list[Row[Any]]:
    """Return the view's rows of messages, in the order asked for; missing ones are left out."""
    if not ids:
        return []
    by_request: dict[int, list[int]] = {}
    for request_id, n in ids:
        by_request.setdefault(request_id, []).append(n)
    found: dict[tuple[int, int], Row[Any]] = {}
    for request_id, numbers in by_request.items():
        rows = connection.execute(
            select(seen).where(seen.c.request_id == request_id, seen.c.n.in_(numbers))
        )
        found |= {(row.request_id, row.n): row for row in rows}
    return [found[one] for one in ids if one in found]


def tried(connection: Connection, request_id: int, n: int) -> list[Row[Any]]:
    """Return every submission that a message was part of, the first one first."""
    its_own = select(message.c.submission_id).where(
        message.c.request_id == request_id, message.c.n == n
    )
    covering = and_(
        submission.c.request_id == request_id, submission.c.lo <= n, submission.c.hi > n
    )
    which = or_(covering, submission.c.id == its_own.scalar_subquery())
    found: dict[int, Row[Any]] = {}
    while rows := connection.execute(select(submission).where(which)).all():
        found |= {row.id: row for row in rows}
        # Those that they continue may have carried other messages as well.
        before = {row.parent_id for row in rows} - {None, *found}
        which = submission.c.id.in_(before)
    return [found[one] for one in sorted(found)]


def search(
    connection: Connection,
    *,
    limit: int,
    msisdn: str | None = None,
    state: str | None = None,
    account: str | None = None,
    since: Any = None,
    request_id: int | None = None,
) -> list[Row[Any]]:
    """Return the view's rows that fit, the newest first; of campaigns only by `request_id`.

    A campaign is searched as a whole: the number of its messages is not indexed.
    """
    query = select(seen)
    if request_id is None:
        query = query.where(seen.c.single.is_not(None))
    else:
        query = query.where(seen.c.request_id == request_id)
    for name, value in (("msisdn", msisdn), ("state", state), ("account", account)):
        if value is not None:
            query = query.where(seen.c[name] == value)
    if since is not None:
        query = query.where(seen.c.created_at >= since)
    newest = query.order_by(seen.c.request_id.desc(), seen.c.n).limit(limit)
    return list(connection.execute(newest))


def end(
    connection: Connection, ended: Iterable[SubmissionMessage], code: str | None = None
) -> None:
    """Give messages the ends that a write-ahead found for them, unless they have one already."""
    ending = [one for one in ended if one.state is not None]
    rows = [
        {"of": one.request_id, "nth": one.n, "becomes": one.state.value if one.state else None}
        for one in ending
    ]
    if rows:
        connection.execute(
            update(message)
            .where(
                message.c.request_id == bindparam("of"),
                message.c.n == bindparam("nth"),
                message.c.state.is_(None),
            )
            .values(
                state=bindparam("becomes"),
                finished_at=now(),
                **({"code": code} if code else {}),
            ),
            rows,
        )
        callback_outbox.note(
            connection, [MessageRange(one.request_id, one.n, one.n + 1) for one in ending]
        )


def end_members(connection: Connection, ids: Collection[int], state: MessageState) -> int:
    """Give all messages of submissions a state of their own; returns how many had none."""
    rows = connection.execute(select(submission).where(submission.c.id.in_(list(ids)))).all()
    ending = update(message).values(state=state.value, finished_at=now())
    ended = 0
    for these in _carried_by_all(rows):
        ended += connection.execute(ending.where(these, message.c.state.is_(None))).rowcount
    callback_outbox.of_submissions(connection, ids)
    return ended


def _carried_by_all(rows: Sequence[Any]) -> Iterator[Any]:
    """Say which messages submissions carry: those of one message each by one condition a request.

    A campaign by single messages may have a hundred thousand of them waiting.
    """
    single: dict[int, list[Any]] = {}
    for row in rows:
        if row.lo is not None and row.hi == row.lo + 1:
            single.setdefault(row.request_id, []).append(row)
        else:
            yield carried_by(row)
    for request_id, some in single.items():
        yield message.c.submission_id.in_([row.id for row in some])
        yield and_(
            message.c.request_id == request_id,
            message.c.n.in_([row.lo for row in some]),
            message.c.submission_id.is_(None),
        )


def expire(connection: Connection, one: int) -> bool:
    """End the messages of a planned submission whose validity is over; False if some wait on.

    It may carry messages of several requests: it is valid then until the next of them is not.
    """
    here = [message.c.submission_id == one, message.c.state.is_(None)]
    rest = connection.execute(
        select(func.min(request.c.not_after))
        .join(message, message.c.request_id == request.c.id)
        .where(*here, request.c.not_after > now())
    ).scalar()
    if rest is None:
        end_members(connection, [one], MessageState.EXPIRED)
        return True
    over = exists().where(request.c.id == message.c.request_id, request.c.not_after <= now())
    connection.execute(
        update(message)
        .where(*here, over)
        .values(state=MessageState.EXPIRED.value, finished_at=now())
    )
    connection.execute(
        update(submission)
        .where(submission.c.id == one, submission.c.state == SubmissionState.PLANNED.value)
        .values(not_after=rest)
    )
    callback_outbox.of_submissions(connection, [one])
    return False


def cancel(connection: Connection, request_id: int, n: int) -> MessageState | None:
    """Take one message back, unless it was handed over: returns the state that it has then.

    None when there is no such message. The caller has locked the request; the submission that
    covers the message is locked here, so that a write-ahead comes wholly before or after.
    """
    covering = _covering(connection, request_id, n)
    for _ in range(LOOKS):
        if covering is not None or not _handed_out(connection, request_id, n):
            break
        # It went on to another submission while its lock was waited for.
        covering = _covering(connection, request_id, n)
    if covering is None:
        query = select(request.c.rest).where(request.c.id == request_id)
        open_still = connection.execute(query).scalar() == MessageState.QUEUED.value
    else:
        open_still = covering.state == SubmissionState.PLANNED.value and covering.resend_of is None
    if open_still:
        connection.execute(
            update(message)
            .where(message.c.request_id == request_id, message.c.n == n, message.c.state.is_(None))
            .values(state=MessageState.CANCELLED.value, finished_at=now())
        )
        callback_outbox.note(connection, [MessageRange(request_id, n, n + 1)])
    state = connection.execute(
        select(seen.c.state).where(seen.c.request_id == request_id, seen.c.n == n)
    ).scalar()
    return None if state is None else MessageState(state)


def _covering(connection: Connection, request_id: int, n: int) -> Any:
    """Lock the submission that carries a message, and return its row; None when there is none."""
    return connection.execute(
        select(submission.c.id, submission.c.state, submission.c.resend_of)
        .join(message, message.c.request_id == request_id)
        .where(
            message.c.n == n,
            submission.c.state != SubmissionState.NOT_SENT.value,
            or_(
                submission.c.id == message.c.submission_id,
                (submission.c.request_id == request_id)
                & (submission.c.lo <= n)
                & (submission.c.hi > n)
                & message.c.submission_id.is_(None),
            ),
        )
        .with_for_update()
    ).first()


def _handed_out(connection: Connection, request_id: int, n: int) -> bool:
    """Tell whether a message without an end was handed out: some submission carries it."""
    query = select(message.c.n).join(request, request.c.id == message.c.request_id)
    here = (message.c.request_id == request_id) & (message.c.n == n) & message.c.state.is_(None)
    return connection.execute(query.where(here, request.c.next_n > n)).first() is not None


class Reported(NamedTuple):
    """What a stored report says of a message: its id, the message, its code and time."""

    report: int
    request_id: int
    n: int
    code: str
    at: datetime | None


def report(
    connection: Connection, reports: Sequence[Reported], to: MessageState, *, parts: int
) -> int:
    """Give messages what their stored reports say: only from states that it may be reached from.

    A message without a state of its own is as its submission says: submitted, unknown, or
    submitting when the answer is not recorded yet. Of a text of one part `delivered` wins for good;
    of several parts one that failed decides. Of two that say the same the first counts.
    """
    lesser = {MessageState.SUBMITTED, MessageState.UNKNOWN}
    wins = MessageState.DELIVERED if parts == 1 else MessageState.UNDELIVERED
    if to is wins:
        lesser |= {MessageState.DELIVERED, MessageState.UNDELIVERED} - {to}
    first = {(one.request_id, one.n): one for one in reversed(reports)}
    callback_outbox.note(connection, [MessageRange(one, n, n + 1) for one, n in first])
    # Not by IN: it cannot be part of a statement that is run for many rows.
    movable = or_(message.c.state.is_(None), *(message.c.state == one.value for one in lesser))
    if connection.dialect.name == "postgresql":
        # From where they are stored: nothing but their ids has to come along.
        those = and_(
            one_of(connection, told.c.id, [one.report for one in first.values()]),
            message.c.request_id == told.c.request_id,
            message.c.n == told.c.n,
        )
        moved = {"code": told.c.code, "finished_at": func.coalesce(told.c.reported_at, now())}
        moving = update(message).where(those, movable).values(state=to.value, **moved)
        with by_index(connection):
            return connection.execute(moving).rowcount
    return connection.execute(
        update(message)
        .where(message.c.request_id == bindparam("of"), message.c.n == bindparam("nth"), movable)
        .values(
            state=to.value,
            code=bindparam("said"),
            finished_at=func.coalesce(bindparam("at", type_=message.c.finished_at.type), now()),
        ),
        [
            {"of": one.request_id, "nth": one.n, "said": one.code, "at": one.at}
            for one in first.values()
        ],
    ).rowcount
