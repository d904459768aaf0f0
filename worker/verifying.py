"""Checking the promise: what the database says of itself and, with a ledger, what really happened.

The names are those of `docs/guarantees.md`: I1 conservation, I2 truth, I3 no duplicates, I4 the
write-ahead comes first, I5 nothing hangs, I7 no code after its time, I9 the money.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, or_, select

from worker import sandbox
from worker.clock import later
from worker.gateway import Account
from worker.rendering import render
from worker.settings import Settings
from worker.store.messages import seen
from worker.store.requests import content_of
from worker.tables import campaign, message, request, submission
from worker.terms import CampaignState, MessageClass, MessageState, SubmissionState

#: How many broken rows a finding names.
SHOWN = 20
#: States that say "the gateway took it", "it never did", and "one of both".
TAKEN = frozenset({MessageState.SUBMITTED, MessageState.DELIVERED, MessageState.UNDELIVERED})
NEVER = frozenset(
    {
        MessageState.QUEUED,
        MessageState.REJECTED,
        MessageState.EXPIRED,
        MessageState.CANCELLED,
        MessageState.SUPPRESSED,
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant that was checked: `rows` names what breaks it, and is empty when it holds."""

    name: str
    law: str
    broken: int = 0
    rows: tuple[str, ...] = ()


@dataclass
class Counts:
    """The message counts that a person wants to see first."""

    enqueued: int = 0
    taken: int = 0
    rejected: int = 0
    unknown: int = 0
    doubled: int = 0
    lost: int = 0
    states: Counter[str] = field(default_factory=Counter)


def database(connection: Connection, settings: Settings) -> list[Finding]:
    """Check what the database says of itself; it may be in use."""
    return [
        _conservation(connection),
        _ranges(connection),
        _nobody_s(connection),
        _write_ahead(connection),
        _nothing_hangs(connection, settings),
    ]


def ledger(connection: Connection, settings: Settings, path: Path) -> tuple[Counts, list[Finding]]:
    """Compare a quiet database with the ledger of what gateways really took."""
    counts = Counts()
    said, segments = _said(connection, settings, counts)
    lines: Counter[tuple[str, str, str]] = Counter()
    first_at: dict[tuple[str, str, str], float] = {}
    last_at: dict[tuple[str, str, str], float] = {}
    paid = 0
    for entry in sandbox.read(path):
        for msisdn in entry.taken or ():
            key = (entry.gateway, msisdn, entry.text or "")
            lines[key] += 1
            first_at.setdefault(key, entry.at)
            last_at[key] = entry.at
            paid += entry.segments or 1
    counts.taken = lines.total()
    truth, doubled, early, stale = [], [], [], []
    for key in lines.keys() | said.keys():
        here, mine = lines[key], said.get(key, _Said())
        if here < mine.certain:
            counts.lost += mine.certain - here
            truth.append(f"{_name(key, mine)}: {mine.certain} submitted, {here} in the ledger")
        if here > mine.certain + mine.possible:
            counts.doubled += here - mine.certain - mine.possible
            doubled.append(
                f"{_name(key, mine)}: {here} in the ledger,"
                f" {mine.certain + mine.possible} can be explained"
            )
        if here and mine.called is not None and first_at[key] < mine.called - CLOCKS:
            early.append(f"{_name(key, mine)}: taken before its write-ahead")
        if here and mine.until is not None and last_at[key] > mine.until + CLOCKS:
            stale.append(f"{_name(key, mine)}: taken after its validity")
        if any(here + lines[first] == 0 for first in mine.instead):
            counts.lost += 1
            truth.append(f"{_name(key, mine)}: submitted, and in no ledger")
    money = _money(paid, segments)
    return counts, [
        _finding("I2", "what is submitted is in the ledger, what never was is not", truth),
        _finding("I3", "no message is in the ledger more often than its class allows", doubled),
        _finding("I4", "each line of the ledger has a write-ahead before it", early),
        _finding("I7", "no code is taken after its validity", stale),
        money,
    ]


#: How far the ledger's clock and the database's may be apart, in seconds.
CLOCKS = 0.05


@dataclass
class _Said:
    """What the database says of one text to one number at one gateway."""

    certain: int = 0
    possible: int = 0
    called: float | None = None
    #: When the last of its codes ends to be valid; None when one of them is no code.
    until: float | None = None
    #: Where the first submissions were taken of those that were sent once more.
    instead: list[tuple[str, str, str]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


def _name(key: tuple[str, str, str], mine: _Said) -> str:
    return ", ".join(mine.ids[:3]) or f"a message at {key[0]} that nobody enqueued"


def _said(
    connection: Connection, settings: Settings, counts: Counts
) -> tuple[dict[tuple[str, str, str], _Said], tuple[int, int]]:
    said: dict[tuple[str, str, str], _Said] = defaultdict(_Said)
    certain = possible = 0
    for row in _messages(connection):
        state = MessageState(row.state)
        counts.enqueued += 1
        counts.states[state.value] += 1
        counts.rejected += state is MessageState.REJECTED
        counts.unknown += state is MessageState.UNKNOWN
        account = settings.accounts.get(row.account or "")
        if account is None:
            continue
        one = said[account.gateway.name, row.msisdn, _text(account, row)]
        one.ids.append(row.id)
        called = row.first_called or row.called
        one.called = min(filter(None, (one.called, called and called.timestamp())), default=None)
        if row.message_class == MessageClass.OTP.value and row.not_after is not None:
            one.until = max(one.until or 0.0, row.not_after.timestamp() + settings.top.lease)
        if row.resend_of is not None and state in TAKEN:
            # One of the two was taken; of the other nobody knows.
            one.possible += 1
            certain += row.segments or 1
        elif state in TAKEN:
            one.certain += 1
            certain += row.segments or 1
        elif state not in NEVER:
            one.possible += 1
            possible += row.segments or 1
        # A resend may have put a second line there, and one through another account elsewhere.
        if row.resend_of is not None:
            first = _allow_first(settings, said, row)
            if state in TAKEN and first is not None:
                one.instead.append(first)
            possible += row.segments or 1
    return said, (certain, possible)


def _allow_first(
    settings: Settings, said: dict[tuple[str, str, str], _Said], row: Any
) -> tuple[str, str, str] | None:
    first = settings.accounts.get(row.first_account or "")
    if first is None:
        return None
    key = (first.gateway.name, row.msisdn, _text(first, row))
    said[key].possible += 1
    said[key].ids.append(row.id)
    return key


def _text(account: Account, row: Any) -> str:
    content = content_of(row)
    if row.own_variables:
        return render(content.text, dict(row.own_variables))
    return account.gateway.body(content)


def _messages(connection: Connection) -> Iterator[Any]:
    first = submission.alias("first")
    query = (
        select(
            seen.c.id,
            seen.c.msisdn,
            seen.c.state,
            seen.c.account,
            seen.c.segments,
            request.c.text,
            request.c.extension,
            request.c.template,
            request.c.variables,
            request.c.options,
            message.c.variables.label("own_variables"),
            submission.c.called_at.label("called"),
            submission.c.resend_of,
            request.c.message_class,
            request.c.not_after,
            first.c.called_at.label("first_called"),
            first.c.account.label("first_account"),
        )
        .join(request, request.c.id == seen.c.request_id)
        .join(message, (message.c.request_id == seen.c.request_id) & (message.c.n == seen.c.n))
        .outerjoin(submission, submission.c.id == seen.c.submission_id)
        .outerjoin(first, first.c.id == submission.c.resend_of)
    )
    yield from connection.execution_options(yield_per=5000).execute(query)


def _money(paid: int, segments: tuple[int, int]) -> Finding:
    certain, possible = segments
    law = "segments taken and segments counted differ by no more than those of unknown messages"
    if certain <= paid <= certain + possible:
        return Finding("I9", law)
    what = f"{paid} segments in the ledger, {certain} counted, {possible} more unknown"
    return Finding("I9", law, 1, (what,))


def _conservation(connection: Connection) -> Finding:
    counted = (
        select(message.c.request_id, func.count().label("there"))
        .group_by(message.c.request_id)
        .subquery()
    )
    loading = select(campaign.c.request_id).where(
        campaign.c.state.in_([CampaignState.LOADING.value, CampaignState.CANCELLED.value])
    )
    rows = connection.execute(
        select(request.c.id, request.c.total, func.coalesce(counted.c.there, 0))
        .outerjoin(counted, counted.c.request_id == request.c.id)
        .where(request.c.total != func.coalesce(counted.c.there, 0), request.c.id.not_in(loading))
    )
    return _finding(
        "I1",
        "each request has the messages that were accepted",
        (f"request {row[0]}: {row[1]} accepted, {row[2]} there" for row in rows),
    )


def _ranges(connection: Connection) -> Finding:
    """The ranges of a request's submissions follow each other and never overlap."""
    of = submission.c.request_id
    each = (
        select(
            of,
            submission.c.lo,
            submission.c.hi,
            # Not by a third argument of LAG, which MariaDB does not know.
            func.coalesce(
                func.lag(submission.c.hi).over(partition_by=of, order_by=submission.c.lo), 0
            ).label("before"),
        )
        .where(submission.c.lo.is_not(None), submission.c.state != SubmissionState.NOT_SENT.value)
        .subquery()
    )
    rows = connection.execute(
        select(each.c.request_id, each.c.lo, each.c.hi).where(each.c.lo < each.c.before)
    )
    return _finding(
        "I1",
        "no message is carried by two submissions",
        (f"request {row[0]}: messages {row[1]} to {row[2]}" for row in rows),
    )


def _nobody_s(connection: Connection) -> Finding:
    """What was handed out is carried by a submission, or has an end of its own."""
    before = func.lag(submission.c.hi).over(
        partition_by=submission.c.request_id, order_by=submission.c.lo
    )
    ranges = (
        select(
            submission.c.request_id,
            func.coalesce(before, 0).label("gap"),
            submission.c.lo.label("until"),
        )
        .where(submission.c.lo.is_not(None), submission.c.state != SubmissionState.NOT_SENT.value)
        .subquery()
    )
    last = (
        select(submission.c.request_id, func.max(submission.c.hi).label("highest"))
        .where(submission.c.lo.is_not(None), submission.c.state != SubmissionState.NOT_SENT.value)
        .group_by(submission.c.request_id)
        .subquery()
    )
    gaps = [
        *connection.execute(select(ranges).where(ranges.c.until > ranges.c.gap)),
        *connection.execute(
            select(request.c.id, func.coalesce(last.c.highest, 0), request.c.next_n)
            .outerjoin(last, last.c.request_id == request.c.id)
            .where(request.c.next_n > func.coalesce(last.c.highest, 0))
        ),
    ]
    broken = []
    for request_id, lo, hi in gaps:
        rows = connection.execute(
            select(message.c.n).where(
                message.c.request_id == request_id,
                message.c.n >= lo,
                message.c.n < hi,
                message.c.state.is_(None),
                message.c.submission_id.is_(None),
            )
        ).scalars()
        broken += [f"message {request_id}-{n}" for n in rows]
    left = connection.execute(
        select(message.c.request_id, message.c.n)
        .join(submission, submission.c.id == message.c.submission_id)
        .where(message.c.state.is_(None), submission.c.state == SubmissionState.NOT_SENT.value)
    )
    broken += [f"message {row[0]}-{row[1]}" for row in left]
    return _finding("I1", "whatever was handed out is carried by somebody, or has ended", broken)


def _write_ahead(connection: Connection) -> Finding:
    called = [
        SubmissionState.IN_FLIGHT.value,
        SubmissionState.ACCEPTED.value,
        SubmissionState.REJECTED.value,
        SubmissionState.UNKNOWN.value,
    ]
    rows = connection.execute(
        select(submission.c.id, submission.c.state).where(
            submission.c.state.in_(called),
            or_(
                submission.c.called_at.is_(None),
                submission.c.answered_at < submission.c.called_at,
            ),
        )
    )
    return _finding(
        "I4",
        "whatever was called was written ahead before",
        (f"submission {row[0]} ({row[1]})" for row in rows),
    )


def _nothing_hangs(connection: Connection, settings: Settings) -> Finding:
    late = 2 * settings.top.sweep_every + 1.0
    rows = connection.execute(
        select(submission.c.id, submission.c.state).where(submission.c.lease_until <= later(-late))
    )
    return _finding(
        "I5",
        "no lease is over for longer than two sweeps",
        (f"submission {row[0]} ({row[1]})" for row in rows),
    )


def _finding(name: str, law: str, rows: Iterable[str]) -> Finding:
    broken = list(rows)
    return Finding(name, law, len(broken), tuple(broken[:SHOWN]))
