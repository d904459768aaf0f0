"""Read messages through their view, and write states of their own where these differ.

A message without a state of its own has the state that its submission, or its request, says.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

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
    tuple_,
    update,
)

from worker.domain.enums import MessageState, SubmissionState
from worker.domain.message_ranges import MessageKey, MessageRange, joined
from worker.store import callback_outbox
from worker.store.db.clock import now
from worker.store.delivery.submission_messages import (
    MESSAGES_PER_STATEMENT,
    SubmissionMessage,
    is_carried_by,
)
from worker.store.schema import views
from worker.store.schema.tables import message, request, submission

#: How often the submission of a message is looked up that goes on from one to the next.
MAX_LOOKUPS = 10

#: The view, as far as statements here name its columns.
message_view = table(
    views.VIEW_NAME,
    *(column(selected.name, selected.type) for selected in views.view_query().selected_columns),
)


def view_rows(connection: Connection, keys: Sequence[tuple[int, int]]) -> list[Row[Any]]:
    """Return the view's rows of messages in the order of `keys`; missing ones are left out.

    A key is a message's request and its number there.
    """
    if not keys:
        return []
    numbers_by_request: dict[int, list[int]] = {}
    for request_id, n in keys:
        numbers_by_request.setdefault(request_id, []).append(n)
    rows_by_key: dict[tuple[int, int], Row[Any]] = {}
    for request_id, numbers in numbers_by_request.items():
        rows = connection.execute(
            select(message_view).where(
                message_view.c.request_id == request_id, message_view.c.n.in_(numbers)
            )
        )
        rows_by_key |= {(row.request_id, row.n): row for row in rows}
    return [rows_by_key[key] for key in keys if key in rows_by_key]


def submissions_of(connection: Connection, request_id: int, n: int) -> list[Row[Any]]:
    """Return every submission that a message was part of, the first one first."""
    named_id = select(message.c.submission_id).where(
        message.c.request_id == request_id, message.c.n == n
    )
    covers = and_(submission.c.request_id == request_id, submission.c.lo <= n, submission.c.hi > n)
    condition = or_(covers, submission.c.id == named_id.scalar_subquery())
    rows_by_id: dict[int, Row[Any]] = {}
    while rows := connection.execute(select(submission).where(condition)).all():
        rows_by_id |= {row.id: row for row in rows}
        # The submissions that these continue; they may have carried other messages as well.
        parent_ids = {row.parent_id for row in rows} - {None, *rows_by_id}
        condition = submission.c.id.in_(parent_ids)
    return [rows_by_id[submission_id] for submission_id in sorted(rows_by_id)]


def content_of(connection: Connection, request_id: int, n: int) -> Any:
    """Return what a message says: its class, text and template, and its values as pairs.

    Of a registered template, which has a `template_version`, the text is the body, and the values
    are its own or those of its request. None when there is no such message.
    """
    query = (
        select(
            request.c.message_class,
            request.c.text,
            request.c.template,
            request.c.template_version,
            func.coalesce(message.c.variables, request.c.variables).label("variables"),
        )
        .join(message, message.c.request_id == request.c.id)
        .where(message.c.request_id == request_id, message.c.n == n)
    )
    return connection.execute(query).first()


def end(
    connection: Connection, messages: Iterable[SubmissionMessage], code: str | None = None
) -> None:
    """Store the ends that a write-ahead found for messages, unless they have one already.

    Of `messages`, those without an end are left alone. `code` is stored with the ends, if given.
    """
    ended = [
        (carried.request_id, carried.n, carried.state)
        for carried in messages
        if carried.state is not None
    ]
    if not ended:
        return
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
        [{"of": request_id, "nth": n, "becomes": state.value} for request_id, n, state in ended],
    )
    callback_outbox.note_messages(
        connection, [MessageRange(request_id, n, n + 1) for request_id, n, _ in ended]
    )


def reject(connection: Connection, codes: Mapping[MessageKey, str]) -> None:
    """End messages that their gateway refused by themselves, each with its code.

    Those that have an end already keep it.
    """
    keys_by_code: dict[str, list[MessageKey]] = {}
    for key, code in codes.items():
        keys_by_code.setdefault(code[:64], []).append(key)
    for code, keys in keys_by_code.items():
        for start in range(0, len(keys), MESSAGES_PER_STATEMENT):
            named = keys[start : start + MESSAGES_PER_STATEMENT]
            connection.execute(
                update(message)
                .where(
                    tuple_(message.c.request_id, message.c.n).in_(named), message.c.state.is_(None)
                )
                .values(state=MessageState.REJECTED.value, code=code or None, finished_at=now())
            )
    callback_outbox.note_messages(connection, joined(codes))


def end_carried(connection: Connection, ids: Collection[int], state: MessageState) -> int:
    """Give all messages that submissions carry the end `state`; returns how many had none."""
    rows = connection.execute(select(submission).where(submission.c.id.in_(list(ids)))).all()
    ending = update(message).values(state=state.value, finished_at=now())
    ended_count = 0
    for is_carried in _are_carried_by(rows):
        ended_count += connection.execute(
            ending.where(is_carried, message.c.state.is_(None))
        ).rowcount
    callback_outbox.note_submissions(connection, ids)
    return ended_count


def _are_carried_by(rows: Sequence[Any]) -> Iterator[Any]:
    """Yield conditions that together hold for the messages that submissions carry.

    Submissions of one message each share two conditions for each request: a campaign that goes out
    in single messages may have a hundred thousand of them waiting.
    """
    rows_of_singles: dict[int, list[Any]] = {}
    for row in rows:
        if row.lo is not None and row.hi == row.lo + 1:
            rows_of_singles.setdefault(row.request_id, []).append(row)
        else:
            yield is_carried_by(row)
    for request_id, single_rows in rows_of_singles.items():
        yield message.c.submission_id.in_([row.id for row in single_rows])
        yield and_(
            message.c.request_id == request_id,
            message.c.n.in_([row.lo for row in single_rows]),
            message.c.submission_id.is_(None),
        )


def expire(connection: Connection, submission_id: int) -> bool:
    """End the messages of a planned submission whose validity is over; False if some wait on.

    A submission may carry messages of several requests. It is valid until the first of these is
    not: then the expired messages end, and it is valid until the next request is not.
    """
    waits_in_it = [message.c.submission_id == submission_id, message.c.state.is_(None)]
    next_end = connection.execute(
        select(func.min(request.c.not_after))
        .join(message, message.c.request_id == request.c.id)
        .where(*waits_in_it, request.c.not_after > now())
    ).scalar()
    if next_end is None:
        end_carried(connection, [submission_id], MessageState.EXPIRED)
        return True
    is_over = exists().where(request.c.id == message.c.request_id, request.c.not_after <= now())
    connection.execute(
        update(message)
        .where(*waits_in_it, is_over)
        .values(state=MessageState.EXPIRED.value, finished_at=now())
    )
    connection.execute(
        update(submission)
        .where(
            submission.c.id == submission_id,
            submission.c.state == SubmissionState.PLANNED.value,
        )
        .values(not_after=next_end)
    )
    callback_outbox.note_submissions(connection, [submission_id])
    return False


def cancel(connection: Connection, request_id: int, n: int) -> MessageState | None:
    """Cancel one message, unless it was handed over; returns the state that it has then.

    None when there is no such message. The caller has locked the request; the submission that
    carries the message is locked here, so that a write-ahead comes wholly before or after.
    """
    if _may_be_cancelled(connection, request_id, n):
        connection.execute(
            update(message)
            .where(message.c.request_id == request_id, message.c.n == n, message.c.state.is_(None))
            .values(state=MessageState.CANCELLED.value, finished_at=now())
        )
        callback_outbox.note_messages(connection, [MessageRange(request_id, n, n + 1)])
    state = connection.execute(
        select(message_view.c.state).where(
            message_view.c.request_id == request_id, message_view.c.n == n
        )
    ).scalar()
    return None if state is None else MessageState(state)


def _may_be_cancelled(connection: Connection, request_id: int, n: int) -> bool:
    """Tell whether a message was not handed over, and lock the submission that carries it.

    A resend counts as handed over, because the first submission may have been taken.
    """
    carrier = _lock_carrier(connection, request_id, n)
    for _ in range(MAX_LOOKUPS):
        if carrier is not None or not _was_handed_out(connection, request_id, n):
            break
        # The message went on to another submission while the lock was waited for.
        carrier = _lock_carrier(connection, request_id, n)
    if carrier is None:
        rest_state = select(request.c.rest).where(request.c.id == request_id)
        return bool(connection.execute(rest_state).scalar() == MessageState.QUEUED.value)
    return bool(carrier.state == SubmissionState.PLANNED.value and carrier.resend_of is None)


def _lock_carrier(connection: Connection, request_id: int, n: int) -> Any:
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


def _was_handed_out(connection: Connection, request_id: int, n: int) -> bool:
    """Tell whether a message without an end was handed out: then some submission carries it."""
    query = select(message.c.n).join(request, request.c.id == message.c.request_id)
    has_no_end = (
        (message.c.request_id == request_id) & (message.c.n == n) & message.c.state.is_(None)
    )
    return connection.execute(query.where(has_no_end, request.c.next_n > n)).first() is not None
