"""Gather single messages into one submission, because a gateway wants few submissions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, exists, func, or_, select, update

from worker.domain.enums import MessageClass, MessageState, SubmissionState
from worker.gateways.base import Content
from worker.store.db.clock import later, now
from worker.store.delivery import outcomes, submission_messages
from worker.store.delivery.claims import Lease
from worker.store.delivery.new_submissions import insert_submission
from worker.store.delivery.submission_messages import MESSAGES_PER_STATEMENT
from worker.store.intake.requests import content_of, request_rows
from worker.store.schema.tables import account_state, campaign, message, request, submission


@dataclass(frozen=True, slots=True)
class WaitingSingle:
    """A message that waits alone: as a fresh request, or as a planned submission of its own."""

    request_id: int
    n: int
    msisdn: str
    account: str | None
    content: Content
    kinds: str
    #: The planned submission that carries it; None while it is fresh.
    submission_id: int | None
    attempts: int
    #: Since when it waits.
    since: datetime
    #: How many seconds that is.
    waited: float


def start_gathering(connection: Connection, account: str, seconds: float) -> None:
    """Let equal single messages of an account be gathered for `seconds` from now on."""
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account)
        .values(gather_until=later(seconds))
    )


_is_of_campaign = exists().where(campaign.c.request_id == request.c.id)


def lock_fresh(
    connection: Connection, message_class: MessageClass, within: float, limit: int
) -> list[WaitingSingle]:
    """Lock fresh requests for one message that are due `within` seconds, the longest waiting first.

    They are of no campaign. Left out are those whose message has ended or has its own variables.
    """
    rows = connection.execute(
        select(request, now().label("at"))
        .where(
            request.c.message_class == message_class.value,
            request.c.next_at <= later(within),
            request.c.total == 1,
            request.c.next_n == 0,
            request.c.template_version.is_(None),
            request.c.rest == MessageState.QUEUED.value,
            or_(request.c.not_before.is_(None), request.c.not_before <= now()),
            ~_is_of_campaign,
        )
        .order_by(request.c.next_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    plain = _plain_messages(connection, [row.id for row in rows])
    return [
        _waiting_single(
            row, row, plain[row.id], None, 0, max(row.created_at, row.not_before or _EPOCH)
        )
        for row in rows
        if row.id in plain
    ]


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _plain_messages(
    connection: Connection, request_ids: Sequence[int]
) -> dict[int, tuple[int, str]]:
    """Return the index and the MSISDN of each request's message, by request.

    Left out are messages that have ended, name a submission or have their own variables.
    """
    plain: dict[int, tuple[int, str]] = {}
    for start in range(0, len(request_ids), MESSAGES_PER_STATEMENT):
        rows = connection.execute(
            select(message.c.request_id, message.c.n, message.c.msisdn).where(
                message.c.request_id.in_(request_ids[start : start + MESSAGES_PER_STATEMENT]),
                message.c.n == 0,
                message.c.state.is_(None),
                message.c.submission_id.is_(None),
                message.c.variables.is_(None),
            )
        )
        plain |= {row.request_id: (row.n, row.msisdn) for row in rows}
    return plain


def lock_planned(
    connection: Connection, message_class: MessageClass, within: float, limit: int
) -> list[WaitingSingle]:
    """Lock planned submissions of one message, due `within` seconds, the longest waiting first.

    They are of no campaign, and no resends. Left out are those whose message has its own variables.
    """
    rows = connection.execute(
        select(submission, now().label("at"))
        .where(
            submission.c.message_class == message_class.value,
            submission.c.state == SubmissionState.PLANNED.value,
            submission.c.next_at <= later(within),
            submission.c.size == 1,
            submission.c.resend_of.is_(None),
            submission.c.barred.is_(None),
            ~exists().where(campaign.c.request_id == submission.c.request_id),
        )
        .order_by(submission.c.next_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    return _planned_singles(connection, rows) if rows else []


def _planned_singles(connection: Connection, rows: Sequence[Any]) -> list[WaitingSingle]:
    """Return the singles that planned submissions carry; `rows` are the submissions' rows."""
    messages = submission_messages.of_submissions(connection, [row.id for row in rows], ())
    carried = {
        single.submission_id: single
        for single in messages
        if single.state is None and single.variables is None
    }
    rows_by_request = request_rows(connection, {single.request_id for single in carried.values()})
    return [
        _waiting_single(
            row,
            rows_by_request[single.request_id],
            (single.n, single.msisdn),
            row.id,
            row.attempts,
            row.created_at,
        )
        for row in rows
        if (single := carried.get(row.id)) is not None
        and rows_by_request[single.request_id].template_version is None
    ]


def _waiting_single(
    row: Any,
    request_row: Any,
    n_and_msisdn: tuple[int, str],
    submission_id: int | None,
    attempts: int,
    since: datetime,
) -> WaitingSingle:
    """Return a single; `row.at` is the time of now by the database's clock."""
    return WaitingSingle(
        request_row.id,
        *n_and_msisdn,
        request_row.account,
        content_of(request_row),
        request_row.kinds,
        submission_id,
        attempts,
        since,
        (row.at - since).total_seconds(),
    )


def postpone(connection: Connection, singles: Collection[WaitingSingle], seconds: float) -> None:
    """Let singles wait for others for `seconds`."""
    planned_ids, request_ids = _carriers(singles)
    if planned_ids:
        connection.execute(
            update(submission)
            .where(
                submission.c.id.in_(planned_ids),
                submission.c.state == SubmissionState.PLANNED.value,
            )
            .values(next_at=later(seconds))
        )
    if request_ids:
        connection.execute(
            update(request)
            .where(request.c.id.in_(request_ids), request.c.next_at.is_not(None))
            .values(next_at=later(seconds))
        )


def _carriers(singles: Collection[WaitingSingle]) -> tuple[list[int], list[int]]:
    """Return the planned submissions that carry singles, and the requests of the fresh ones."""
    planned_ids = [single.submission_id for single in singles if single.submission_id is not None]
    fresh_ids = [single.request_id for single in singles if single.submission_id is None]
    return planned_ids, fresh_ids


def insert_gathered(
    connection: Connection,
    singles: Sequence[WaitingSingle],
    lease: Lease,
    *,
    segments: int,
    seconds: float,
    owner: str,
) -> int:
    """Insert a submission that carries locked singles, in flight from the start; returns its id.

    The messages name it, the requests have handed theirs out, and the submissions that were planned
    for them have ended. It is valid until the first of the requests is not.
    """
    request_ids = [single.request_id for single in singles]
    first_end = select(func.min(request.c.not_after)).where(request.c.id.in_(request_ids))
    submission_id = insert_submission(
        connection,
        {
            "account": lease.account,
            "message_class": lease.message_class.value,
            "state": SubmissionState.IN_FLIGHT.value,
            "request_id": lease.request_id,
            "size": len(singles),
            "segments": segments,
            "fence": lease.fence,
            "owner": owner,
            "attempts": lease.attempts,
            "reference": lease.reference or None,
            "parent_id": _first_planned_id(singles),
            "lease_until": later(seconds),
            "created_at": now(),
            "called_at": now(),
            "not_after": first_end.scalar_subquery(),
        },
    )
    keys = [(single.request_id, single.n) for single in singles]
    submission_messages.assign(connection, keys, submission_id)
    _end_carriers(connection, singles)
    return submission_id


def _first_planned_id(singles: Collection[WaitingSingle]) -> int | None:
    """Return the first planned submission that carries one of the singles, if any does."""
    return next((single.submission_id for single in singles if single.submission_id), None)


def _end_carriers(connection: Connection, singles: Collection[WaitingSingle]) -> None:
    """End the submissions, and hand out the requests, whose messages have been gathered."""
    planned_ids, fresh_ids = _carriers(singles)
    if fresh_ids:
        connection.execute(
            update(request)
            .where(request.c.id.in_(fresh_ids), request.c.next_n == 0)
            .values(next_n=1, next_at=None)
        )
    if planned_ids:
        outcomes.mark_not_sent(connection, planned_ids, SubmissionState.PLANNED)


def group_by_content(singles: Sequence[WaitingSingle]) -> Mapping[str, list[WaitingSingle]]:
    """Group the singles that one submission can carry together, by their `content_key`."""
    groups: dict[str, list[WaitingSingle]] = {}
    for single in singles:
        key = content_key(single.account, single.content, single.kinds)
        groups.setdefault(key, []).append(single)
    return groups


def content_key(account: str | None, content: Content, kinds: str) -> str:
    """Return what is the same for singles that one submission can carry.

    That is the account that they name, their content and their kinds of numbers.
    """
    variables = list(content.variables.items())
    options = sorted(content.options.items(), key=itemgetter(0))
    shared = (account, content.text, content.template, content.extension, variables, options, kinds)
    return repr(shared)
