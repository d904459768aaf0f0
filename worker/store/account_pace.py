"""How fast accounts may go: the limiter that stands in for Redis, and what refusals have taught."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, case, func, or_, select, update

from worker.domain.enums import MessageClass, Outcome
from worker.policy import adaptive_rate, gcra
from worker.policy.adaptive_rate import NOTHING, Learned
from worker.policy.gcra import PacingState
from worker.store import accounts, claims
from worker.store.db.clock import later, now
from worker.store.schema.tables import account_state, submission

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The newest submissions are looked at to learn a rate, so many of them, and of so many seconds.
NEWEST = 2000
LATELY = 2.0


@dataclass(frozen=True, slots=True)
class Pacing:
    """How an account is paced. Times are the database's, in microseconds since 1970."""

    #: The limiter's state while the database paces it; None while Redis does.
    state: PacingState | None = None
    #: When Redis is to be tried again.
    retry: int = 0
    learned: Learned = NOTHING
    at: int = 0

    @property
    def now(self) -> float:
        """The database's time, in seconds since 1970."""
        return self.at / 1_000_000

    @property
    def allowed(self) -> float | None:
        """The rate that is left of a refusal."""
        return self.learned.allowed(self.now)


def microseconds(moment: datetime) -> int:
    """Return an aware moment as microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


_pacings = select(
    account_state.c.account, account_state.c.pace, account_state.c.learned, now().label("at")
)


def standing(connection: Connection) -> dict[str, Pacing]:
    """Return the accounts whose pace is anything but what is configured and kept by Redis."""
    return standing_of(accounts.seen(connection))


def standing_of(rows: Sequence[Any]) -> dict[str, Pacing]:
    """Return what `standing` does, by what was seen of all accounts."""
    apart = (row for row in rows if row.pace is not None or row.learned is not None)
    return {row.account: _pacing(row) for row in apart}


def lock(connection: Connection, names: Collection[str]) -> dict[str, Pacing]:
    """Lock accounts in order, until the transaction ends, and return how each is paced."""
    found = _locked(connection, names)
    missing = sorted(set(names) - set(found))
    for one in missing:
        accounts.ensure(connection, one)
    return found | (_locked(connection, missing) if missing else {})


def _locked(connection: Connection, names: Collection[str]) -> dict[str, Pacing]:
    locking = (
        _pacings.where(account_state.c.account.in_(sorted(names)))
        .order_by(account_state.c.account)
        .with_for_update()
    )
    connection.execute(locking).all()
    # Read again: whoever waited for a lock has an old clock.
    return {row.account: _pacing(row) for row in connection.execute(locking)}


def _pacing(row: Any) -> Pacing:
    kept = row.pace
    return Pacing(
        gcra.stored(kept) if kept else None,
        kept["retry"] if kept else 0,
        adaptive_rate.stored(row.learned),
        microseconds(row.at),
    )


def write(connection: Connection, account: str, state: PacingState | None, retry: int = 0) -> None:
    """Keep the limiter's state; None gives the account back to Redis."""
    kept = None if state is None else state.as_json() | {"retry": retry}
    connection.execute(
        update(account_state).where(account_state.c.account == account).values(pace=kept)
    )


def learn(connection: Connection, account: str, learned: Learned) -> None:
    """Keep what a refusal has taught."""
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account)
        .values(learned=learned.as_json())
    )


_under_way = (
    select(submission.c.account, submission.c.message_class, func.count())
    .where(submission.c.lease_until.is_not(None))
    .group_by(submission.c.account, submission.c.message_class)
)


_counts = (
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
#: All in one statement: a place that was just freed by a failure comes with its doubt.
_looked = select(
    *accounts.SEEN, _counts.c.otp, _counts.c.all, claims.anything_planned.label("back")
).select_from(account_state.outerjoin(_counts, _counts.c.account == account_state.c.account))


def look(connection: Connection, message_class: MessageClass) -> Sequence[Any]:
    """Return what a claim of a class asks first: what is seen of all accounts, and some counts.

    Of each account: `otp` and `all`, the submissions that it has in flight; and `back`, which says
    of the class, not of the account, whether a planned submission's time has come.
    """
    return connection.execute(_looked, {"of": message_class.value}).all()


def under_way_of(rows: Sequence[Any]) -> Counter[tuple[str, bool]]:
    """Return what `under_way` does, by a look: of the accounts that have a row."""
    found: Counter[tuple[str, bool]] = Counter()
    for row in rows:
        if row.all:
            found[row.account, True] = int(row.otp)
            found[row.account, False] = row.all - int(row.otp)
    return found


def under_way(connection: Connection, account: str | None = None) -> Counter[tuple[str, bool]]:
    """Count the submissions that are in flight, by account and whether they are otp."""
    counting = _under_way
    if account is not None:
        counting = counting.where(submission.c.account == account)
    found: Counter[tuple[str, bool]] = Counter()
    for name, message_class, count in connection.execute(counting):
        found[name, message_class == MessageClass.OTP.value] += count
    return found


def fullest_second(connection: Connection, names: Collection[str]) -> int:
    """Return the most that was taken of accounts in one of the last few seconds, as far as known.

    What was called and not refused for our pace, among the newest submissions: a bounded look by
    primary key.
    """
    newest = (
        select(submission.c.account, submission.c.called_at, submission.c.outcome)
        .order_by(submission.c.id.desc())
        .limit(NEWEST)
        .subquery()
    )
    lately = select(newest.c.called_at).where(
        newest.c.account.in_(names),
        newest.c.called_at > later(-LATELY),
        or_(newest.c.outcome.is_(None), newest.c.outcome != Outcome.THROTTLED.value),
    )
    times = sorted(microseconds(one) for one in connection.execute(lately).scalars())
    return max(
        (bisect_left(times, at + 1_000_000) - nth for nth, at in enumerate(times)), default=0
    )


def began(connection: Connection, ids: Collection[int]) -> Mapping[int, float]:
    """Return when submissions were written ahead, in seconds since 1970."""
    rows = connection.execute(
        select(submission.c.id, submission.c.called_at).where(
            submission.c.id.in_(list(ids)), submission.c.called_at.is_not(None)
        )
    )
    return {row.id: microseconds(row.called_at) / 1_000_000 for row in rows}
