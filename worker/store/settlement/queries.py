"""Read the unknown submissions that a gateway may be asked about, and their messages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, select

from worker.domain.enums import SubmissionState
from worker.domain.message_ranges import MessageKey
from worker.store.db.clock import later
from worker.store.delivery.claims import Lease
from worker.store.feedback import carried_messages
from worker.store.schema.tables import submission
from worker.store.settlement.restored_backup import RESTORED
from worker.store.settlement.unknown import lease_of


class DoubtfulMessage(NamedTuple):
    """A message of an unknown submission."""

    key: MessageKey
    msisdn: str


@dataclass(frozen=True, slots=True)
class DoubtfulSubmission:
    """An unknown submission that its gateway may be asked about."""

    lease: Lease
    reference: str
    called_at: datetime
    messages: Sequence[DoubtfulMessage]


def doubtful_submissions(
    connection: Connection,
    account: str,
    *,
    older_than: float,
    younger_than: float,
    limit: int,
    skipped: Collection[int] = (),
) -> list[DoubtfulSubmission]:
    """Return unknown submissions of an account, the oldest first, with their messages.

    They were called between `younger_than` and `older_than` seconds ago. Left out are those of
    `skipped`, and what a restored backup forgot: what became of one of its messages says nothing of
    the others.
    """
    rows = connection.execute(
        select(submission)
        .where(
            submission.c.account == account,
            submission.c.state == SubmissionState.UNKNOWN.value,
            submission.c.called_at <= later(-older_than),
            submission.c.called_at >= later(-younger_than),
            submission.c.code.is_distinct_from(RESTORED),
            submission.c.id.not_in(list(skipped)),
        )
        .order_by(submission.c.called_at)
        .limit(limit)
    ).all()
    carried: dict[int, list[DoubtfulMessage]] = {}
    for message in carried_messages.of_submissions(connection, [row.id for row in rows]):
        carried.setdefault(message.origin_id, []).append(
            DoubtfulMessage((message.request_id, message.n), message.msisdn)
        )
    return [
        DoubtfulSubmission(
            lease_of(row), row.reference or "", row.called_at, sorted(carried.get(row.id, ()))
        )
        for row in rows
        if carried.get(row.id)
    ]


def others_to_number(
    connection: Connection,
    accounts: Collection[str],
    doubtful: DoubtfulSubmission,
    msisdn: str,
    window: timedelta,
    limit: int,
) -> bool | None:
    """Tell whether any other submission of these accounts went to a number around the same time.

    None when there were more than `limit` submissions: nothing is known then.
    """
    ids = list(
        connection.execute(
            select(submission.c.id)
            .where(
                submission.c.account.in_(list(accounts)),
                submission.c.called_at >= doubtful.called_at - window,
                submission.c.called_at <= doubtful.called_at + window,
                submission.c.id != doubtful.lease.id,
            )
            .limit(limit + 1)
        ).scalars()
    )
    if len(ids) > limit:
        return None
    messages = carried_messages.of_submissions(connection, ids, {msisdn})
    return any(message.msisdn == msisdn for message in messages)
