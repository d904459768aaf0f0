"""Read and write how fast accounts may go, and count what they have in flight.

The limiter's state is stored here while Redis is away; what refusals have taught always is.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, case, func, or_, select, update

from worker.domain.enums import MessageClass, Outcome
from worker.policy import adaptive_rate, gcra
from worker.policy.adaptive_rate import NOTHING_LEARNED, LearnedRate
from worker.policy.gcra import PacingState
from worker.store import accounts
from worker.store.db.clock import later, now
from worker.store.delivery import claims, stops
from worker.store.schema.tables import account_state, submission

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The submissions that are looked at to learn a rate: so many of the newest, of so many seconds.
MAX_SUBMISSIONS = 2000
RECENT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Pacing:
    """How an account is paced. Times are the database's, in microseconds since 1970."""

    #: The limiter's state while the database paces it; None while Redis does.
    state: PacingState | None = None
    #: When Redis is to be tried again.
    retry_redis_at: int = 0
    learned: LearnedRate = NOTHING_LEARNED
    #: When this was read.
    read_at: int = 0

    @property
    def now(self) -> float:
        """When this was read, in seconds since 1970."""
        return self.read_at / 1_000_000

    @property
    def allowed_rate(self) -> float | None:
        """The submissions per second that the last refusal leaves; None where it leaves all."""
        return self.learned.allowed_rate(self.now)


def microseconds(moment: datetime) -> int:
    """Return an aware moment as microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


_pacing_query = select(
    account_state.c.account, account_state.c.pace, account_state.c.learned, now().label("at")
)


def pacings(connection: Connection) -> dict[str, Pacing]:
    """Return the accounts that the database paces, or whose rate a refusal has lowered, by name."""
    return pacings_in(accounts.snapshots(connection))


def pacings_in(rows: Sequence[Any]) -> dict[str, Pacing]:
    """Return what `pacings` does, from the rows of `accounts.snapshots`."""
    return {
        row.account: _pacing(row) for row in rows if row.pace is not None or row.learned is not None
    }


def lock(connection: Connection, names: Collection[str]) -> dict[str, Pacing]:
    """Lock accounts in order, until the transaction ends, and return how each is paced.

    An account without a row gets one.
    """
    locked = _lock_existing(connection, names)
    missing_names = sorted(set(names) - set(locked))
    for name in missing_names:
        accounts.ensure(connection, name)
    return locked | (_lock_existing(connection, missing_names) if missing_names else {})


def _lock_existing(connection: Connection, names: Collection[str]) -> dict[str, Pacing]:
    locking = (
        _pacing_query.where(account_state.c.account.in_(sorted(names)))
        .order_by(account_state.c.account)
        .with_for_update()
    )
    connection.execute(locking).all()
    # Read again: a statement that waited for a lock has the time of before its wait.
    return {row.account: _pacing(row) for row in connection.execute(locking)}


def _pacing(row: Any) -> Pacing:
    stored = row.pace
    return Pacing(
        gcra.state_from_json(stored) if stored else None,
        stored["retry"] if stored else 0,
        adaptive_rate.learned_from_json(row.learned),
        microseconds(row.at),
    )


def write(
    connection: Connection,
    account_name: str,
    state: PacingState | None,
    retry_redis_at: int = 0,
) -> None:
    """Store the limiter's state of an account; None gives the account back to Redis."""
    stored = None if state is None else state.as_json() | {"retry": retry_redis_at}
    connection.execute(
        update(account_state).where(account_state.c.account == account_name).values(pace=stored)
    )


def write_learned(connection: Connection, account_name: str, learned: LearnedRate) -> None:
    """Store the rate that a refusal has taught."""
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account_name)
        .values(learned=learned.as_json())
    )


_in_flight_query = (
    select(submission.c.account, submission.c.message_class, func.count())
    .where(submission.c.lease_until.is_not(None))
    .group_by(submission.c.account, submission.c.message_class)
)


_in_flight_counts = (
    select(
        submission.c.account,
        func.sum(case((submission.c.message_class == MessageClass.OTP.value, 1), else_=0)).label(
            "otp"
        ),
        func.count().label("all"),
    )
    .where(submission.c.lease_until.is_not(None))
    .group_by(submission.c.account)
    .subquery()
)
#: All in one statement, so that a slot which a failure has just freed is seen with its doubt.
_claim_query = select(
    *accounts.SNAPSHOT_COLUMNS,
    _in_flight_counts.c.otp,
    _in_flight_counts.c.all,
    claims.due_submission_exists.label("back"),
    stops.class_is_stopped.label("stopped"),
).select_from(
    account_state.outerjoin(
        _in_flight_counts, _in_flight_counts.c.account == account_state.c.account
    )
)


def claim_rows(connection: Connection, message_class: MessageClass) -> Sequence[Any]:
    """Return what a claim of a class reads first: a row of `SNAPSHOT_COLUMNS` for each account.

    Each row also has `otp` and `all`, the submissions that the account has in flight, of `otp` and
    of all classes; and `back` and `stopped`, which say of the claim's class, not of the account,
    whether a planned submission's time has come, and whether a person stopped it.
    """
    return connection.execute(_claim_query, {"of": message_class.value}).all()


def in_flight_in(rows: Sequence[Any]) -> Counter[tuple[str, bool]]:
    """Return what `count_in_flight` does, from the `claim_rows`: of accounts that have a row."""
    counts: Counter[tuple[str, bool]] = Counter()
    for row in rows:
        if row.all:
            counts[row.account, True] = int(row.otp)
            counts[row.account, False] = row.all - int(row.otp)
    return counts


def count_in_flight(
    connection: Connection, account_name: str | None = None
) -> Counter[tuple[str, bool]]:
    """Count the submissions that are in flight, by account and whether they are `otp`."""
    query = _in_flight_query
    if account_name is not None:
        query = query.where(submission.c.account == account_name)
    counts: Counter[tuple[str, bool]] = Counter()
    for name, message_class, count in connection.execute(query):
        counts[name, message_class == MessageClass.OTP.value] += count
    return counts


def fullest_second_count(connection: Connection, names: Collection[str]) -> int:
    """Return the most submissions that accounts took within a second of the last few seconds.

    Of the newest submissions it counts those that were called and not refused for our pace: a
    bounded look by primary key, so the true count may be higher.
    """
    newest = (
        select(submission.c.account, submission.c.called_at, submission.c.outcome)
        .order_by(submission.c.id.desc())
        .limit(MAX_SUBMISSIONS)
        .subquery()
    )
    recent_calls = select(newest.c.called_at).where(
        newest.c.account.in_(names),
        newest.c.called_at > later(-RECENT_SECONDS),
        or_(newest.c.outcome.is_(None), newest.c.outcome != Outcome.THROTTLED.value),
    )
    call_times = sorted(
        microseconds(moment) for moment in connection.execute(recent_calls).scalars()
    )
    return max(
        (
            bisect_left(call_times, second_start + 1_000_000) - index
            for index, second_start in enumerate(call_times)
        ),
        default=0,
    )


def called_at(connection: Connection, ids: Collection[int]) -> Mapping[int, float]:
    """Return when submissions were written ahead, in seconds since 1970, by id."""
    rows = connection.execute(
        select(submission.c.id, submission.c.called_at).where(
            submission.c.id.in_(list(ids)), submission.c.called_at.is_not(None)
        )
    )
    return {row.id: microseconds(row.called_at) / 1_000_000 for row in rows}
